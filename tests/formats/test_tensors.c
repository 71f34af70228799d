/* The collection of tensors and the table of formats, on the embedded models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "formats/format.h"

static void test_embedded_models(void **state) {
  (void)state;
  static const char *const folders[] = {MODELS "/zh-en-mini", MODELS "/stories260K"};
  for (int i = 0; i < 2; i++) {
    ci_tensors *tensors;
    ci_error err = {0};
    assert_int_equal(ci_tensors_open(folders[i], &tensors, &err), CI_OK);
    assert_true(ci_tensors_count(tensors) > 10);
    size_t bytes = 0;
    for (size_t t = 0; t < ci_tensors_count(tensors); t++) {
      const ci_tensor *tensor = ci_tensors_at(tensors, t);
      assert_ptr_equal(ci_tensors_find(tensors, tensor->name), tensor);
      assert_int_equal((uintptr_t)tensor->data % ci_dtype_size(tensor->type), 0);
      bytes += tensor->count * ci_dtype_size(tensor->type);
      float last;
      ci_tensor_widen(tensor, tensor->count - 1, 1, &last);
      assert_true(isfinite(last));
    }
    assert_int_equal(bytes, ci_tensors_bytes(tensors));
    ci_tensors_close(tensors);
  }
}

static void test_no_checkpoint(void **state) {
  (void)state;
  ci_tensors *tensors;
  ci_error err = {0};
  assert_int_equal(ci_tensors_open(TEST_DATA, &tensors, &err), CI_EFILE);
  assert_string_equal(err.where, TEST_DATA);
  assert_non_null(strstr(err.message, "model.safetensors.index.json"));
  assert_int_equal(ci_tensors_open("/nowhere/at/all", &tensors, &err), CI_EFILE);
  assert_non_null(strstr(err.message, "is not a folder"));
}

static void test_many(void **state) {
  (void)state;
  ci_tensors *tensors = ci_tensors_create();
  assert_non_null(tensors);
  ci_error err = {0};
  char name[32];
  const float one = 1;
  for (int i = 0; i < 5000; i++) {
    snprintf(name, sizeof name, "layer.%d", i);
    ci_tensor tensor = {.name = name, .file = "memory", .type = CI_F32, .rank = 1, .shape = {1}, .data = &one};
    assert_int_equal(ci_tensors_add(tensors, &tensor, &err), CI_OK);
  }
  for (int i = 0; i < 5000; i++) {
    snprintf(name, sizeof name, "layer.%d", i);
    assert_string_equal(ci_tensors_find(tensors, name)->name, name);
  }
  assert_int_equal(ci_tensors_bytes(tensors), 20000);
  ci_tensor again = {.name = "layer.7", .file = "other", .type = CI_F32, .rank = 1, .shape = {1}, .data = &one};
  assert_int_equal(ci_tensors_add(tensors, &again, &err), CI_EFILE);
  assert_string_equal(err.where, "other");
  assert_non_null(strstr(err.message, "\"layer.7\" is there twice, also in memory"));
  ci_tensors_close(tensors);
}

static void test_rows(void **state) {
  (void)state;
  size_t count;
  const ci_format_row *rows = ci_format_rows(&count);
  assert_true(count >= 2);
  assert_string_equal(rows[0].id, "memory");
  assert_string_equal(rows[1].id, "safetensors");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_embedded_models),
      cmocka_unit_test(test_no_checkpoint),
      cmocka_unit_test(test_many),
      cmocka_unit_test(test_rows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
