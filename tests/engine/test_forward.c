/* Forward: rows one by one or all at once, branches and interventions, each against a plain run of the same rows. */
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

static ci_run *open_run(const ci_model *model, ci_keep keep) {
  ci_run *run;
  ci_error err = {0};
  assert_int_equal(ci_run_open(&model->graph, &compute, keep, &run, &err), CI_OK);
  return run;
}

/* The text's source in a new encoder branch (-1 for decoder-only models) and a decoder branch without tokens. */
static int open_branch(ci_run *run) {
  int source = -1;
  ci_error err = {0};
  if (run->graph->encoder_decoder) {
    source = ci_run_branch(run, CI_ENCODER, -1, 0, -1);
    assert_int_equal(ci_run_append(run, CI_ENCODER, source, golden_source, GOLDEN_SOURCE, &err), CI_OK);
  }
  return ci_run_branch(run, CI_DECODER, -1, 0, source);
}

static void append(ci_run *run, int branch, const int32_t *ids, size_t count) {
  ci_error err = {0};
  assert_int_equal(ci_run_append(run, CI_DECODER, branch, ids, count, &err), CI_OK);
}

static void forward(ci_run *run) {
  ci_error err = {0};
  if (ci_run_forward(run, &err)) fail_msg("%s: %s", err.where, err.message);
}

/* Sums round by the size of their terms, not of what is left: a number near 0 among large ones (T5's logits are up to
 * 26) has their error. */
static void close_to(const char *what, const float *a, const float *b, size_t n) {
  float largest = 0;
  for (size_t i = 0; i < n; i++) largest = fmaxf(largest, fabsf(b[i]));
  for (size_t i = 0; i < n; i++)
    if (!(fabsf(a[i] - b[i]) <= 1e-5f * (1 + fabsf(b[i])) + 1e-6f * largest))
      fail_msg("%s, column %zu: %g, expected %g", what, i, (double)a[i], (double)b[i]);
}

/* All kept values of decoder positions [0, n) of a branch are those of another run's. */
static void same_rows(const ci_run *a, int branch_a, const ci_run *b, int branch_b, size_t n) {
  for (int node = 0; node < a->graph->count; node++) {
    if (a->graph->nodes[node].space != CI_DECODER || !a->keeps[node] || !b->keeps[node]) continue;
    for (size_t p = 0; p < n; p++)
      close_to(
          a->graph->nodes[node].name, ci_run_row(a, node, (size_t)a->spaces[CI_DECODER].branches[branch_a].rows[p]),
          ci_run_row(b, node, (size_t)b->spaces[CI_DECODER].branches[branch_b].rows[p]), a->graph->nodes[node].width);
  }
}

static void token_by_token(void **state) {
  static const ci_keep plans[] = {CI_KEEP_KEYS, CI_KEEP_BOUNDARIES, CI_KEEP_ALL};
  ci_model model;
  golden_open(&model, *state);
  ci_error err = {0};
  ci_run *whole = open_run(&model, CI_KEEP_ALL);
  size_t expected[GOLDEN_ROWS], row;
  int branch = open_branch(whole);
  append(whole, branch, golden_text, GOLDEN_ROWS);
  for (size_t p = 0; p < GOLDEN_ROWS; p++)
    assert_int_equal(ci_run_want_logits(whole, branch, p, &expected[p], &err), CI_OK);
  forward(whole);
  for (int plan = 0; plan < 3; plan++)
    for (int drop = 0; drop < 2; drop++) {
      ci_run *run = open_run(&model, plans[plan]);
      int own = open_branch(run);
      for (size_t p = 0; p < GOLDEN_ROWS; p += p == 0 ? 3 : 1) { /* a prompt of three, then one by one */
        append(run, own, golden_text + p, p == 0 ? 3 : 1);
        size_t last = p == 0 ? 2 : p;
        assert_int_equal(ci_run_want_logits(run, own, last, &row, &err), CI_OK);
        forward(run);
        close_to("logits", ci_run_logits(run, row), ci_run_logits(whole, expected[last]), model.vocabulary);
        if (drop) ci_run_drop_outputs(run);
      }
      same_rows(run, own, whole, branch, GOLDEN_ROWS);
      assert_int_equal(run->spaces[CI_OUTPUT].rows, drop ? 0 : GOLDEN_ROWS - 2);
      ci_run_close(run);
    }
  ci_run_close(whole);
  golden_close(&model);
}

