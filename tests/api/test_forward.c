/* Forwards of the caller's tokens: what generation and attribution compute, from ids or from embeddings; step functions
 * on logits of the caller; what a score is told of its text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "cinseq.h"
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  cinseq_model *handle;
  size_t vocabulary;
} opened;

static opened open_model(const char *name) {
  opened m;
  cinseq_error err;
  if (cinseq_model_open(name, NULL, NULL, &m.handle, &err)) fail_msg("%s: %s", err.where, err.message);
  char *text = cinseq_model_info(m.handle);
  json_t *info = json_loads(text, 0, NULL);
  m.vocabulary = (size_t)json_integer_value(json_object_get(info, "vocabulary"));
  json_decref(info);
  cinseq_free(text);
  return m;
}

/* A step function that looks at what it is told. */
typedef struct {
  const opened *model;
  int32_t source[64], ids[64];
  size_t source_count, id_count, seen;
  float *logits; /* [64, vocabulary] by position */
} noted;

static double note(void *context, const cinseq_prediction *p) {
  noted *n = context;
  assert_int_equal(p->text, 0);
  assert_true(p->id_count <= 64 && p->source_count <= 64 && p->position < p->id_count);
  assert_int_equal(p->ids[p->position], p->target);
  assert_int_equal(p->vocabulary, n->model->vocabulary);
  memcpy(n->ids, p->ids, p->id_count * sizeof *p->ids);
  if (p->source_count) memcpy(n->source, p->source, p->source_count * sizeof *p->source);
  n->id_count = p->id_count;
  n->source_count = p->source_count;
  memcpy(n->logits + p->position * p->vocabulary, p->logits, p->vocabulary * sizeof *p->logits);
  n->seen++;
  return (double)p->target;
}

static void check_logits(const noted *n, const float *logits, size_t first, size_t last, const char *what) {
  for (size_t p = first; p < last; p++)
    for (size_t v = 0; v < n->model->vocabulary; v++) {
      float ours = logits[(p - first) * n->model->vocabulary + v],
            theirs = n->logits[(p + 1) * n->model->vocabulary + v];
      if (!(fabsf(ours - theirs) <= 1e-4f * (1 + fabsf(theirs))))
        fail_msg("%s: logit %zu after %zu is %g, not %g", what, v, p, (double)ours, (double)theirs);
    }
}

/* The logits that an attribution reads are those of a forward over its ids, and of one over their embeddings. */
static void forwards_are_those_of_attributions(void **state) {
  (void)state;
  static const struct {
    const char *name, *request;
  } cases[] = {
      {"stories260K",
       "{\"input_texts\": \"Once upon\", \"generation_kwargs\": {\"max_new_tokens\": 5}, \"step_scores\": [\"note\"]}"},
      {"zh-en-mini", "{\"input_texts\": \"我很开心。\", \"step_scores\": [\"note\"]}"}};
  for (int c = 0; c < 2; c++) {
    opened m = open_model(cases[c].name);
    noted n = {.model = &m, .logits = calloc(64 * m.vocabulary, sizeof(float))};
    const cinseq_score score = {"note", note, NULL, &n, 0};
    cinseq_error err = {0};
    cinseq_result *result;
    size_t start, end;
    if (cinseq_attribute_with(m.handle, cases[c].request, &score, 1, NULL, &result, &err))
      fail_msg("%s: %s", err.where, err.message);
    cinseq_sequence_range(cinseq_result_sequence(result, 0), &start, &end);
    assert_int_equal(n.seen, end - start);
    assert_int_equal(n.id_count, end);
    cinseq_result_close(result);

    cinseq_input source = {.ids = n.source, .count = n.source_count}, target = {.ids = n.ids, .count = end - 1};
    cinseq_input *given = n.source_count ? &source : NULL;
    float *logits = malloc((end - start) * m.vocabulary * sizeof *logits);
    if (cinseq_logits(m.handle, given, &target, start - 1, "{\"threads\": 1}", NULL, logits, &err))
      fail_msg("%s: %s", err.where, err.message);
    check_logits(&n, logits, start - 1, end - 1, "ids");

    size_t widths[2] = {cinseq_embedding_width(m.handle, CINSEQ_SOURCE),
                        cinseq_embedding_width(m.handle, CINSEQ_TARGET)};
    assert_int_equal(widths[0] != 0, n.source_count != 0);
    float *values[2] = {calloc(64 * widths[0] + 1, sizeof(float)), calloc(64 * widths[1], sizeof(float))};
    if (given)
      assert_int_equal(cinseq_embed(m.handle, CINSEQ_SOURCE, n.source, n.source_count, values[0], &err), CINSEQ_OK);
    assert_int_equal(cinseq_embed(m.handle, CINSEQ_TARGET, n.ids, end - 1, values[1], &err), CINSEQ_OK);
    source = (cinseq_input){.embeddings = values[0], .count = n.source_count};
    target = (cinseq_input){.embeddings = values[1], .count = end - 1};
    assert_int_equal(cinseq_logits(m.handle, given, &target, start - 1, NULL, NULL, logits, &err), CINSEQ_OK);
    check_logits(&n, logits, start - 1, end - 1, "embeddings");
    values[1][0] += 1; /* and they are read */
    assert_int_equal(cinseq_logits(m.handle, given, &target, end - 2, NULL, NULL, logits, &err), CINSEQ_OK);
    double moved = 0;
    for (size_t v = 0; v < m.vocabulary; v++)
      moved = fmax(moved, fabs((double)(logits[v] - n.logits[(end - 1) * m.vocabulary + v])));
    assert_true(moved > 1e-6);
    for (int i = 0; i < 2; i++) free(values[i]);
    free(logits);
    free(n.logits);
    cinseq_model_close(m.handle);
  }
}

