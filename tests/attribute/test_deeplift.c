/* DeepLift is the gradient times the difference where no op rescales, and says what differences are where one does.
 * Inseq's numbers: tests/golden; the ops' rule: tests/ops. */
#include "support/attributed.h"

/* SiLU is not one of Captum's: (x - x') times the gradient at x, which integrated gradients are with one point at x. */
static void smooth_models_have_their_gradient(void **state) {
  (void)state;
  static const struct {
    const char *model, *text;
    cinseq_side side;
  } cases[] = {{"stories260K", STORY, CINSEQ_TARGET}, {"zh-en-mini", SENTENCE, CINSEQ_SOURCE}};
  for (size_t i = 0; i < 2; i++) {
    cinseq_model *model = attributed_model(cases[i].model);
    cinseq_result *lift = attributed_by(model, "deeplift", cases[i].text, "{}");
    cinseq_result *gradient = attributed_by(model, "integrated_gradients", cases[i].text,
                                            "{\"n_steps\": 1, \"attribution_args\": {\"method\": \"riemann_right\"}}");
    assert_true(attributed_apart(attributed_array(lift, cases[i].side), attributed_array(gradient, cases[i].side)) <
                1e-5);
    cinseq_result_close(lift);
    cinseq_result_close(gradient);
    cinseq_model_close(model);
  }
}

/* The multipliers alone, times the difference, are the scores: a token that is its own baseline has none. */
static void multipliers_times_differences(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("zh-en-mini");
  cinseq_result *scores = attributed_by(model, "deeplift", SENTENCE, "{}");
  cinseq_result *multipliers = attributed_by(model, "deeplift", SENTENCE, "{\"multiply_by_inputs\": false}");
  const ci_array *x = attributed_array(scores, CINSEQ_SOURCE), *m = attributed_array(multipliers, CINSEQ_SOURCE);
  size_t eos = x->shape[0] - 1,
         width = x->shape[1] * x->shape[2]; /* the last row is </s>, which stays in the baseline */
  double most = 0;
  for (size_t i = 0; i < width; i++) {
    assert_true(x->data[eos * width + i] == 0);
    most = fmax(most, fabs((double)m->data[eos * width + i]));
  }
  assert_true(most > 0);
  assert_true(attributed_apart(x, m) > 0.1);
  cinseq_result_close(scores);
  cinseq_result_close(multipliers);
  cinseq_model_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(smooth_models_have_their_gradient),
                                     cmocka_unit_test(multipliers_times_differences)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
