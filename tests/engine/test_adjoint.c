/* The rows that targets' gradients have: which forward row each is, group by group. */
#include "support/differences.h"
#include "support/tiny_graph.h"

static const layout text = {.id = "two sources, shared prefix",
                            .steps = {{STEP_BRANCH, CI_ENCODER, -1, 0, -1},
                                      {STEP_TOKENS, CI_ENCODER, 0, 3, 0},
                                      {STEP_BRANCH, CI_ENCODER, -1, 0, -1},
                                      {STEP_TOKENS, CI_ENCODER, 1, 2, 0},
                                      {STEP_BRANCH, CI_DECODER, -1, 0, 0},
                                      {STEP_TOKENS, CI_DECODER, 0, 4, 0},
                                      {STEP_BRANCH, CI_DECODER, 0, 2, 1},
                                      {STEP_TOKENS, CI_DECODER, 1, 2, 0}},
                            .targets = {{0, 0, 0}, {0, 3, 1}, {1, 3, 0}},
                            .target_count = 3};

static void rows(void **state) {
  (void)state;
  tiny_graph t;
  tiny_open(&t);
  ci_build_section(&t.b, CI_ENCODER, "encoder.", 0);
  int source = tiny_tokens(&t, "tokens", 4);
  ci_build_section(&t.b, CI_DECODER, "decoder.", 0);
  int x = ci_add_attention(&t.b, "cross", tiny_tokens(&t, "tokens", 4), source, source, 1, 1, 4, 1, false);
  tiny_finish(&t, x);
  ci_compute compute;
  ci_error err = {0};
  ci_run *run;
  assert_int_equal(ci_compute_open(&compute, 1, "auto", NULL, &err), CI_OK);
  assert_int_equal(ci_run_open(&t.model.graph, &compute, CI_KEEP_ALL, &run, &err), CI_OK);
  ci_adjoint_group groups[MOST_TARGETS];
  layout_fill(run, &text, groups);
  ci_adjoint a;
  assert_int_equal(ci_adjoint_open(run, groups, 3, &a, &err), CI_OK);
  static const int32_t output[] = {0, 1, 2}, top[] = {0, 3, 5}, top_in_full[] = {0, 3, 7};
  static const int32_t full[] = {0, /* 1 to 3 */ 1, 2, 3, /* the parent's 0 and 1, then its own */ 0, 1, 4, 5};
  static const int32_t sources[] = {0, 1, 2, 0, 1, 2, 3, 4};
  assert_int_equal(a.rows[CI_SET_OUTPUT], 3);
  assert_int_equal(a.rows[CI_SET_TOP], 3);
  assert_int_equal(a.rows[CI_SET_FULL], 8);
  assert_int_equal(a.rows[CI_SET_SOURCE], 8);
  assert_memory_equal(a.forward[CI_SET_OUTPUT], output, sizeof output);
  assert_memory_equal(a.forward[CI_SET_TOP], top, sizeof top);
  assert_memory_equal(a.forward[CI_SET_FULL], full, sizeof full);
  assert_memory_equal(a.forward[CI_SET_SOURCE], sources, sizeof sources);
  assert_memory_equal(a.top_in_full, top_in_full, sizeof top_in_full);
  assert_int_equal(groups[1].full, 1);
  assert_int_equal(groups[2].source, 6);
  assert_int_equal(groups[2].source_count, 2);
  ci_adjoint_close(&a);
  ci_run_close(run);
  ci_compute_close(&compute);
  tiny_close(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(rows)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
