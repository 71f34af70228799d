/* n_steps "auto": as many points as the tolerance takes, and no fewer; what is reported; errors that name what is
 * wrong. Completeness: test_properties.c. Inseq's numbers: tests/golden. */
#include "support/attributed.h"

static const float *step_score(const cinseq_result *result, const char *name) {
  const ci_sequence *s = &result->sequences[0];
  for (size_t i = 0; i < s->step_scores_count; i++)
    if (strcmp(s->step_scores[i].name, name) == 0) return s->step_scores[i].values.data;
  return NULL;
}

static void steps_grow_until_the_tolerance_is_kept(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("stories260K");
  cinseq_result *loose =
      attributed_by(model, "integrated_gradients", STORY, "{\"n_steps\": \"auto\", \"tolerance\": 0.2}");
  cinseq_result *tight =
      attributed_by(model, "integrated_gradients", STORY, "{\"n_steps\": \"auto\", \"tolerance\": 1e-3}");
  size_t targets = attributed_array(loose, CINSEQ_TARGET)->shape[1], more = 0;
  for (size_t t = 0; t < targets; t++) {
    const float *few = step_score(loose, "n_steps"), *many = step_score(tight, "n_steps");
    assert_true(step_score(loose, "completeness_error")[t] <= 0.2f);
    assert_true(step_score(tight, "completeness_error")[t] <= 1e-3f);
    assert_true(few[t] >= 2 && many[t] >= few[t]);
    more += many[t] > few[t];
  }
  assert_true(more > 0);
  assert_null(step_score(tight, "deltas"));
  cinseq_result_close(loose);
  cinseq_result_close(tight);
  cinseq_model_close(model);
}

static double distance(const float *x, const float *y, const ci_array *like, size_t target) {
  size_t targets = like->shape[1], width = like->shape[2];
  double difference = 0, size = 0;
  for (size_t i = 0; i < ci_array_size(like); i++) {
    if (i / width % targets != target || isnan(y[i])) continue;
    difference += fabs((double)x[i] - (double)y[i]);
    size += fabs((double)y[i]);
  }
  return difference / size;
}

/* The scores themselves, not their sums alone, are near those of many steps: nearer the smaller the tolerance is. */
static void scores_are_those_of_many_steps(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("zh-en-mini");
  cinseq_result *many = attributed_by(model, "integrated_gradients", SENTENCE, "{\"n_steps\": 1024}");
  cinseq_result *loose = attributed_by(model, "integrated_gradients", SENTENCE, "{\"n_steps\": \"auto\"}");
  cinseq_result *tight =
      attributed_by(model, "integrated_gradients", SENTENCE, "{\"n_steps\": \"auto\", \"tolerance\": 0.0001}");
  const ci_array *x = attributed_array(many, CINSEQ_SOURCE);
  const float *a = attributed_array(loose, CINSEQ_SOURCE)->data, *b = attributed_array(tight, CINSEQ_SOURCE)->data;
  double first = 0, second = 0;
  for (size_t t = 0; t < x->shape[1]; t++) {
    double one = distance(a, x->data, x, t), other = distance(b, x->data, x, t);
    first = fmax(first, one);
    second = fmax(second, other);
  }
  print_message("largest distance of a column: %g, with the tolerance 0.0001 %g\n", first, second);
  assert_true(first < 0.03 && second < 0.001);
  cinseq_result_close(many);
  cinseq_result_close(loose);
  cinseq_result_close(tight);
  cinseq_model_close(model);
}

/* A layer has a path of its own. */
static void layers_have_it_too(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("stories260K");
  cinseq_result *result = attributed_by(model, "layer_integrated_gradients", STORY,
                                        "{\"n_steps\": \"auto\", \"target_layer\": \"model.layers.2\", \"tolerance\": 0.01}");
  for (size_t t = 0; t < attributed_array(result, CINSEQ_TARGET)->shape[1]; t++)
    assert_true(step_score(result, "completeness_error")[t] <= 0.01f);
  cinseq_result_close(result);
  cinseq_model_close(model);
}

static void wrong_arguments_are_explained(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("stories260K");
  static const char *const steps[] = {"0", "-3", "2.5", "\"many\"", "true", "[5]", "1000001"};
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    char arguments[64];
    snprintf(arguments, sizeof arguments, "{\"n_steps\": %s}", steps[i]);
    attributed_fails(model, "integrated_gradients", STORY, arguments, "n_steps", "1 to 1000000");
  }
  attributed_fails(model, "integrated_gradients", STORY, "{\"n_steps\": 20000}", "n_steps", "gausslegendre");
  attributed_fails(model, "integrated_gradients", STORY,
                   "{\"n_steps\": \"auto\", \"attribution_args\": {\"method\": \"riemann_left\"}}", "n_steps", "gausslegendre");
  attributed_fails(model, "integrated_gradients", STORY, "{\"n_steps\": \"auto\", \"multiply_by_inputs\": false}",
                   "n_steps", "multiply_by_inputs");
  attributed_fails(model, "integrated_gradients", STORY, "{\"tolerance\": 2}", "attribution", "tolerance");
  attributed_fails(model, "integrated_gradients", STORY, "{\"attribution_args\": {\"method\": \"rieman_left\"}}",
                   "attribution", "riemann_left");
  cinseq_model_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(steps_grow_until_the_tolerance_is_kept), cmocka_unit_test(scores_are_those_of_many_steps),
      cmocka_unit_test(layers_have_it_too), cmocka_unit_test(wrong_arguments_are_explained)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
