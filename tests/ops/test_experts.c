/* A mixture of experts against its formula in double: many rows, branches that route themselves, types and layouts of
 * weights, one and several threads with the same bits; which experts are chosen; what is counted. Gradients are in
 * test_op.c. */
#include "ops/routing.h"
#include "engine/run.h"
#include "support/leaf.h"
#include "support/tiny_graph.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const char *type;
  bool by_input, biased;
  size_t width, inner, experts, slots, rows;
} shape;

static const shape shapes[] = {
    {"F32", false, true, 8, 5, 4, 2, 1},        {"F32", false, false, 40, 24, 6, 3, 7},
    {"F32", true, true, 40, 24, 6, 3, 7},       {"F16", false, true, 33, 19, 4, 2, 50},
    {"BF16", true, true, 33, 19, 4, 4, 50},     {"F32", false, true, 64, 130, 2, 1, 900},
    {"BF16", false, false, 64, 130, 3, 2, 700}, {"F16", true, false, 16, 700, 2, 2, 450},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

typedef struct {
  tiny_graph t;
  int x, logits, route, inner, sum;
  ci_expert_params up, down;
} mixture;

static ci_expert_params make_experts(tiny_graph *t, const shape *s, size_t outputs, size_t inputs) {
  ci_weight *w = ci_build_alloc(&t->b, s->experts, sizeof *w);
  assert_non_null(w);
  for (size_t e = 0; e < s->experts; e++) {
    size_t a = s->by_input ? inputs : outputs, b = s->by_input ? outputs : inputs;
    w[e] = strcmp(s->type, "F32") ? tiny_narrow_weight(t, s->type, a, b) : tiny_weight(t, a, b, 0.5f);
    w[e].by_input = s->by_input;
  }
  return (ci_expert_params){s->experts, w, s->biased ? tiny_vector(t, s->experts * outputs, 0, 1) : NULL};
}

static void build(mixture *m, const shape *s) {
  tiny_graph *t = &m->t;
  tiny_open(t);
  ci_build_section(&t->b, CI_DECODER, "block.", 0);
  m->x = tiny_tokens(t, "x", s->width);
  m->logits = tiny_linear(t, "router", m->x, s->experts);
  m->route = ci_add_route(&t->b, "route", m->logits,
                          &(ci_route_params){.experts = s->experts, .slots = s->slots, .norm = 1, .scale = 1});
  m->up = make_experts(t, s, s->inner, s->width);
  m->down = make_experts(t, s, s->width, s->inner);
  m->inner = ci_add_expert_linear(&t->b, "inner", m->x, m->route, &m->up);
  m->sum = ci_add_expert_sum(&t->b, "sum", m->inner, m->route, &m->down);
  tiny_finish(t, m->sum);
  const int kept[] = {m->x, m->logits, m->inner, m->sum};
  for (int i = 0; i < 4; i++) t->model.graph.nodes[kept[i]].keep = true; /* to look at */
}

static double element(const ci_weight *w, size_t output, size_t input) {
  size_t at = w->by_input ? input * w->ld + output : output * w->ld + input;
  if (strcmp(w->type->id, "F16") == 0) return half_value(((const uint16_t *)w->data)[at]);
  if (strcmp(w->type->id, "BF16") == 0) return bfloat_value(((const uint16_t *)w->data)[at]);
  return (double)((const float *)w->data)[at];
}

/* y[o] = W x + b */
static void through(const ci_expert_params *p, size_t expert, const double *x, double *y) {
  const ci_weight *w = &p->weights[expert];
  for (size_t o = 0; o < ci_weight_outputs(w); o++) {
    y[o] = p->bias ? (double)p->bias[expert * ci_weight_outputs(w) + o] : 0;
    for (size_t i = 0; i < ci_weight_inputs(w); i++) y[o] += element(w, o, i) * x[i];
  }
}

enum { MOST = 1024 };

/* The row's output from its logits and x, as the run has them. */
static void formula(const mixture *m, const shape *s, const float *logits, const float *row, double *y) {
  double x[MOST], inner[MOST], out[MOST], total = 0;
  bool taken[CI_MOST_EXPERTS] = {false};
  for (size_t i = 0; i < s->width; i++) x[i] = (double)row[i], y[i] = 0;
  for (size_t k = 0; k < s->slots; k++) {
    size_t best = s->experts;
    for (size_t e = 0; e < s->experts; e++)
      if (!taken[e] && (best == s->experts || logits[e] > logits[best])) best = e;
    taken[best] = true;
    total += exp((double)logits[best]);
  }
  for (size_t e = 0; e < s->experts; e++) {
    if (!taken[e]) continue;
    through(&m->up, e, x, inner);
    through(&m->down, e, inner, out);
    for (size_t i = 0; i < s->width; i++) y[i] += exp((double)logits[e]) / total * out[i];
  }
}

/* A branch of rows, and another that shares half of them; token by token or all at once. */
static ci_run *fill(mixture *m, const shape *s, ci_compute *compute, bool steps) {
  ci_run *run;
  ci_error err = {0};
  assert_int_equal(ci_run_open(&m->t.model.graph, compute, CI_KEEP_BOUNDARIES, &run, &err), CI_OK);
  assert_int_equal(ci_run_branch(run, CI_DECODER, -1, 0, -1), 0);
  for (size_t i = 0; i < s->rows + s->rows / 2; i++) {
    if (i == s->rows) assert_int_equal(ci_run_branch(run, CI_DECODER, 0, s->rows - s->rows / 2, -1), 1);
    int32_t id = (int32_t)((i * 7 + i / 5) % TINY_VOCABULARY);
    assert_int_equal(ci_run_append(run, CI_DECODER, i >= s->rows, &id, 1, &err), CI_OK);
    if (steps) assert_int_equal(ci_run_forward(run, &err), CI_OK);
  }
  assert_int_equal(ci_run_forward(run, &err), CI_OK);
  return run;
}

static void check_rows(const mixture *m, const shape *s, const ci_run *run, const char *what) {
  for (size_t r = 0; r < run->spaces[CI_DECODER].rows; r++) {
    double y[MOST], top = 0;
    formula(m, s, ci_run_row(run, m->logits, r), ci_run_row(run, m->x, r), y);
    const float *found = ci_run_row(run, m->sum, r);
    for (size_t i = 0; i < s->width; i++) top = fmax(top, fabs(y[i]));
    for (size_t i = 0; i < s->width; i++)
      if (!(fabs(y[i] - (double)found[i]) <= 2e-5 * top))
        fail_msg("%s, %s, row %zu, element %zu: %g, expected %g", what, s->type, r, i, (double)found[i], y[i]);
  }
}

static void rows_are_the_formula(void **state) {
  (void)state;
  for (size_t n = 0; n < SHAPES; n++)
    for (int way = 0; way < 2; way++) {
      const shape *s = &shapes[n];
      if (way && s->rows > 100) continue;
      mixture m;
      ci_compute compute;
      ci_error err = {0};
      assert_int_equal(ci_compute_open(&compute, 2, "auto", NULL, &err), CI_OK);
      build(&m, s);
      ci_run *run = fill(&m, s, &compute, way);
      check_rows(&m, s, run, way ? "token by token" : "at once");
      ci_run_close(run);
      tiny_close(&m.t);
      ci_compute_close(&compute);
    }
}

/* Bits of the output and of a gradient. */
static float *bits(const shape *s, int threads, size_t *count) {
  mixture m;
  ci_compute compute;
  ci_error err = {0};
  assert_int_equal(ci_compute_open(&compute, threads, "auto", NULL, &err), CI_OK);
  build(&m, s);
  ci_run *run = fill(&m, s, &compute, false);
  size_t rows = run->spaces[CI_DECODER].rows, row, n = rows * s->width, all = s->rows * s->width;
  float *out = calloc(n + all, sizeof *out), seeds[TINY_VOCABULARY];
  memcpy(out, ci_run_row(run, m.sum, 0), n * sizeof *out);
  for (size_t i = 0; i < TINY_VOCABULARY; i++) seeds[i] = 1 + (float)i;
  assert_int_equal(ci_run_want_logits(run, 0, s->rows - 1, &row, &err), CI_OK);
  assert_int_equal(ci_run_forward(run, &err), CI_OK);
  ci_adjoint_group group = {.predictor = s->rows - 1, .output_row = row};
  ci_adjoint adjoint;
  assert_int_equal(ci_adjoint_open(run, &group, 1, &adjoint, &err), CI_OK);
  ci_leaf leaf = leaf_into(m.x, out + n);
  assert_int_equal(ci_run_backward(run, &adjoint, seeds, &leaf, 1, &err), CI_OK);
  ci_adjoint_close(&adjoint);
  ci_run_close(run);
  tiny_close(&m.t);
  ci_compute_close(&compute);
  *count = n + all;
  return out;
}

static void threads_change_nothing(void **state) {
  (void)state;
  for (size_t n = 0; n < SHAPES; n++) {
    size_t count;
    float *one = bits(&shapes[n], 1, &count);
    for (int threads = 2; threads <= 3; threads++) {
      float *many = bits(&shapes[n], threads, &count);
      if (memcmp(one, many, count * sizeof *one)) fail_msg("shape %zu: %d threads differ from one", n, threads);
      free(many);
    }
    free(one);
  }
}

/* A matrix is read once for all its rows. */
static void work_is_counted(void **state) {
  (void)state;
  shape s = {"BF16", false, false, 16, 12, 3, 2, 20};
  mixture m;
  ci_compute compute;
  ci_error err = {0};
  assert_int_equal(ci_compute_open(&compute, 1, "auto", NULL, &err), CI_OK);
  build(&m, &s);
  ci_run *run = fill(&m, &s, &compute, false);
  assert_int_equal(compute.gemm_rows, 30 + 2 * 30 * 2); /* the router, and two products of two slots a row */
  assert_int_equal(compute.gemm_calls, 1 + 2 * 3);
  assert_true(compute.gemm_flop == 2.0 * 30 * 16 * 3 + 2 * 2.0 * 60 * 16 * 12);
  assert_true(compute.weight_bytes == 4.0 * 16 * 3 + 2 * 3 * 2.0 * 16 * 12);
  ci_run_close(run);
  tiny_close(&m.t);
  ci_compute_close(&compute);
}

typedef struct {
  const char *what;
  ci_route_params params;
  float logits[8];
  size_t experts[4];
  float weights[4];
} choice;

static const float bias[8] = {0, 0, 0, 2, 0, 0, 0, 0};
static const choice choices[] = {
    {"softmax over all", {.experts = 4, .slots = 2, .scale = 1}, {0, 1, 2, 3}, {3, 2}, {0.643914f, 0.236883f}},
    {"softmax over the chosen",
     {.experts = 4, .slots = 2, .norm = 1, .scale = 1},
     {0, 1, 2, 3},
     {3, 2},
     {0.731059f, 0.268941f}},
    {"2-norm, scaled", {.experts = 4, .slots = 2, .norm = 2, .scale = 3}, {0, 1, 2, 3}, {3, 2}, {2.815523f, 1.035773f}},
    {"lowest of equals",
     {.experts = 8, .slots = 3, .norm = 1, .scale = 1},
     {1, 2, 2, 1, 2, 2, 0, 2},
     {1, 2, 4},
     {1 / 3.0f, 1 / 3.0f, 1 / 3.0f}},
    {"all equal", {.experts = 8, .slots = 4, .norm = 1, .scale = 1}, {0}, {0, 1, 2, 3}, {0.25f, 0.25f, 0.25f, 0.25f}},
    {"so far apart that scores are 0",
     {.experts = 4, .slots = 2, .norm = 1, .scale = 1},
     {-900, 900, -300, -301},
     {1, 2},
     {1, 0}},
    {"sigmoid", {.experts = 4, .slots = 2, .sigmoid = true, .scale = 1}, {0, 1, -1, -2}, {1, 0}, {0.731059f, 0.5f}},
    {"a bias that only chooses",
     {.experts = 8, .slots = 2, .sigmoid = true, .scale = 1, .selection_bias = bias},
     {0, 1, 2, -1, 0, 0, 0, 0},
     {3, 2},
     {0.268941f, 0.880797f}},
    {"the best group",
     {.experts = 8, .slots = 2, .scale = 1, .groups = 4, .top_groups = 1},
     {0, 1, 0, 0, 2, 0, 1, 1},
     {4, 5},
     {0.378075f, 0.051166f}},
    {"the best two together",
     {.experts = 8, .slots = 2, .sigmoid = true, .scale = 1, .groups = 4, .top_groups = 1, .group_of_two = true},
     {0, 1, 0, 0, 2, -4, 1, 1.5f},
     {7, 6},
     {0.817574f, 0.731059f}},
    {"not numbers", {.experts = 4, .slots = 4, .scale = 1}, {NAN, NAN, NAN, NAN}, {0, 1, 2, 3}, {NAN, NAN, NAN, NAN}},
};

static void experts_are_chosen(void **state) {
  (void)state;
  for (size_t n = 0; n < sizeof choices / sizeof *choices; n++) {
    const choice *c = &choices[n];
    tiny_graph t;
    ci_compute compute;
    ci_run *run;
    ci_error err = {0};
    int32_t id = 0;
    assert_int_equal(ci_compute_open(&compute, 1, "auto", NULL, &err), CI_OK);
    tiny_open(&t);
    ci_build_section(&t.b, CI_DECODER, "block.", 0);
    int logits = ci_add_embedding(&t.b, "logits", ci_weight_table(c->logits, 1, c->params.experts));
    ci_build_input(&t.b, logits, logits);
    int route = ci_add_route(&t.b, "route", logits, &c->params);
    tiny_finish(&t, route);
    assert_int_equal(ci_run_open(&t.model.graph, &compute, CI_KEEP_BOUNDARIES, &run, &err), CI_OK);
    assert_int_equal(ci_run_branch(run, CI_DECODER, -1, 0, -1), 0);
    assert_int_equal(ci_run_append(run, CI_DECODER, 0, &id, 1, &err), CI_OK);
    assert_int_equal(ci_run_forward(run, &err), CI_OK);
    for (size_t s = 0; s < c->params.slots; s++) {
      size_t expert = ci_routing_expert(run, route, 0, s, c->params.experts);
      float weight = ci_run_row(run, route, 0)[s], expected = c->weights[s];
      if (expert != c->experts[s])
        fail_msg("%s: slot %zu goes to expert %zu, expected %zu", c->what, s, expert, c->experts[s]);
      if (isnan(expected) ? !isnan(weight) : !(fabsf(weight - expected) <= 2e-6f * fmaxf(1, expected)))
        fail_msg("%s: slot %zu weighs %.7g, expected %.7g", c->what, s, (double)weight, (double)expected);
    }
    const char *broken;
    assert_int_equal(ci_run_find_not_finite(run, &broken, &err), CI_OK);
    if (isnan(c->logits[0])) assert_string_equal(broken, "block.logits");
    ci_run_close(run);
    tiny_close(&t);
    ci_compute_close(&compute);
  }
}

/* What is wrong in a file is an error, never a crash. */
static void impossible_choices_are_refused(void **state) {
  (void)state;
  static const struct {
    ci_route_params params;
    const char *message;
  } cases[] = {
      {{.experts = 6, .slots = 7, .scale = 1}, "6 logits do not choose 7 of 6 experts"},
      {{.experts = 5, .slots = 2, .scale = 1}, "6 logits do not choose 2 of 5 experts"},
      {{.experts = 6, .slots = 2, .groups = 4, .top_groups = 1}, "6 experts do not make 4 groups"},
      {{.experts = 6, .slots = 2, .groups = 3, .top_groups = 4}, "6 experts do not make 3 groups of which 4"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    tiny_graph t;
    tiny_open(&t);
    ci_build_section(&t.b, CI_DECODER, "block.", 0);
    ci_add_route(&t.b, "route", tiny_tokens(&t, "x", 6), &cases[i].params);
    assert_int_equal(t.b.status, CI_EMODEL);
    if (!strstr(t.err.message, cases[i].message)) fail_msg("%s, expected %s", t.err.message, cases[i].message);
    tiny_close(&t);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_are_the_formula),
      cmocka_unit_test(threads_change_nothing),
      cmocka_unit_test(work_is_counted),
      cmocka_unit_test(experts_are_chosen),
      cmocka_unit_test(impossible_choices_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
