/* A text and its perturbations: each as a fresh run has it, however many go through the model together; one forward for
 * the text; a clean stop when it is cancelled. */
#include "support/golden_model.h"
#include "support/random.h"

static ci_compute compute;

static int set_up(void **state) {
  (void)state;
  ci_error err = {0};
  return ci_compute_open(&compute, 2, "auto", NULL, &err);
}

static int tear_down(void **state) {
  (void)state;
  ci_compute_close(&compute);
  return 0;
}

static size_t width_of(const ci_model *model, ci_space_id space) {
  return model->graph.nodes[model->graph.input_node[space]].width;
}

/* The objective with one position of a space zeroed, in a run of its own without shared prefixes. */
static void fresh(const ci_model *model, ci_space_id space, size_t first, size_t count, const float *values,
                  double *out) {
  golden_subject g;
  golden_subject_open(&g, model, &compute);
  ci_run *run;
  ci_error err = {0};
  assert_int_equal(ci_run_open(&model->graph, &compute, CI_KEEP_ALL, &run, &err), CI_OK);
  int source = -1;
  if (g.subject.source_count) {
    source = ci_run_branch(run, CI_ENCODER, -1, 0, -1);
    assert_int_equal(ci_run_append(run, CI_ENCODER, source, golden_source, GOLDEN_SOURCE, &err), CI_OK);
  }
  int branch = ci_run_branch(run, CI_DECODER, -1, 0, source);
  assert_int_equal(ci_run_append(run, CI_DECODER, branch, golden_text, GOLDEN_ROWS, &err), CI_OK);
  ci_intervention v = {.kind = CI_SET,
                       .node = model->graph.input_node[space],
                       .branch = space == CI_ENCODER ? source : branch,
                       .first = first,
                       .count = count,
                       .values = values};
  assert_int_equal(ci_run_intervene(run, &v, &err), CI_OK);
  for (size_t t = 0; t < g.subject.target_count; t++)
    assert_int_equal(ci_run_want_logits(run, branch, g.subject.first_target + t - 1, &g.output_rows[t], &err), CI_OK);
  assert_int_equal(ci_run_forward(run, &err), CI_OK);
  for (size_t t = 0; t < g.subject.target_count; t++)
    out[t] = golden_value(&g.context, ci_run_logits(run, g.output_rows[t]), t, NULL);
  ci_run_close(run);
}

static void perturbations_are_fresh_runs(void **state) {
  ci_model model;
  golden_open(&model, *state);
  static const size_t budgets[] = {(size_t)1 << 30, 1};
  static const ci_keep plans[] = {CI_KEEP_KEYS, CI_KEEP_ALL};
  size_t width = width_of(&model, CI_DECODER);
  float *values = ci_alloc(2 * width, sizeof *values);
  uint64_t random = 6;
  random_floats(&random, values, 2 * width, 1);
  for (int cut = 0; cut < 2; cut++) {
    golden_subject g;
    golden_subject_open(&g, &model, &compute);
    g.subject.budget = budgets[cut];
    ci_error err = {0};
    assert_int_equal(ci_subject_forward(&g.subject, plans[cut], &err), CI_OK);
    ci_perturbation p[2 * GOLDEN_ROWS];
    size_t count = 0, targets = g.subject.target_count;
    for (size_t i = 0; i < g.subject.source_count; i++) p[count++] = (ci_perturbation){CI_ENCODER, i, 1, values};
    for (size_t i = 0; i < GOLDEN_ROWS; i++)
      p[count++] = (ci_perturbation){CI_DECODER, i, i + 1 < GOLDEN_ROWS ? 2 : 1, values};
    double out[2 * GOLDEN_ROWS * GOLDEN_ROWS], expected[GOLDEN_ROWS];
    ci_run_mark before = ci_run_get_mark(g.subject.run), after;
    assert_int_equal(ci_subject_perturb(&g.subject, p, count, &g.objective, out, &err), CI_OK);
    after = ci_run_get_mark(g.subject.run);
    assert_memory_equal(&before, &after, sizeof before); /* nothing is left behind */
    for (size_t i = 0; i < count; i++) {
      fresh(&model, p[i].space, p[i].first, p[i].count, values, expected);
      for (size_t t = 0; t < targets; t++) {
        double x = out[i * targets + t];
        if (p[i].space == CI_DECODER && g.subject.first_target + t - 1 < p[i].first) {
          assert_true(isnan(x));
          continue;
        }
        if (!(fabs(x - expected[t]) <= 1e-5 * fmax(1, fabs(expected[t]))))
          fail_msg("perturbation %zu, target %zu: %g, expected %g", i, t, x, expected[t]);
      }
    }
    golden_subject_close(&g);
  }
  ci_free(values);
  golden_close(&model);
}

