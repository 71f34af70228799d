/* Making, copying and freeing results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "aggregate/aggregator.h"
#include "base/memory.h"

static void test_create(void **state) {
  (void)state;
  ci_result *result = ci_result_create(3);
  assert_non_null(result);
  assert_int_equal(result->count, 3);
  assert_true(json_is_object(result->info) && json_object_size(result->info) == 0);
  assert_null(result->statistics);
  assert_null(result->sequences[2].target_attributions.data);
  ci_result_close(result);
  ci_result_close(NULL);
}

static void test_arrays(void **state) {
  (void)state;
  ci_array array, copy;
  ci_error err = {0};
  assert_int_equal(ci_array_create(&array, 3, (const size_t[]){2, 3, 4}, &err), CI_OK);
  assert_int_equal(ci_array_size(&array), 24);
  for (int i = 0; i < 24; i++) assert_true(array.data[i] == 0);
  array.data[23] = 5;
  array.integers = true;
  assert_int_equal(ci_array_copy(&array, &copy, &err), CI_OK);
  assert_true(copy.integers && copy.rank == 3 && copy.shape[2] == 4 && copy.data[23] == 5 && copy.data != array.data);
  ci_array_free(&copy);
  ci_array_free(&array);
  assert_null(array.data);
  assert_int_equal(ci_array_size(&array), 0);

  assert_int_equal(ci_array_create(&array, 2, (const size_t[]){0, 7}, &err), CI_OK);
  assert_non_null(array.data); /* an empty array is not None */
  ci_array_free(&array);
  assert_int_equal(ci_array_create(&array, 5, (const size_t[]){1, 1, 1, 1, 1}, &err), CI_EINVAL);
  assert_int_equal(ci_array_create(&array, 2, (const size_t[]){SIZE_MAX / 2, 4}, &err), CI_ENOMEM);
  assert_null(array.data);
}

static void test_copy_frame(void **state) {
  (void)state;
  ci_sequence from = {.kind = CI_GRANULAR, .attr_pos_start = 1, .attr_pos_end = 2}, to;
  ci_token tokens[] = {{.id = 7, .token = (char *)"a"}, {.id = -1, .token = (char *)"b"}};
  ci_named_array score = {.name = (char *)"probability"};
  ci_error err = {0};
  assert_int_equal(ci_array_create(&score.values, 1, (const size_t[]){1}, &err), CI_OK);
  assert_int_equal(ci_array_create(&from.target_attributions, 2, (const size_t[]){2, 1}, &err), CI_OK);
  score.values.data[0] = 0.25f;
  from.target = tokens;
  from.target_count = 2;
  from.step_scores = &score;
  from.step_scores_count = 1;
  assert_int_equal(ci_sequence_copy_frame(&from, &to, &err), CI_OK);
  assert_true(to.kind == CI_GRANULAR && to.attr_pos_start == 1 && to.attr_pos_end == 2 && to.source_count == 0);
  assert_string_equal(to.target[1].token, "b");
  assert_int_equal(to.target[1].id, -1);
  assert_true(to.step_scores[0].values.data[0] == 0.25f);
  assert_string_equal(to.step_scores[0].name, "probability");
  assert_null(to.target_attributions.data);
  ci_sequence_free(&to);
  assert_null(to.target);
  ci_array_free(&score.values);
  ci_array_free(&from.target_attributions);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_create),
      cmocka_unit_test(test_arrays),
      cmocka_unit_test(test_copy_frame),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
