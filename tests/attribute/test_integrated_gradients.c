/* n_steps "auto": as many points as the tolerance takes, and no fewer; what is reported; errors that name what is
 * wrong. Completeness: test_properties.c. Inseq's numbers: tests/golden. */
#include "support/attributed.h"

static const float *step_score(const cinseq_result *result, const char *name) {
  const ci_sequence *s = &result->sequences[0];
  for (size_t i = 0; i < s->step_scores_count; i++)
    if (strcmp(s->step_scores[i].name, name) == 0) return s->step_scores[i].values.data;
  return NULL;
}

static void steps_double_until_the_tolerance_is_kept(void **state) {
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
    assert_true(few[t] >= 4 && many[t] >= few[t]);
    more += many[t] > few[t];
  }
  assert_true(more > 0);
  assert_null(step_score(tight, "deltas"));
  cinseq_result_close(loose);
  cinseq_result_close(tight);
  cinseq_model_close(model);
}

/* Each column is what its own number of points gives: those that were done stay as they were. */
static void columns_are_those_of_their_steps(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("zh-en-mini");
  cinseq_result *automatic = attributed_by(model, "integrated_gradients", SENTENCE, "{\"n_steps\": \"auto\"}");
  const ci_array *x = attributed_array(automatic, CINSEQ_SOURCE);
  const float *steps = step_score(automatic, "n_steps");
  size_t targets = x->shape[1], width = x->shape[2];
  for (int n = 4; n <= 128; n *= 2) {
    char arguments[32];
    snprintf(arguments, sizeof arguments, "{\"n_steps\": %d}", n);
    cinseq_result *fixed = attributed_by(model, "integrated_gradients", SENTENCE, arguments);
    const ci_array *y = attributed_array(fixed, CINSEQ_SOURCE);
    for (size_t i = 0; i < ci_array_size(x); i++)
      if ((int)steps[i / width % targets] == n)
        assert_true(fabsf(x->data[i] - y->data[i]) <= 1e-5f * (1 + fabsf(y->data[i])));
    cinseq_result_close(fixed);
  }
  cinseq_result_close(automatic);
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
  attributed_fails(model, "integrated_gradients", STORY, "{\"n_steps\": \"auto\", \"multiply_by_inputs\": false}",
                   "n_steps", "multiply_by_inputs");
  attributed_fails(model, "integrated_gradients", STORY, "{\"tolerance\": 2}", "attribution", "tolerance");
  attributed_fails(model, "integrated_gradients", STORY, "{\"attribution_args\": {\"method\": \"rieman_left\"}}",
                   "attribution", "riemann_left");
  cinseq_model_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(steps_double_until_the_tolerance_is_kept),
                                     cmocka_unit_test(columns_are_those_of_their_steps),
                                     cmocka_unit_test(wrong_arguments_are_explained)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