/* Rows replaced here and there, on one side or both, for all targets or one: as a fresh run has it. */
static void variants_are_fresh_runs(void **state) {
  enum { MOST = 15 };
  ci_model model;
  golden_open(&model, *state);
  const ci_graph *graph = &model.graph;
  static const unsigned char chosen[5][GOLDEN_ROWS] = {{1, 0, 1, 1, 0, 0, 1}, {1, 0, 1, 1, 0, 1}, {1, 0, 1, 1, 0, 1, 0, 1}, {0, 0, 0, 1, 0, 1, 0, 1}, {0}};
  golden_subject g;
  golden_subject_open(&g, &model, &compute);
  bool pair = g.subject.source_count > 0;
  size_t targets = g.subject.target_count, width = width_of(&model, CI_DECODER);
  float *values = ci_alloc(GOLDEN_ROWS * width, sizeof *values);
  uint64_t random = 9;
  random_floats(&random, values, GOLDEN_ROWS * width, 1);
  for (int cut = 0; cut < 2; cut++) {
    ci_variant v[MOST];
    size_t count = 0;
    for (size_t b = pair ? 0 : 2; b < 3; b++)
      for (size_t a = 0; a < 5; a++)
        v[count++] = (ci_variant){.chosen = {b < 2 ? chosen[b] : NULL, chosen[a]}, .values = {values, values}, .first_target = a == 1 ? 2 : 0,
                                  .target_count = a == 1 ? 2 : targets};
    double out[MOST * GOLDEN_ROWS];
    ci_error err = {0};
    g.subject.budget = cut ? 1 : (size_t)1 << 30;
    assert_int_equal(ci_subject_vary(&g.subject, v, count, &g.objective, out, &err), CI_OK);
    for (size_t i = 0; i < count; i++) {
      ci_run *run;
      assert_int_equal(ci_run_open(graph, &compute, CI_KEEP_KEYS, &run, &err), CI_OK);
      int source = pair ? ci_run_branch(run, CI_ENCODER, -1, 0, -1) : -1;
      if (pair) assert_int_equal(ci_run_append(run, CI_ENCODER, source, golden_source, GOLDEN_SOURCE, &err), CI_OK);
      int branch = ci_run_branch(run, CI_DECODER, -1, 0, source);
      assert_int_equal(ci_run_append(run, CI_DECODER, branch, golden_text, GOLDEN_ROWS, &err), CI_OK);
      size_t first_change = GOLDEN_ROWS, rows[GOLDEN_ROWS];
      for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++)
        for (size_t p = 0; v[i].chosen[space] && p < ci_subject_rows(&g.subject, space); p++) {
          ci_intervention set = {.kind = CI_SET, .node = graph->input_node[space], .branch = space == CI_ENCODER ? source : branch, .first = p,
                                 .count = 1, .values = values + p * width};
          if (!v[i].chosen[space][p]) continue;
          assert_int_equal(ci_run_intervene(run, &set, &err), CI_OK);
          if (space == CI_ENCODER) first_change = 0;
          else if (p < first_change) first_change = p;
        }
      for (size_t t = 0; t < targets; t++)
        assert_int_equal(ci_run_want_logits(run, branch, g.subject.first_target + t - 1, &rows[t], &err), CI_OK);
      assert_int_equal(ci_run_forward(run, &err), CI_OK);
      for (size_t t = 0; t < targets; t++) {
        double x = out[i * targets + t], expected = golden_value(&g.context, ci_run_logits(run, rows[t]), t, NULL);
        bool asked = t >= v[i].first_target && t < v[i].first_target + v[i].target_count;
        if (!asked || g.subject.first_target + t - 1 < first_change) assert_true(isnan(x));
        else if (!(fabs(x - expected) <= 1e-5 * fmax(1, fabs(expected)))) fail_msg("variant %zu, target %zu: %g, expected %g", i, t, x, expected);
      }
      ci_run_close(run);
    }
  }
  ci_free(values);
  golden_subject_close(&g);
  golden_close(&model);
}

static int stop_at(void *context, size_t done, size_t total) {
  size_t *calls = context;
  assert_true(done <= total);
  return ++*calls == 2;
}

/* The progress callback's 1 stops the call with CI_ECANCEL; nothing leaks (the sanitizer's run looks). */
static void progress_cancels(void **state) {
  ci_model model;
  golden_open(&model, *state);
  ci_error err = {0};
  size_t calls = 0;
  ci_compute own;
  assert_int_equal(ci_compute_open(&own, 2, "auto", NULL, &err), CI_OK);
  golden_subject g;
  golden_subject_open(&g, &model, &own);
  g.subject.progress = stop_at;
  g.subject.progress_context = &calls;
  g.subject.budget = 1; /* one perturbation at a time */
  float *zeros = ci_alloc_zeroed(width_of(&model, CI_DECODER), sizeof *zeros);
  ci_perturbation p[3] = {{CI_DECODER, 0, 1, zeros}, {CI_DECODER, 1, 1, zeros}, {CI_DECODER, 2, 1, zeros}};
  double values[3 * GOLDEN_ROWS];
  assert_int_equal(ci_subject_perturb(&g.subject, p, 3, &g.objective, values, &err), CI_ECANCEL);
  assert_int_equal(err.code, CI_ECANCEL);
  assert_int_equal(calls, 2);
  ci_free(zeros);
  golden_subject_close(&g);
  ci_compute_close(&own);
  golden_close(&model);
}

/* One forward over the text, however often it is asked; a backward never computes the text again where all is kept. */
static void the_text_is_computed_once(void **state) {
  ci_model model;
  golden_open(&model, *state);
  golden_subject g;
  golden_subject_open(&g, &model, &compute);
  ci_error err = {0};
  assert_int_equal(ci_subject_forward(&g.subject, CI_KEEP_ALL, &err), CI_OK);
  size_t rows = compute.gemm_rows;
  const ci_run *run = g.subject.run;
  assert_int_equal(ci_subject_forward(&g.subject, CI_KEEP_ALL, &err), CI_OK);
  assert_ptr_equal(run, g.subject.run);
  assert_int_equal(compute.gemm_rows, rows);
  golden_subject_close(&g);
  golden_close(&model);
}

int main(void) {
  static golden_list list;
  golden_add(&list, "perturbations_are_fresh_runs", perturbations_are_fresh_runs);
  golden_add(&list, "variants are fresh runs", variants_are_fresh_runs);
  golden_add(&list, "progress_cancels", progress_cancels);
  golden_add(&list, "the_text_is_computed_once", the_text_is_computed_once);
  return golden_run(&list, set_up, tear_down);
}
