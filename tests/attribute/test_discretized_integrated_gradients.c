/* A path of two points is the first of a Riemann sum; longer ones go other ways by the other rule; errors. Inseq's
 * numbers: tests/golden; neighbours: test_neighbours.c. */
#include "support/attributed.h"

static void two_points_are_the_straight_line(void **state) {
  (void)state;
  static const struct {
    const char *model, *text;
    cinseq_side side;
  } cases[] = {{"stories260K", STORY, CINSEQ_TARGET}, {"zh-en-mini", SENTENCE, CINSEQ_SOURCE}};
  for (size_t i = 0; i < 2; i++) {
    cinseq_model *model = attributed_model(cases[i].model);
    cinseq_result *path = attributed_by(model, "discretized_integrated_gradients", cases[i].text, "{\"n_steps\": 2}");
    cinseq_result *line = attributed_by(model, "integrated_gradients", cases[i].text,
                                        "{\"n_steps\": 1, \"attribution_args\": {\"method\": \"riemann_left\"}}");
    double d = attributed_apart(attributed_array(path, cases[i].side), attributed_array(line, cases[i].side));
    if (!(d < 1e-5)) fail_msg("%s: %g apart", cases[i].model, d);
    cinseq_result_close(path);
    cinseq_result_close(line);
    cinseq_model_close(model);
  }
}

static void rules_go_different_ways(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("stories260K");
  cinseq_result *greedy = attributed_by(model, "discretized_integrated_gradients", STORY, "{\"n_steps\": 8}");
  cinseq_result *count = attributed_by(model, "discretized_integrated_gradients", STORY,
                                       "{\"n_steps\": 8, \"attribution_args\": {\"method\": \"maxcount\"}}");
  cinseq_result *few =
      attributed_by(model, "discretized_integrated_gradients", STORY, "{\"n_steps\": 8, \"n_neighbors\": 3}");
  cinseq_result *again = attributed_by(model, "discretized_integrated_gradients",
                                       STORY "\"threads\": 1, \"target_block\": 1, ", "{\"n_steps\": 8}");
  const ci_array *x = attributed_array(greedy, CINSEQ_TARGET);
  assert_true(attributed_apart(x, attributed_array(count, CINSEQ_TARGET)) > 1e-3);
  assert_true(attributed_apart(x, attributed_array(few, CINSEQ_TARGET)) > 1e-3);
  assert_true(attributed_apart(x, attributed_array(again, CINSEQ_TARGET)) < 1e-5);
  attributed_fails(model, "discretized_integrated_gradients", STORY, "{\"n_steps\": 1}", "attribution", "n_steps");
  attributed_fails(model, "discretized_integrated_gradients", STORY, "{\"attribution_args\": {\"method\": \"gready\"}}",
                   "attribution", "greedy");
  cinseq_result_close(greedy);
  cinseq_result_close(count);
  cinseq_result_close(few);
  cinseq_result_close(again);
  cinseq_model_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(two_points_are_the_straight_line),
                                     cmocka_unit_test(rules_go_different_ways)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
