/* Dropout: masks with the rate asked for, the same whoever asks for which part; passes that no cut of the work changes,
 * and that at a rate of 0 are the text. */
#include "base/random.h"
#include "engine/dropout.h"
#include "engine/walk.h"
#include "support/golden_model.h"

static void masks_have_the_rate(void **state) {
  (void)state;
  enum { COLUMNS = 1000, ROWS = 40 };
  static const float rates[] = {0, 0.1f, 0.5f, 0.9f, 1};
  for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
    ci_node node = {.dropout = rates[i], .dropout_site = 7};
    ci_intervention v = {.kind = CI_DROPOUT, .seed = 3, .stream = 2};
    double dropped = 0, kept = 0;
    for (size_t row = 0; row < ROWS; row++) {
      float x[COLUMNS], part[COLUMNS];
      for (size_t c = 0; c < COLUMNS; c++) x[c] = part[c] = 2;
      ci_drop(&v, &node, row, 0, COLUMNS, x);
      ci_drop(&v, &node, row, 13, COLUMNS - 13 - 2, part + 13);
      assert_memory_equal(x + 13, part + 13, (COLUMNS - 15) * sizeof *x);
      for (size_t c = 0; c < COLUMNS; c++) {
        dropped += x[c] == 0;
        if (x[c] != 0) assert_float_equal(x[c], 2 / (1 - rates[i]), 1e-5);
        kept += (double)x[c];
      }
    }
    double n = ROWS * COLUMNS, p = (double)rates[i];
    assert_true(fabs(dropped / n - p) <= 5 * sqrt(p * (1 - p) / n));
    if (p < 1) assert_true(fabs(kept / n - 2) <= 2 * 5 * sqrt(p / (1 - p) / n) + 1e-6);
  }
}

/* Masks of other sites, passes, rows and seeds agree as often as chance has it. */
static void masks_are_independent(void **state) {
  (void)state;
  enum { COLUMNS = 4000 };
  float first[COLUMNS], x[COLUMNS];
  for (int change = 0; change < 5; change++) {
    ci_node node = {.dropout = 0.5f, .dropout_site = 7 + (change == 1)};
    ci_intervention v = {.kind = CI_DROPOUT, .seed = 3 + (change == 2), .stream = 2 + (change == 3)};
    for (size_t c = 0; c < COLUMNS; c++) x[c] = 1;
    ci_drop(&v, &node, 5 + (change == 4), 0, COLUMNS, x);
    if (!change) memcpy(first, x, sizeof x);
    double same = 0;
    for (size_t c = 0; c < COLUMNS; c++) same += x[c] == first[c];
    assert_true(change ? fabs(same / COLUMNS - 0.5) < 5 * sqrt(0.25 / COLUMNS) : same == COLUMNS);
  }
}

static size_t move(void *context, size_t point, ci_intervention *moves) {
  const ci_subject *s = context;
  size_t count = 0;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++)
    if (s->graph->input_node[space] >= 0)
      moves[count++] = (ci_intervention){.kind = CI_DROPOUT,
                                         .node = s->graph->input_node[space],
                                         .count = ci_subject_rows(s, space),
                                         .seed = 11,
                                         .stream = point};
  return count;
}

enum { PASSES = 6 };

static size_t pass(const ci_model *model, int threads, size_t budget, double *out) {
  ci_compute compute;
  ci_error err = {0};
  golden_subject g;
  assert_int_equal(ci_compute_open(&compute, threads, "auto", NULL, &err), CI_OK);
  golden_subject_open(&g, model, &compute);
  g.subject.budget = budget;
  ci_walk walk = {.points = PASSES, .move = move, .context = &g.subject};
  if (ci_subject_values(&g.subject, &walk, &g.objective, out, &err)) fail_msg("%s: %s", err.where, err.message);
  golden_subject_close(&g);
  ci_compute_close(&compute);
  return g.subject.target_count;
}

/* Every site that a model can have, and sections that go on from another. */
static void drop_all(ci_graph *graph) {
  for (int i = 0, first = 0; i < graph->count; i++) {
    ci_node *node = &graph->nodes[i];
    node->dropout = strstr(node->name, "query") ? 0 : 0.2f;
    node->dropout_site = i;
    node->slot = node->last_reader = 0;
    if (graph->nodes[first].section != node->section) first = i;
    bool goes_on = graph->nodes[first].input_count && node->space != CI_OUTPUT;
    if (!goes_on || graph->nodes[i + 1].section == node->section) continue;
    node->layer_dropout = 0.3f;
    node->layer_input = graph->nodes[first].inputs[0];
  }
  ci_graph_finish(graph);
}

