/* Saving and loading by path; the table of outputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "output/output.h"

static void test_save_and_load(void **state) {
  (void)state;
  char folder[] = "/tmp/cinseq-outputs-XXXXXX", path[64];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/r.json", folder);
  ci_result *result, *again;
  ci_error err = {0};
  assert_int_equal(ci_result_load(TEST_DATA "/results/marian_occlusion_target.json", &result, &err), CI_OK);
  assert_int_equal(ci_result_save(result, path, &err), CI_OK);
  assert_int_equal(ci_result_save(result, path, &err), CI_OK); /* over the old file */
  assert_int_equal(ci_result_load(path, &again, &err), CI_OK);
  assert_true(json_equal(result->info, again->info));
  const ci_array *a = &result->sequences[0].source_attributions, *b = &again->sequences[0].source_attributions;
  assert_int_equal(ci_array_size(a), ci_array_size(b));
  assert_memory_equal(a->data, b->data, ci_array_size(a) * sizeof *a->data);
  ci_result_close(again);
  ci_result_close(result);
  unlink(path);
  assert_int_equal(rmdir(folder), 0); /* nothing else was left beside it */
}

static void test_failures(void **state) {
  (void)state;
  ci_result *result;
  ci_error err = {0};
  assert_int_equal(ci_result_load("/nowhere/r.json", &result, &err), CI_EFILE);
  assert_string_equal(err.where, "/nowhere/r.json");
  assert_null(result);
  result = ci_result_create(0);
  assert_int_equal(ci_result_save(result, "/nowhere/r.json", &err), CI_EFILE);
  assert_string_equal(err.where, "/nowhere/r.json");
  ci_result_close(result);
}

static void test_table(void **state) {
  (void)state;
  size_t count;
  const ci_output *rows = ci_outputs(&count);
  for (size_t i = 0; i < count; i++) assert_ptr_equal(ci_output_find(rows[i].id), &rows[i]);
  assert_non_null(ci_output_find("json"));
  assert_null(ci_output_find("nothing"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_save_and_load),
      cmocka_unit_test(test_failures),
      cmocka_unit_test(test_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
