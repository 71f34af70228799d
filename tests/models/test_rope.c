/* Rotary frequencies of every kind of scaling, against those that transformers 4.57.6 computes from the same configuration
 * (modeling_rope_utils, 6 pairs of 12 dimensions, theta 10000), and what configurations may get wrong. */
#include "models/rope.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

typedef struct {
  const char *scaling;
  float frequencies[6];
  double factor;
  size_t positions; /* that the kind allows; 0: it does not say */
} rope_case;

static const rope_case cases[] = {
    {"null", {1.0f, 0.215443447f, 0.046415884f, 0.00999999978f, 0.00215443433f, 0.000464158948f}, 1, 0},
    {"{\"rope_type\": \"default\"}", {1.0f, 0.215443447f, 0.046415884f, 0.00999999978f, 0.00215443433f, 0.000464158948f}, 1, 0},
    {"{\"type\": \"linear\", \"factor\": 4.0}",
     {0.25f, 0.0538608618f, 0.011603971f, 0.00249999994f, 0.000538608583f, 0.000116039737f},
     1,
     0},
    {"{\"rope_type\": \"dynamic\", \"factor\": 2.0}",
     {1.0f, 0.215443447f, 0.046415884f, 0.00999999978f, 0.00215443433f, 0.000464158948f},
     1,
     256},
    {"{\"rope_type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 64}",
     {1.0f, 0.134652153f, 0.011603971f, 0.00249999994f, 0.000538608583f, 0.000116039737f},
     1.138629436111989,
     0},
    {"{\"rope_type\": \"yarn\", \"factor\": 8.0, \"original_max_position_embeddings\": 64, \"beta_fast\": 16, "
     "\"beta_slow\": 2, \"mscale\": 0.7, \"mscale_all_dim\": 1.0, \"truncate\": false}",
     {1.0f, 0.0376773216f, 0.00580198551f, 0.00124999997f, 0.000269304292f, 5.80198684e-05f},
     0.9483558523503399,
     0},
    {"{\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
     "\"original_max_position_embeddings\": 64}",
     {1.0f, 0.101989336f, 0.00580198551f, 0.00124999997f, 0.000269304292f, 5.80198684e-05f},
     1,
     0},
    {"{\"type\": \"longrope\", \"short_factor\": [1, 1.1, 1.25, 1.5, 2, 2.5], \"long_factor\": [1, 2, 3, 4, 5, 6.5]}",
     {1.0f, 0.1958576887845993f, 0.03713270649313927f, 0.006666666828095913f, 0.001077217166312039f, 0.00018566357903182507f},
     1.1547005383792517,
     64},
};

typedef struct {
  ci_model model;
  ci_builder b;
  ci_error err;
} setting;

static void set_up(setting *s, const char *scaling) {
  static const ci_architecture any = {.id = "any", .prefix = "model."};
  *s = (setting){.model.arena = ci_arena_create()};
  s->model.architecture = &any;
  s->model.config = json_pack("{s:i, s:i}", "max_position_embeddings", 256, "original_max_position_embeddings", 64);
  json_t *value = json_loads(scaling, JSON_DECODE_ANY, NULL);
  assert_non_null(value);
  json_object_set_new(s->model.config, "rope_scaling", value);
  s->b = (ci_builder){.model = &s->model, .err = &s->err};
}

static void tear_down(setting *s) {
  json_decref(s->model.config);
  ci_arena_close(s->model.arena);
}

static void as_transformers(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const rope_case *c = &cases[i];
    setting s;
    set_up(&s, c->scaling);
    const ci_rope *rope = ci_build_rope(&s.b, 10000, 12, "rope_scaling");
    if (!rope) fail_msg("%s: %s: %s", c->scaling, s.err.where, s.err.message);
    assert_int_equal(rope->half, 6);
    for (size_t k = 0; k < 6; k++)
      if (!(fabsf(rope->frequencies[k] - c->frequencies[k]) <= 3e-7f * c->frequencies[k]))
        fail_msg("%s: frequency %zu is %.9g, transformers has %.9g", c->scaling, k, (double)rope->frequencies[k],
                 (double)c->frequencies[k]);
    if (!(fabs((double)rope->factor - c->factor) < 1e-6)) fail_msg("%s: factor %g, expected %g", c->scaling, (double)rope->factor, c->factor);
    assert_int_equal(s.model.graph.positions[CI_DECODER], c->positions);
    tear_down(&s);
  }
}

static void errors_name_the_key(void **state) {
  (void)state;
  static const struct {
    const char *scaling, *named;
  } wrong[] = {
      {"{\"rope_type\": \"mrope\", \"factor\": 2}", "\"mrope\" is not known"},
      {"{\"rope_type\": \"linear\"}", "\"factor\" is missing"},
      {"{\"rope_type\": 7}", "rope_type"},
      {"[1, 2]", "\"rope_scaling\": expected an object"},
      {"{\"type\": \"llama3\", \"factor\": 2, \"low_freq_factor\": 1}", "\"high_freq_factor\" is missing"},
      {"{\"type\": \"longrope\", \"short_factor\": [1, 2], \"long_factor\": [1, 2, 3, 4, 5, 6]}", "list of 6 numbers"},
      {"{\"type\": \"longrope\", \"short_factor\": [1, 2, 3, 4, 5, \"6\"], \"long_factor\": [1, 2, 3, 4, 5, 6]}", "number 5"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    setting s;
    set_up(&s, wrong[i].scaling);
    assert_null(ci_build_rope(&s.b, 10000, 12, "rope_scaling"));
    assert_int_equal(s.b.status, CI_EMODEL);
    assert_non_null(strstr(s.err.where, "config.json"));
    if (!strstr(s.err.message, wrong[i].named) && !strstr(s.err.where, wrong[i].named))
      fail_msg("%s: %s: %s", wrong[i].scaling, s.err.where, s.err.message);
    tear_down(&s);
  }
}

static void pairs_and_bases(void **state) {
  (void)state;
  setting s;
  set_up(&s, "null");
  assert_null(ci_build_rope(&s.b, 10000, 7, NULL));
  tear_down(&s);
  set_up(&s, "null");
  assert_null(ci_build_rope(&s.b, -1, 8, NULL));
  tear_down(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_transformers),
      cmocka_unit_test(errors_name_the_key),
      cmocka_unit_test(pairs_and_bases),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