static void wrong_forwards_are_refused(void **state) {
  (void)state;
  opened m = open_model("stories260K");
  const int32_t good[] = {1, 2}, bad[] = {1, 1 << 20};
  const cinseq_input ids = {.ids = good, .count = 2}, none = {0}, empty = {.count = 2},
                     unknown = {.ids = bad, .count = 2}, long_text = {.ids = good, .count = (size_t)1 << 40};
  const struct {
    const cinseq_input *source, *target;
    size_t first;
    const char *options, *where, *message;
  } cases[] = {
      {&ids, &ids, 0, NULL, "source", "no encoder"},
      {NULL, &none, 0, NULL, "target", "no tokens"},
      {NULL, &empty, 0, NULL, "target", "neither ids"},
      {NULL, &unknown, 0, NULL, "target", "1048576"},
      {NULL, &long_text, 0, NULL, "target", "positions"},
      {NULL, &ids, 2, NULL, "first", "past"},
      {NULL, &ids, 0, "{\"thread\": 1}", "options", "threads"},
  };
  float *logits = malloc(2 * m.vocabulary * sizeof *logits);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cinseq_error err = {0};
    assert_int_equal(
        cinseq_logits(m.handle, cases[i].source, cases[i].target, cases[i].first, cases[i].options, NULL, logits, &err),
        CINSEQ_EINVAL);
    if (strcmp(err.where, cases[i].where) != 0 || !strstr(err.message, cases[i].message))
      fail_msg("%zu: %s: %s", i, err.where, err.message);
  }
  assert_int_equal(cinseq_embed(m.handle, CINSEQ_TARGET, bad, 2, logits, NULL), CINSEQ_EINVAL);
  assert_int_equal(cinseq_embed(m.handle, CINSEQ_SOURCE, good, 2, logits, NULL), CINSEQ_EINVAL);
  free(logits);
  cinseq_model_close(m.handle);
}

static int stop(void *context, const char *stage, size_t done, size_t total) {
  (void)done, (void)total;
  *(int *)context += strcmp(stage, "forward") == 0;
  return 1;
}

