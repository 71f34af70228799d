/* Windows of occlusion: what they mean, that the memory budget does not change them, and errors. Inseq's numbers:
 * tests/golden. */
#include "support/attributed.h"

static void windows_as_numbers_and_as_shapes_are_the_same(void **state) {
  (void)state;
  cinseq_model *story = attributed_model("stories260K"), *pair = attributed_model("zh-en-mini");
  static const char *const same[][2] = {
      {"{}", "{\"sliding_window_shapes\": [1, 64], \"strides\": 1, \"perturbations_per_eval\": 4}"},
      {"{\"sliding_window_shapes\": 3, \"strides\": 2}",
       "{\"sliding_window_shapes\": [[3, 64]], \"strides\": [[2, 64]]}"}};
  for (size_t i = 0; i < 2; i++) {
    cinseq_result *a = attributed_by(story, "occlusion", STORY, same[i][0]),
                  *b = attributed_by(story, "occlusion", STORY "\"memory_budget\": \"64M\", \"threads\": 1, ",
                                     same[i][1]);
    assert_true(attributed_apart(attributed_array(a, CINSEQ_TARGET), attributed_array(b, CINSEQ_TARGET)) < 1e-4);
    cinseq_result_close(a);
    cinseq_result_close(b);
  }
  cinseq_result *a = attributed_by(story, "occlusion", STORY, same[0][0]),
                *b = attributed_by(story, "occlusion", STORY, same[1][0]);
  const json_t *shape = json_object_get(json_object_get(a->info, "attribution_args"), "sliding_window_shapes");
  assert_int_equal(json_integer_value(json_array_get(shape, 1)), 64); /* noted, as Inseq does */
  assert_true(attributed_apart(attributed_array(a, CINSEQ_TARGET), attributed_array(b, CINSEQ_TARGET)) > 0.05);
  cinseq_result_close(a);
  cinseq_result_close(b);
  a = attributed_by(pair, "occlusion", SENTENCE "\"attribute_target\": true, ",
                    "{\"sliding_window_shapes\": [[2, 192], [1, 192]]}");
  b = attributed_by(pair, "occlusion", SENTENCE "\"attribute_target\": true, ", "{}");
  assert_true(attributed_apart(attributed_array(a, CINSEQ_TARGET), attributed_array(b, CINSEQ_TARGET)) < 1e-6);
  assert_true(attributed_apart(attributed_array(a, CINSEQ_SOURCE), attributed_array(b, CINSEQ_SOURCE)) > 0.01);
  cinseq_result_close(a);
  cinseq_result_close(b);
  cinseq_model_close(story);
  cinseq_model_close(pair);
}

/* Windows side by side: the tokens of one have one score, but for the last window, which a step may cut short. */
static void tokens_of_a_window_share_its_score(void **state) {
  (void)state;
  cinseq_model *story = attributed_model("stories260K");
  cinseq_result *result = attributed_by(story, "occlusion", STORY, "{\"sliding_window_shapes\": 3, \"strides\": 3}");
  const ci_array *x = attributed_array(result, CINSEQ_TARGET);
  size_t rows = x->shape[0], columns = x->shape[1], start = result->sequences[0].attr_pos_start;
  assert_int_equal(start + columns, rows);
  for (size_t t = 0; t < columns; t++)
    for (size_t r = 0; r < rows; r++) {
      float score = x->data[r * columns + t];
      assert_int_equal(isnan(score), r >= start + t);
      if (r < start + t) assert_true(score == x->data[r / 3 * 3 * columns + t]);
    }
  cinseq_result_close(result);
  cinseq_model_close(story);
}

static void wrong_windows_are_explained(void **state) {
  (void)state;
  cinseq_model *story = attributed_model("stories260K");
  attributed_fails(story, "occlusion", STORY, "{\"sliding_window_shapes\": [1, 32]}", "sliding_window_shapes", "64");
  attributed_fails(story, "occlusion", STORY, "{\"sliding_window_shapes\": 0}", "sliding_window_shapes", "1 to");
  attributed_fails(story, "occlusion", STORY, "{\"sliding_window_shapes\": \"2\"}", "sliding_window_shapes",
                   "a number of tokens");
  attributed_fails(story, "occlusion", STORY, "{\"sliding_window_shapes\": 2, \"strides\": 3}", "strides", "1 to 2");
  attributed_fails(story, "occlusion", STORY, "{\"perturbations_per_eval\": 0}", "attribution_kwargs",
                   "perturbations_per_eval");
  cinseq_model_close(story);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(windows_as_numbers_and_as_shapes_are_the_same),
                                     cmocka_unit_test(tokens_of_a_window_share_its_score),
                                     cmocka_unit_test(wrong_windows_are_explained)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
