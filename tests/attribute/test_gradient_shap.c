/* gradient_shap against what it tends to, seeds, noise, and its delta. */
#include "support/attributed.h"

#define TEXT "\"input_texts\": [\"Once upon\"], \"generated_texts\": [\"Once upon a time\"], "

static double apart(const cinseq_result *x, const cinseq_result *y) {
  return attributed_apart(attributed_array(x, CINSEQ_TARGET), attributed_array(y, CINSEQ_TARGET));
}

/* The mean over random points tends to the integral: integrated gradients (Lundberg and Lee 2017, expected gradients).
 */
static void tends_to_integrated_gradients(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("stories260K");
  cinseq_result *integral = attributed_by(model, "integrated_gradients", TEXT, "{}");
  cinseq_result *few = attributed_by(model, "gradient_shap", TEXT, "{}");
  cinseq_result *again = attributed_by(model, "gradient_shap", TEXT, "{\"n_samples\": 5, \"seed\": 0}");
  cinseq_result *other = attributed_by(model, "gradient_shap", TEXT, "{\"seed\": 1}");
  cinseq_result *many = attributed_by(model, "gradient_shap", TEXT, "{\"n_samples\": 4000}");
  assert_true(apart(few, again) == 0);
  json_t *arguments =
      json_object_get(few->info, "attribution_args"); /* what the numbers come again with, given or not */
  assert_true(json_is_integer(json_object_get(arguments, "seed")));
  assert_true(apart(few, other) > 1e-3);
  assert_true(apart(integral, many) < 0.05 && apart(integral, many) < apart(integral, few));
  cinseq_result_close(integral);
  cinseq_result_close(few);
  cinseq_result_close(again);
  cinseq_result_close(other);
  cinseq_result_close(many);
  cinseq_model_close(model);
}

/* A little noise changes a little; the same for every number of threads and cut of the work. */
static void noise_is_of_the_seed_alone(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("stories260K");
  cinseq_result *clean = attributed_by(model, "gradient_shap", TEXT, "{}");
  cinseq_result *little = attributed_by(model, "gradient_shap", TEXT, "{\"stdevs\": 1e-5}");
  cinseq_result *much = attributed_by(model, "gradient_shap", TEXT "\"threads\": 1, ", "{\"stdevs\": 0.1}");
  cinseq_result *cut =
      attributed_by(model, "gradient_shap", TEXT "\"threads\": 2, \"target_block\": 1, ", "{\"stdevs\": 0.1}");
  assert_true(apart(clean, little) > 0 && apart(clean, little) < 0.01);
  assert_true(apart(clean, much) > 0.01);
  assert_true(apart(much, cut) < 1e-5);
  cinseq_result_close(clean);
  cinseq_result_close(little);
  cinseq_result_close(much);
  cinseq_result_close(cut);
  cinseq_model_close(model);
}

/* The delta is what the scores lack, with and without noise: it shrinks as samples grow. */
static void deltas_shrink_with_samples(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("stories260K");
  static const char *const arguments[][2] = {
      {"{\"return_convergence_delta\": true, \"n_samples\": 3}",
       "{\"return_convergence_delta\": true, \"n_samples\": 500}"},
      {"{\"return_convergence_delta\": true, \"n_samples\": 3, \"stdevs\": 0.05}",
       "{\"return_convergence_delta\": true, \"n_samples\": 500, \"stdevs\": 0.05}"}};
  for (size_t i = 0; i < 2; i++) {
    double total[2] = {0};
    for (size_t j = 0; j < 2; j++) {
      cinseq_result *result = attributed_by(model, "gradient_shap", TEXT, arguments[i][j]);
      const ci_named_array *score = &result->sequences[0].step_scores[0];
      assert_string_equal(score->name, "deltas");
      for (size_t t = 0; t < ci_array_size(&score->values); t++) total[j] += fabs((double)score->values.data[t]);
      cinseq_result_close(result);
    }
    assert_true(total[0] > 0 && total[1] < 0.5 * total[0]);
  }
  attributed_fails(model, "gradient_shap", TEXT, "{\"stdevs\": -1}", "attribution", "stdevs");
  cinseq_model_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(tends_to_integrated_gradients),
                                     cmocka_unit_test(noise_is_of_the_seed_alone),
                                     cmocka_unit_test(deltas_shrink_with_samples)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
