/* No attribution: step scores alone, those that another method gives, and a table of them. */
#include "support/attributed.h"

static void step_scores_are_those_of_another_method(void **state) {
  (void)state;
  static const struct { const char *model, *text; } cases[] = {{"stories260K", STORY}, {"zh-en-mini", SENTENCE}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    cinseq_model *model = attributed_model(cases[c].model);
    char keys[512];
    snprintf(keys, sizeof keys, "%s\"step_scores\": [\"probability\", \"entropy\"], \"attribute_target\": true, ",
             cases[c].text);
    cinseq_result *none = attributed_by(model, "dummy", keys, "{}"),
                  *other = attributed_by(model, "saliency", keys, "{}");
    const cinseq_sequence *ours = cinseq_result_sequence(none, 0), *theirs = cinseq_result_sequence(other, 0);
    assert_null(cinseq_sequence_attributions(ours, CINSEQ_SOURCE).data);
    assert_null(cinseq_sequence_attributions(ours, CINSEQ_TARGET).data);
    for (size_t i = 0; i < 2; i++) {
      const char *name = cinseq_sequence_score_name(ours, i);
      cinseq_array a = cinseq_sequence_scores(ours, name), b = cinseq_sequence_scores(theirs, name);
      assert_int_equal(a.shape[0], b.shape[0]);
      for (size_t j = 0; j < a.shape[0]; j++) assert_true(fabsf(a.data[j] - b.data[j]) <= 1e-5f);
    }
    cinseq_result_close(other);
    cinseq_result_close(none);
    cinseq_model_close(model);
  }
}

static void every_output_writes_the_scores(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("stories260K");
  cinseq_result *result = attributed_by(model, "dummy", STORY "\"step_scores\": [\"probability\"], ", "{}");
  static const char *const outputs[] = {"terminal", "html", "csv", "latex", "json"};
  for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
    cinseq_error err = {0};
    char *text = NULL;
    if (cinseq_result_render(result, outputs[i], NULL, &text, &err))
      fail_msg("%s: %s: %s", outputs[i], err.where, err.message);
    if (!strstr(text, "probability")) fail_msg("%s: has no probability: %s", outputs[i], text);
    cinseq_free(text);
  }
  cinseq_result_close(result);
  cinseq_model_close(model);
}

static void it_takes_no_arguments(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("stories260K");
  attributed_fails(model, "dummy", STORY, "{\"n_steps\": 3}", "attribution_kwargs", "n_steps");
  cinseq_model_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(step_scores_are_those_of_another_method),
                                     cmocka_unit_test(every_output_writes_the_scores),
                                     cmocka_unit_test(it_takes_no_arguments)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