static void a_forward_can_be_ended(void **state) {
  (void)state;
  opened m = open_model("stories260K");
  int calls = 0;
  const cinseq_hooks hooks = {.progress = stop, .context = &calls};
  const int32_t ids[] = {1, 2};
  const cinseq_input target = {.ids = ids, .count = 2};
  float *logits = malloc(2 * m.vocabulary * sizeof *logits);
  assert_int_equal(cinseq_logits(m.handle, NULL, &target, 0, NULL, &hooks, logits, NULL), CINSEQ_ECANCEL);
  assert_int_equal(calls, 1);
  free(logits);
  cinseq_model_close(m.handle);
}

/* By formula, and slopes by central differences. */
static void scores_of_given_logits(void **state) {
  (void)state;
  float z[] = {0.5f, -1, 2, 0.25f}, slope[4];
  double sum = 0, value, up, down;
  for (int i = 0; i < 4; i++) sum += exp((double)z[i]);
  const cinseq_prediction p = {.logits = z, .vocabulary = 4, .target = 2, .contrast_logits = z, .contrast_target = 0};
  assert_int_equal(cinseq_score_value("probability", NULL, &p, &value, NULL, NULL), CINSEQ_OK);
  assert_true(fabs(value - exp(2) / sum) < 1e-6);
  assert_int_equal(cinseq_score_value("probability", "{\"logprob\": true}", &p, &value, NULL, NULL), CINSEQ_OK);
  assert_true(fabs(value - (2 - log(sum))) < 1e-6);
  assert_int_equal(cinseq_score_value("contrast_logits_diff", NULL, &p, &value, NULL, NULL), CINSEQ_OK);
  assert_true(fabs(value - 1.5) < 1e-6);
  static const char *const differentiable[] = {"logit", "probability", "entropy", "crossentropy", "perplexity"};
  for (size_t s = 0; s < sizeof differentiable / sizeof *differentiable; s++) {
    assert_int_equal(cinseq_score_value(differentiable[s], NULL, &p, &value, slope, NULL), CINSEQ_OK);
    for (int i = 0; i < 4; i++) {
      float kept = z[i];
      z[i] = kept + 0.01f;
      cinseq_score_value(differentiable[s], NULL, &p, &up, NULL, NULL);
      z[i] = kept - 0.01f;
      cinseq_score_value(differentiable[s], NULL, &p, &down, NULL, NULL);
      z[i] = kept;
      assert_true(fabs((up - down) / 0.02 - (double)slope[i]) < 1e-3);
    }
  }
}

static void wrong_scores_are_refused(void **state) {
  (void)state;
  const float z[] = {0, 1};
  const cinseq_prediction p = {.logits = z, .vocabulary = 2, .target = 1}, none = {.vocabulary = 2},
                          past = {.logits = z, .vocabulary = 2, .target = 2};
  const struct {
    const char *id, *options;
    const cinseq_prediction *prediction;
    bool slope;
    const char *where, *message;
  } cases[] = {
      {"probabilty", NULL, &p, false, "id", "probability"},
      {"mc_dropout_prob_avg", NULL, &p, false, "id", "several passes"},
      {"logit", NULL, &none, false, "prediction", "no logits"},
      {"logit", NULL, &past, false, "prediction", "2"},
      {"contrast_prob", NULL, &p, false, "contrast", "no logits"},
      {"probability", "{\"log\": 1}", &p, false, "options", ""},
      {"probability", "{", &p, false, "options", ""},
      {"top_p_size", "{\"top_p\": 0.5}", &p, true, "id", "gradient"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cinseq_error err = {0};
    double value;
    float slope[2];
    assert_int_equal(cinseq_score_value(cases[i].id, cases[i].options, cases[i].prediction, &value,
                                        cases[i].slope ? slope : NULL, &err),
                     CINSEQ_EINVAL);
    assert_int_equal(err.code, CINSEQ_EINVAL);
    if (strcmp(err.where, cases[i].where) != 0 || !strstr(err.message, cases[i].message))
      fail_msg("%zu: %s: %s", i, err.where, err.message);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(forwards_are_those_of_attributions),
      cmocka_unit_test(wrong_forwards_are_refused),
      cmocka_unit_test(a_forward_can_be_ended),
      cmocka_unit_test(scores_of_given_logits),
      cmocka_unit_test(wrong_scores_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
