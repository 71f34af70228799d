/* A result taken apart and put together again, as bindings do it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "cinseq.h"
#include <stdio.h>
#include <string.h>

static cinseq_result *attribute(const char *name, const char *request) {
  cinseq_model *model;
  cinseq_result *result;
  cinseq_error error;
  if (cinseq_model_open(name, NULL, NULL, &model, &error)) fail_msg("%s: %s", error.where, error.message);
  if (cinseq_attribute(model, request, NULL, &result, &error)) fail_msg("%s: %s", error.where, error.message);
  cinseq_model_close(model);
  return result;
}

static char *text_of(const cinseq_result *result) {
  char *text;
  cinseq_error error;
  if (cinseq_result_render(result, "json", NULL, &text, &error)) fail_msg("%s", error.message);
  return text;
}

static const char request[] = "{\"input_texts\": [\"我很开心。\"], \"attribution_method\": \"attention\", "
                              "\"step_scores\": [\"entropy\"], \"attribute_target\": true}";

static void a_copy_says_the_same(void **state) {
  (void)state;
  cinseq_error error;
  cinseq_result *result = attribute("zh-en-mini", request), *copy;
  char *text = text_of(result);
  assert_int_equal(cinseq_result_parse(text, &copy, &error), CINSEQ_OK);
  const cinseq_sequence *from = cinseq_result_sequence(result, 0);
  assert_string_equal(cinseq_sequence_class(from), "MultiDimensionalFeatureAttributionSequenceOutput");
  const char *matrix = cinseq_sequence_matrix_name(from, 0);
  assert_string_equal(matrix, "encoder_self_attentions");
  assert_null(cinseq_sequence_matrix_name(from, 1));
  assert_null(cinseq_sequence_matrix(from, "none").data);
  const struct {
    const char *member;
    cinseq_array values;
  } members[] = {{"source_attributions", cinseq_sequence_attributions(from, CINSEQ_SOURCE)},
                 {"target_attributions", cinseq_sequence_attributions(from, CINSEQ_TARGET)},
                 {"step_scores.entropy", cinseq_sequence_scores(from, "entropy")},
                 {"sequence_scores.encoder_self_attentions", cinseq_sequence_matrix(from, matrix)}};
  for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
    assert_non_null(members[i].values.data);
    assert_int_equal(cinseq_result_set(copy, 0, members[i].member, &members[i].values, &error), CINSEQ_OK);
  }
  char *again = text_of(copy);
  assert_string_equal(text, again);
  cinseq_free(text);
  cinseq_free(again);
  cinseq_result_close(copy);
  cinseq_result_close(result);
}

static void wrong_shapes_change_nothing(void **state) {
  (void)state;
  cinseq_error error;
  cinseq_result *result = attribute("zh-en-mini", request);
  char *before = text_of(result);
  cinseq_array values = cinseq_sequence_attributions(cinseq_result_sequence(result, 0), CINSEQ_SOURCE);
  values.shape[0]--;
  assert_int_equal(cinseq_result_set(result, 0, "source_attributions", &values, &error), CINSEQ_EINVAL);
  assert_non_null(strstr(error.message, "rows"));
  assert_int_equal(cinseq_result_set(result, 1, "source_attributions", &values, &error), CINSEQ_EINVAL);
  assert_int_equal(cinseq_result_set(result, 0, "sources", &values, &error), CINSEQ_EINVAL);
  values.rank = 7;
  assert_int_equal(cinseq_result_set(result, 0, "source_attributions", &values, &error), CINSEQ_EINVAL);
  char *after = text_of(result);
  assert_string_equal(before, after);
  cinseq_free(before);
  cinseq_free(after);
  cinseq_result_close(result);
  assert_int_equal(cinseq_result_parse("{}", &result, &error), CINSEQ_EINVAL);
  assert_null(result);
}

static void steps_are_sequences(void **state) {
  (void)state;
  cinseq_result *result = attribute("stories260K", "{\"input_texts\": [\"Once\"], \"output_step_attributions\": true,"
                                                   " \"generation_kwargs\": {\"max_new_tokens\": 3}}");
  size_t steps = 0;
  while (cinseq_result_step(result, steps)) steps++;
  assert_int_equal(steps, 3);
  assert_int_equal(cinseq_sequence_attributions(cinseq_result_step(result, 0), CINSEQ_TARGET).shape[1], 1);
  cinseq_result_close(result);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_copy_says_the_same),
                                     cmocka_unit_test(wrong_shapes_change_nothing),
                                     cmocka_unit_test(steps_are_sequences)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