static void cuts_change_nothing(void **state) {
  ci_model model;
  golden_open(&model, *state);
  drop_all(&model.graph);
  double whole[PASSES * GOLDEN_ROWS], other[PASSES * GOLDEN_ROWS];
  size_t targets = pass(&model, 1, (size_t)1 << 30, whole), differ = 0;
  static const size_t budgets[] = {1, 1 << 16, (size_t)1 << 30};
  for (int threads = 1; threads <= 2; threads++)
    for (size_t b = 0; b < 3; b++) {
      pass(&model, threads, budgets[b], other);
      for (size_t i = 0; i < PASSES * targets; i++)
        assert_true(fabs(whole[i] - other[i]) <= 1e-5 * fabs(whole[i]) + 1e-9);
    }
  for (size_t i = 1; i < PASSES; i++) differ += whole[i * targets] != whole[0];
  assert_true(differ >= PASSES - 2);
  golden_close(&model);
}

/* The last block of the decoder. */
typedef struct {
  const ci_subject *subject;
  int end, input;
  const float *values;
} last_block;

static last_block find_last_block(const ci_subject *s) {
  last_block l = {.subject = s};
  for (int i = 0, first = 0; i < s->graph->count; i++) {
    if (s->graph->nodes[first].section != s->graph->nodes[i].section) first = i;
    if (s->graph->nodes[i].space == CI_DECODER) l.end = i, l.input = s->graph->nodes[first].inputs[0];
  }
  return l;
}

static size_t move_end(void *context, size_t point, ci_intervention *moves) {
  const last_block *l = context;
  (void)point;
  moves[0] = (ci_intervention){
      .kind = CI_SET, .node = l->end, .count = ci_subject_rows(l->subject, CI_DECODER), .values = l->values};
  return 1;
}

static void leave_out(ci_graph *graph, const last_block *l) {
  for (int i = 0; i < graph->count; i++) {
    ci_node *node = &graph->nodes[i];
    node->dropout = 0;
    node->slot = node->last_reader = 0;
    node->layer_dropout = i == l->end;
    node->layer_input = l->input;
  }
  ci_graph_finish(graph);
}

/* As if what it reads were put where it ends. */
static void a_block_left_out_is_what_it_reads(void **state) {
  ci_model model;
  ci_compute compute;
  ci_error err = {0};
  golden_subject g;
  float *values = NULL;
  double expected[GOLDEN_ROWS], text[GOLDEN_ROWS], left_out[GOLDEN_ROWS];
  golden_open(&model, *state);
  assert_int_equal(ci_compute_open(&compute, 1, "auto", NULL, &err), CI_OK);
  golden_subject_open(&g, &model, &compute);
  last_block l = find_last_block(&g.subject);
  ci_walk set = {.points = 1, .move = move_end, .context = &l},
          dropped = {.points = 1, .move = move, .context = &g.subject};
  if (ci_subject_forward(&g.subject, CI_KEEP_BOUNDARIES, &err) || ci_subject_node(&g.subject, l.input, &values, &err))
    fail_msg("%s: %s", err.where, err.message);
  l.values = values;
  for (size_t t = 0; t < g.subject.target_count; t++)
    text[t] = golden_value(&g.context, ci_run_logits(g.subject.run, g.output_rows[t]), t, NULL);
  if (ci_subject_values(&g.subject, &set, &g.objective, expected, &err)) fail_msg("%s: %s", err.where, err.message);
  golden_subject_close(&g);
  leave_out(&model.graph, &l);
  golden_subject_open(&g, &model, &compute);
  if (ci_subject_values(&g.subject, &dropped, &g.objective, left_out, &err)) fail_msg("%s: %s", err.where, err.message);
  for (size_t t = 0; t < g.subject.target_count; t++) {
    assert_true(fabs(left_out[t] - expected[t]) <= 1e-6 * fabs(expected[t]));
    assert_true(fabs(left_out[t] - text[t]) > 1e-4);
  }
  golden_subject_close(&g);
  ci_free(values);
  ci_compute_close(&compute);
  golden_close(&model);
}

int main(void) {
  golden_list list = {0};
  list.tests[list.count++] = (struct CMUnitTest)cmocka_unit_test(masks_have_the_rate);
  list.tests[list.count++] = (struct CMUnitTest)cmocka_unit_test(masks_are_independent);
  static const char *const models[] = {"models/gpt2", "models/llama", "models/marian"};
  for (size_t i = 0; i < 3; i++)
    golden_add_one(&list, "cuts change nothing", cuts_change_nothing, models[i], models[i]);
  for (size_t i = 0; i < 3; i++)
    golden_add_one(&list, "a block left out", a_block_left_out_is_what_it_reads, models[i], models[i]);
  return _cmocka_run_group_tests("dropout", list.tests, list.count, NULL, NULL);
}