/* Branches with other tokens from some position on, of a branch that has a parent itself; appended to by turns. */
static void branches_share_prefixes(void **state) {
  ci_model model;
  golden_open(&model, *state);
  ci_run *run = open_run(&model, CI_KEEP_BOUNDARIES);
  int root = open_branch(run), source = run->spaces[CI_DECODER].branches[root].source_branch;
  const int32_t other[] = {70, 71, 72, 73, 74};
  append(run, root, golden_text, 4);
  forward(run);
  int child = ci_run_branch(run, CI_DECODER, root, 2, source);
  append(run, child, other, 2);
  append(run, root, golden_text + 4, 2);
  forward(run);
  int grandchild = ci_run_branch(run, CI_DECODER, child, 3, source);
  append(run, grandchild, other + 2, 2);
  append(run, child, other + 4, 1);
  append(run, root, golden_text + 6, 1);
  forward(run);
  const struct {
    int branch;
    size_t count;
    int32_t ids[8];
  } expected[] = {{root,
                   7,
                   {golden_text[0], golden_text[1], golden_text[2], golden_text[3], golden_text[4], golden_text[5],
                    golden_text[6]}},
                  {child, 5, {golden_text[0], golden_text[1], 70, 71, 74}},
                  {grandchild, 5, {golden_text[0], golden_text[1], 70, 72, 73}}};
  for (size_t i = 0; i < 3; i++) {
    ci_run *plain = open_run(&model, CI_KEEP_BOUNDARIES);
    int branch = open_branch(plain);
    append(plain, branch, expected[i].ids, expected[i].count);
    forward(plain);
    same_rows(run, expected[i].branch, plain, branch, expected[i].count);
    ci_run_close(plain);
  }
  ci_run_close(run);
  golden_close(&model);
}

/* value := what the intervention says, in its rows and columns alone; later rows of other branches keep theirs. */
static void interventions_change_their_rows(void **state) {
  static const ci_intervention_kind kinds[] = {CI_SET, CI_ZERO, CI_INTERPOLATE};
  ci_model model;
  golden_open(&model, *state);
  int node = ci_graph_find(&model.graph, "decoder.1.self_attn.key");
  size_t width = model.graph.nodes[node].width;
  float values[3 * 64];
  uint64_t random = 1;
  random_floats(&random, values, 3 * 64, 1);
  ci_run *plain = open_run(&model, CI_KEEP_ALL);
  int branch = open_branch(plain);
  append(plain, branch, golden_text, GOLDEN_ROWS);
  forward(plain);
  for (int k = 0; k < 3; k++)
    for (int part = 0; part < 2; part++) {
      ci_run *run = open_run(&model, CI_KEEP_ALL);
      int own = open_branch(run);
      append(run, own, golden_text, GOLDEN_ROWS);
      ci_intervention v = {
          .kind = kinds[k], .node = node, .branch = own, .first = 2, .count = 3, .values = values, .alpha = 0.25f};
      if (part) v.column = 3, v.columns = 5;
      ci_error err = {0};
      assert_int_equal(ci_run_intervene(run, &v, &err), CI_OK);
      forward(run);
      size_t stride = part ? 5 : width, first = part ? 3 : 0;
      for (size_t p = 0; p < GOLDEN_ROWS; p++) {
        float expected[64];
        memcpy(expected, ci_run_row(plain, node, p), width * sizeof(float));
        for (size_t i = 0; i < stride && p >= 2 && p < 5; i++) {
          float b = values[(p - 2) * stride + i], *x = &expected[first + i];
          *x = kinds[k] == CI_SET ? b : kinds[k] == CI_ZERO ? 0 : b + 0.25f * (*x - b);
        }
        close_to("intervened value", ci_run_row(run, node, p), expected, width);
      }
      int later = ci_graph_find(&model.graph, "decoder.1.self_attn.value");
      close_to("untouched value", ci_run_row(run, later, 4), ci_run_row(plain, later, 4), width);
      ci_run_close(run);
    }
  ci_run_close(plain);
  golden_close(&model);
}

