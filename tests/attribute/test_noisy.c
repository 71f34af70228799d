/* SmoothGrad, SquareGrad and VarGrad: E[g^2] = Var[g] + E[g]^2 over the same samples; without noise the gradient, its
 * square and nothing; seeds. */
#include "support/attributed.h"

#define TEXT "\"input_texts\": [\"Once upon\"], \"generated_texts\": [\"Once upon a time\"], "
static const char *const methods[] = {"smoothgrad", "squaregrad", "vargrad"};

static void moments_of_the_same_samples(void **state) {
  (void)state;
  static const struct {
    const char *model, *text;
    cinseq_side side;
  } cases[] = {{"stories260K", TEXT, CINSEQ_TARGET}, {"zh-en-mini", SENTENCE, CINSEQ_SOURCE}};
  for (size_t c = 0; c < 2; c++) {
    cinseq_model *model = attributed_model(cases[c].model);
    cinseq_result *results[3];
    const ci_array *x[3];
    double most = 0, apart = 0, spread = 0;
    for (size_t i = 0; i < 3; i++) {
      results[i] = attributed_by(model, methods[i], cases[c].text, "{\"n_samples\": 20, \"noise_level\": 0.1}");
      x[i] = attributed_array(results[i], cases[c].side);
    }
    for (size_t i = 0; i < ci_array_size(x[0]); i++) {
      if (isnan(x[0]->data[i])) continue;
      double mean = (double)x[0]->data[i], square = (double)x[1]->data[i], variance = (double)x[2]->data[i];
      most = fmax(most, square);
      spread = fmax(spread, variance);
      apart = fmax(apart, fabs(square - variance - mean * mean));
      assert_true(variance >= 0);
    }
    assert_true(spread > 0.001 * most);
    assert_true(apart < 1e-5 * most);
    for (size_t i = 0; i < 3; i++) cinseq_result_close(results[i]);
    cinseq_model_close(model);
  }
}

static void without_noise_it_is_the_gradient(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("stories260K");
  cinseq_result *gradient = attributed_by(model, "saliency", TEXT, "{\"abs\": false}"), *results[3];
  const ci_array *g = attributed_array(gradient, CINSEQ_TARGET), *x[3];
  for (size_t i = 0; i < 3; i++) {
    results[i] = attributed_by(model, methods[i], TEXT, "{\"n_samples\": 3, \"stdevs\": 0}");
    x[i] = attributed_array(results[i], CINSEQ_TARGET);
  }
  assert_true(attributed_apart(g, x[0]) < 1e-5);
  for (size_t i = 0; i < ci_array_size(g); i++) {
    if (isnan(g->data[i])) continue;
    float square = g->data[i] * g->data[i];
    assert_true(fabsf(x[1]->data[i] - square) <= 1e-4f * square + 1e-9f);
    assert_true(x[2]->data[i] <= 1e-6f * square + 1e-12f);
  }
  for (size_t i = 0; i < 3; i++) cinseq_result_close(results[i]);
  cinseq_result_close(gradient);
  cinseq_model_close(model);
}

static void seeds_say_which_noise(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("stories260K");
  cinseq_result *one = attributed_by(model, "smoothgrad", TEXT "\"threads\": 1, ", "{\"n_samples\": 7}");
  cinseq_result *same =
      attributed_by(model, "smoothgrad", TEXT "\"threads\": 2, \"target_block\": 1, ", "{\"n_samples\": 7}");
  cinseq_result *other = attributed_by(model, "smoothgrad", TEXT, "{\"n_samples\": 7, \"seed\": 4}");
  assert_true(attributed_apart(attributed_array(one, CINSEQ_TARGET), attributed_array(same, CINSEQ_TARGET)) < 1e-5);
  assert_true(attributed_apart(attributed_array(one, CINSEQ_TARGET), attributed_array(other, CINSEQ_TARGET)) > 1e-3);
  assert_int_equal(json_integer_value(json_object_get(json_object_get(other->info, "attribution_args"), "seed")), 4);
  attributed_fails(model, "vargrad", TEXT, "{\"stdevs\": \"much\"}", "stdevs", "0 to 1000000");
  attributed_fails(model, "vargrad", TEXT, "{\"n_samples\": 0}", "attribution", "n_samples");
  cinseq_result_close(one);
  cinseq_result_close(same);
  cinseq_result_close(other);
  cinseq_model_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(moments_of_the_same_samples),
                                     cmocka_unit_test(without_noise_it_is_the_gradient),
                                     cmocka_unit_test(seeds_say_which_noise)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
