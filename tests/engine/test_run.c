/* Branches and rows: what a mark brings back, what a reset keeps, what is refused. */
#include "support/golden_model.h"

static ci_compute compute;

static int set_up(void **state) {
  (void)state;
  ci_error err = {0};
  return ci_compute_open(&compute, 1, "auto", NULL, &err);
}

static int tear_down(void **state) {
  (void)state;
  ci_compute_close(&compute);
  return 0;
}

typedef struct {
  ci_model model;
  ci_run *run;
} fixture;

static void open_fixture(fixture *f, const char *folder, ci_keep keep) {
  ci_error err = {0};
  golden_open(&f->model, folder);
  assert_int_equal(ci_run_open(&f->model.graph, &compute, keep, &f->run, &err), CI_OK);
}

static void close_fixture(fixture *f) {
  ci_run_close(f->run);
  golden_close(&f->model);
}

static void text_has_positions(void **state) {
  (void)state;
  fixture f;
  open_fixture(&f, "models/gpt2", CI_KEEP_KEYS);
  ci_error err = {0};
  int32_t ids[129] = {0};
  int branch = ci_run_branch(f.run, CI_DECODER, -1, 0, -1);
  assert_int_equal(ci_run_append(f.run, CI_DECODER, branch, ids, 129, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "129"));
  assert_non_null(strstr(err.message, "128"));
  assert_int_equal(f.run->spaces[CI_DECODER].rows, 0); /* nothing was added */
  assert_int_equal(ci_run_append(f.run, CI_DECODER, branch, ids, 128, &err), CI_OK);
  assert_int_equal(ci_run_append(f.run, CI_DECODER, branch, ids, 1, &err), CI_EINVAL);
  assert_int_equal(ci_run_forward(f.run, &err), CI_OK);
  close_fixture(&f);
}

static void source_has_positions(void **state) {
  (void)state;
  fixture f;
  open_fixture(&f, "models/marian", CI_KEEP_KEYS);
  ci_error err = {0};
  int32_t ids[129] = {0};
  int branch = ci_run_branch(f.run, CI_ENCODER, -1, 0, -1);
  assert_int_equal(ci_run_append(f.run, CI_ENCODER, branch, ids, 129, &err), CI_EINVAL);
  assert_int_equal(ci_run_append(f.run, CI_ENCODER, branch, ids, 128, &err), CI_OK);
  close_fixture(&f);
}

static void ids_exist(void **state) {
  (void)state;
  fixture f;
  open_fixture(&f, "models/llama", CI_KEEP_KEYS);
  ci_error err = {0};
  const int32_t negative[] = {3, -1}, large[] = {480}, largest[] = {479};
  int branch = ci_run_branch(f.run, CI_DECODER, -1, 0, -1);
  assert_int_equal(ci_run_append(f.run, CI_DECODER, branch, negative, 2, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "-1"));
  assert_int_equal(ci_run_append(f.run, CI_DECODER, branch, large, 1, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "480"));
  assert_int_equal(f.run->spaces[CI_DECODER].branches[branch].length, 0);
  assert_int_equal(ci_run_append(f.run, CI_DECODER, branch, largest, 1, &err), CI_OK);
  close_fixture(&f);
}

/* Everything that came after the mark is gone: rows, branches, interventions, and tokens of branches that were there.
 */