/* What a plan did not keep comes back the same, interventions included. */
static void sections_are_rebuilt(void **state) {
  ci_model model;
  golden_open(&model, *state);
  ci_run *all = open_run(&model, CI_KEEP_ALL), *few = open_run(&model, CI_KEEP_BOUNDARIES), *runs[2] = {all, few};
  int branch = 0, touched = ci_graph_find(&model.graph, "decoder.0.self_attn.output");
  ci_error err = {0};
  size_t row;
  for (int i = 0; i < 2; i++) {
    branch = open_branch(runs[i]);
    append(runs[i], branch, golden_text, GOLDEN_ROWS);
    ci_intervention v = {.kind = CI_ZERO, .node = touched, .branch = branch, .first = 3, .count = 2};
    assert_int_equal(ci_run_intervene(runs[i], &v, &err), CI_OK);
    for (size_t p = 0; p < GOLDEN_ROWS; p++)
      assert_int_equal(ci_run_want_logits(runs[i], branch, p, &row, &err), CI_OK);
    forward(runs[i]);
  }
  for (int section = model.graph.sections - 1; section >= 0; section--) {
    assert_int_equal(ci_run_load_section(few, section, true, &err), CI_OK);
    assert_int_equal(ci_run_load_section(all, section, true, &err), CI_OK);
    for (int i = 0; i < model.graph.count; i++) {
      const ci_node *node = &model.graph.nodes[i];
      if (node->section != section) continue;
      for (size_t r = 0; r < few->spaces[node->space].rows; r++)
        close_to(node->name, ci_run_row(few, i, r), ci_run_row(all, i, r), node->width);
    }
  }
  ci_run_close(all);
  ci_run_close(few);
  golden_close(&model);
}

static void input_values_need_no_rows(void **state) {
  ci_model model;
  golden_open(&model, *state);
  ci_run *run = open_run(&model, CI_KEEP_ALL);
  int branch = open_branch(run), input = model.graph.input_node[CI_DECODER];
  size_t width = model.graph.nodes[input].width;
  float *values = ci_alloc(GOLDEN_ROWS * width, sizeof *values);
  ci_error err = {0};
  assert_int_equal(ci_run_input_values(run, CI_DECODER, golden_text, GOLDEN_ROWS, values, &err), CI_OK);
  assert_int_equal(run->spaces[CI_DECODER].rows, 0);
  append(run, branch, golden_text, GOLDEN_ROWS);
  forward(run);
  for (size_t p = 0; p < GOLDEN_ROWS; p++) close_to("input", values + p * width, ci_run_row(run, input, p), width);
  if (model.graph.encoder_decoder) {
    input = model.graph.input_node[CI_ENCODER];
    assert_int_equal(ci_run_input_values(run, CI_ENCODER, golden_source, GOLDEN_SOURCE, values, &err), CI_OK);
    for (size_t p = 0; p < GOLDEN_SOURCE; p++)
      close_to("source input", values + p * width, ci_run_row(run, input, p), width);
  }
  const int32_t wrong[] = {-1};
  assert_int_equal(ci_run_input_values(run, CI_DECODER, wrong, 1, values, &err), CI_EINVAL);
  ci_free(values);
  ci_run_close(run);
  golden_close(&model);
}

/* Whatever is kept, and whichever rows are there: the value of a node that no plan keeps. */
static void not_finite_values_are_named(void **state) {
  (void)state;
  static const float bad[] = {NAN, INFINITY};
  ci_model model;
  golden_open(&model, "models/llama");
  int node = ci_graph_find(&model.graph, "decoder.1.mlp.gated");
  for (ci_keep keep = CI_KEEP_KEYS; keep <= CI_KEEP_ALL; keep++) {
    ci_run *run = open_run(&model, keep);
    int branch = open_branch(run);
    const char *name;
    append(run, branch, golden_text, GOLDEN_ROWS);
    forward(run);
    assert_int_equal(ci_run_find_not_finite(run, &name, NULL), CI_OK);
    assert_null(name);
    for (int i = 0; i < 2; i++) {
      ci_intervention set = {.kind = CI_SET,
                             .node = node,
                             .branch = branch,
                             .first = GOLDEN_ROWS - 1,
                             .count = 1,
                             .column = 3,
                             .columns = 1,
                             .values = &bad[i]};
      assert_int_equal(ci_run_intervene(run, &set, NULL), CI_OK);
      assert_int_equal(ci_run_find_not_finite(run, &name, NULL), CI_OK);
      assert_string_equal(name, "decoder.1.mlp.gated");
    }
    ci_run_close(run);
  }
  golden_close(&model);
}

int main(void) {
  static golden_list list;
  golden_add(&list, "token_by_token", token_by_token);
  golden_add(&list, "branches_share_prefixes", branches_share_prefixes);
  golden_add(&list, "interventions_change_their_rows", interventions_change_their_rows);
  golden_add(&list, "sections_are_rebuilt", sections_are_rebuilt);
  golden_add(&list, "input_values_need_no_rows", input_values_need_no_rows);
  golden_add_one(&list, "not_finite_values_are_named", not_finite_values_are_named, "llama", NULL);
  return golden_run(&list, set_up, tear_down);
}