static void truncate_forgets(void **state) {
  fixture f;
  open_fixture(&f, *state, CI_KEEP_ALL);
  ci_run *run = f.run;
  ci_error err = {0};
  size_t row, expected;
  int source = -1;
  if (f.model.graph.encoder_decoder) {
    source = ci_run_branch(run, CI_ENCODER, -1, 0, -1);
    assert_int_equal(ci_run_append(run, CI_ENCODER, source, golden_source, GOLDEN_SOURCE, &err), CI_OK);
  }
  int root = ci_run_branch(run, CI_DECODER, -1, 0, source);
  assert_int_equal(ci_run_append(run, CI_DECODER, root, golden_text, 4, &err), CI_OK);
  assert_int_equal(ci_run_forward(run, &err), CI_OK);
  ci_run_mark mark = ci_run_get_mark(run);

  int child = ci_run_branch(run, CI_DECODER, root, 2, source);
  ci_intervention zero = {
      .kind = CI_ZERO, .node = f.model.graph.input_node[CI_DECODER], .branch = root, .first = 4, .count = 3};
  assert_int_equal(ci_run_intervene(run, &zero, &err), CI_OK);
  assert_int_equal(ci_run_append(run, CI_DECODER, child, golden_text + 5, 3, &err), CI_OK);
  assert_int_equal(ci_run_append(run, CI_DECODER, root, golden_text + 6, 3, &err), CI_OK);
  assert_int_equal(ci_run_want_logits(run, root, 6, &row, &err), CI_OK);
  assert_int_equal(ci_run_forward(run, &err), CI_OK);
  ci_run_truncate(run, &mark);
  assert_int_equal(run->spaces[CI_DECODER].rows, 4);
  assert_int_equal(run->spaces[CI_DECODER].computed, 4);
  assert_int_equal(run->spaces[CI_DECODER].branch_count, 1);
  assert_int_equal(run->spaces[CI_DECODER].branches[root].length, 4);
  assert_int_equal(run->spaces[CI_OUTPUT].rows, 0);
  assert_int_equal(run->intervention_count, 0);

  assert_int_equal(ci_run_append(run, CI_DECODER, root, golden_text + 4, 3, &err), CI_OK);
  assert_int_equal(ci_run_want_logits(run, root, 6, &row, &err), CI_OK);
  assert_int_equal(ci_run_forward(run, &err), CI_OK);
  golden_subject g;
  golden_subject_open(&g, &f.model, &compute);
  assert_int_equal(ci_subject_forward(&g.subject, CI_KEEP_ALL, &err), CI_OK);
  expected = g.output_rows[7 - g.subject.first_target];
  for (size_t i = 0; i < f.model.vocabulary; i++)
    assert_float_equal(ci_run_logits(run, row)[i], ci_run_logits(g.subject.run, expected)[i], 1e-4);
  golden_subject_close(&g);
  close_fixture(&f);
}

static void reset_forgets_all(void **state) {
  (void)state;
  fixture f;
  open_fixture(&f, "models/llama", CI_KEEP_BOUNDARIES);
  ci_error err = {0};
  float first[480];
  for (int round = 0; round < 3; round++) {
    size_t row;
    int branch = ci_run_branch(f.run, CI_DECODER, -1, 0, -1);
    assert_int_equal(branch, 0);
    assert_int_equal(ci_run_append(f.run, CI_DECODER, branch, golden_text, GOLDEN_ROWS, &err), CI_OK);
    ci_intervention zero = {
        .kind = CI_ZERO, .node = f.model.graph.input_node[CI_DECODER], .branch = 0, .first = 1, .count = 2};
    if (round == 1) assert_int_equal(ci_run_intervene(f.run, &zero, &err), CI_OK);
    assert_int_equal(ci_run_want_logits(f.run, branch, GOLDEN_ROWS - 1, &row, &err), CI_OK);
    assert_int_equal(ci_run_forward(f.run, &err), CI_OK);
    assert_int_equal(row, 0);
    if (round == 0)
      memcpy(first, ci_run_logits(f.run, row), sizeof first);
    else if (round == 1)
      assert_memory_not_equal(first, ci_run_logits(f.run, row), sizeof first);
    else
      assert_memory_equal(first, ci_run_logits(f.run, row), sizeof first);
    ci_run_reset(f.run);
    assert_int_equal(f.run->spaces[CI_DECODER].rows, 0);
  }
  close_fixture(&f);
}

/* A plan keeps no more than it says: the estimate that the memory budget uses is an upper bound of what is there. */
static void rows_take_what_was_estimated(void **state) {
  static const ci_keep plans[] = {CI_KEEP_BOUNDARIES, CI_KEEP_ALL};
  for (int plan = 0; plan < 2; plan++) {
    fixture f;
    open_fixture(&f, *state, plans[plan]);
    size_t floats[CI_SPACES] = {0};
    for (int i = 0; i < f.model.graph.count; i++) {
      const ci_node *node = &f.model.graph.nodes[i];
      floats[node->space] += node->kept_width + (f.run->keeps[i] ? node->width : 0);
    }
    for (int s = 0; s < CI_SPACES; s++)
      assert_true(floats[s] * sizeof(float) <= ci_run_row_bytes(&f.model.graph, (ci_space_id)s, plans[plan]));
    close_fixture(&f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_has_positions),
      cmocka_unit_test(source_has_positions),
      cmocka_unit_test(ids_exist),
      {"truncate forgets, gpt2", truncate_forgets, NULL, NULL, (void *)"models/gpt2"},
      {"truncate forgets, llama", truncate_forgets, NULL, NULL, (void *)"models/llama"},
      {"truncate forgets, marian", truncate_forgets, NULL, NULL, (void *)"models/marian"},
      cmocka_unit_test(reset_forgets_all),
      {"rows take what was estimated, gpt2", rows_take_what_was_estimated, NULL, NULL, (void *)"models/gpt2"},
      {"rows take what was estimated, llama", rows_take_what_was_estimated, NULL, NULL, (void *)"models/llama"},
      {"rows take what was estimated, marian", rows_take_what_was_estimated, NULL, NULL, (void *)"models/marian"},
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
