/* Arrays as json_tricks writes them: there and back, and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/memory.h"
#include "output/ndarray.h"
#include <math.h>
#include <string.h>

static void there_and_back(void **state) {
  (void)state;
  float data[] = {1, -2.5f, NAN, INFINITY, 0, 1e-30f};
  ci_ndarray array = {.rank = 3, .shape = {1, 2, 3}, .data = data}, again;
  ci_error err = {0};
  json_t *value = ci_ndarray_write(&array, true);
  assert_string_equal(json_string_value(json_object_get(value, "dtype")), "float32");
  assert_true(json_is_true(json_object_get(value, "Corder")));
  assert_int_equal(ci_ndarray_read("file", "x", value, &again, &err), CI_OK);
  assert_true(again.rank == 3 && again.shape[0] == 1 && again.shape[1] == 2 && again.shape[2] == 3);
  assert_memory_equal(again.data, data, sizeof data);
  ci_free(again.data);
  json_decref(value);
  ci_ndarray none = {.rank = 1, .shape = {0}, .data = data};
  value = ci_ndarray_write(&none, true);
  assert_null(json_object_get(value, "Corder"));
  assert_int_equal(ci_ndarray_read("file", "x", value, &again, &err), CI_OK);
  assert_true(again.rank == 1 && again.shape[0] == 0);
  ci_free(again.data);
  json_decref(value);
}

/* gzip of eight zero bytes: two float32. */
#define EIGHT "b64.gz:H4sIAAAAAAACA2NggAAAad8iZQgAAAA="

static void packed_arrays_are_read(void **state) {
  (void)state;
  ci_ndarray array;
  ci_error err = {0};
  json_t *value = json_pack("{s:s, s:s, s:[i]}", "__ndarray__", EIGHT, "dtype", "float32", "shape", 2);
  if (ci_ndarray_read("file", "x", value, &array, &err)) fail_msg("%s", err.message);
  assert_true(array.data[0] == 0 && array.data[1] == 0);
  ci_free(array.data);
  json_decref(value);
}

/* As Inseq's ndarray_compact=False writes them, of any type that its arrays have. */
static void lists_are_written_and_read(void **state) {
  (void)state;
  float data[] = {1, -2.5f, NAN, 0.25f};
  ci_ndarray array = {.rank = 2, .shape = {2, 2}, .data = data}, again;
  ci_error err = {0};
  json_t *value = ci_ndarray_write(&array, false);
  assert_true(json_is_array(json_object_get(value, "__ndarray__")));
  assert_int_equal(ci_ndarray_read("file", "x", value, &again, &err), CI_OK);
  for (int i = 0; i < 4; i++) assert_true(i == 2 ? isnan(again.data[i]) : again.data[i] == data[i]);
  ci_free(again.data);
  json_decref(value);
  value = json_pack("{s:[i, i], s:s, s:[i]}", "__ndarray__", 7, -3, "dtype", "int64", "shape", 2);
  assert_int_equal(ci_ndarray_read("file", "x", value, &again, &err), CI_OK);
  assert_true(again.integers && again.data[0] == 7 && again.data[1] == -3);
  ci_free(again.data);
  json_decref(value);
  value = json_pack("{s:s, s:s, s:[i]}", "__ndarray__", "b64:AAAAAAAA4D8=", "dtype", "float64", "shape", 1);
  assert_int_equal(ci_ndarray_read("file", "x", value, &again, &err), CI_OK);
  assert_true(again.data[0] == 0.5f);
  ci_free(again.data);
  json_decref(value);
}

static void hostile_arrays_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *json, *message;
  } rows[] = {
      {"[]", "no array of float32"},
      {"{}", "no array of float32"},
      {"{\"dtype\": \"float16\", \"shape\": [1], \"__ndarray__\": \"b64:AAAAAA==\"}", "no array of float32"},
      {"{\"dtype\": \"float64\", \"shape\": [1], \"__ndarray__\": \"b64:AAAAAA==\"}", "another size"},
      {"{\"dtype\": \"float32\", \"__ndarray__\": \"b64:AAAAAA==\"}", "no \"shape\""},
      {"{\"dtype\": \"float32\", \"shape\": [1,1,1,1,1,1], \"__ndarray__\": \"b64:AAAAAA==\"}", "no \"shape\""},
      {"{\"dtype\": \"float32\", \"shape\": [-1], \"__ndarray__\": \"b64:AAAAAA==\"}", "\"shape\" that is none"},
      {"{\"dtype\": \"float32\", \"shape\": [\"1\"], \"__ndarray__\": \"b64:AAAAAA==\"}", "\"shape\" that is none"},
      {"{\"dtype\": \"float32\", \"shape\": [99999, 99999], \"__ndarray__\": \"b64:AAAAAA==\"}", "larger than 2 GB"},
      {"{\"dtype\": \"float32\", \"shape\": [1], \"Corder\": false, \"__ndarray__\": \"b64:AAAAAA==\"}", "C's order"},
      {"{\"dtype\": \"float32\", \"shape\": [1], \"__ndarray__\": 0.5}", "another shape"},
      {"{\"dtype\": \"float32\", \"shape\": [2], \"__ndarray__\": [0.5]}", "another shape"},
      {"{\"dtype\": \"float32\", \"shape\": [1, 2], \"__ndarray__\": [[0.5, \"1\"]]}", "no number"},
      {"{\"dtype\": \"float32\", \"shape\": [20000, 20000], \"__ndarray__\": [[0.5]]}", "another shape"},
      {"{\"dtype\": \"float32\", \"shape\": [1], \"__ndarray__\": \"AAAAAA==\"}", "b64.gz"},
      {"{\"dtype\": \"float32\", \"shape\": [1], \"__ndarray__\": \"b64:AAAAA\"}", "not base64"},
      {"{\"dtype\": \"float32\", \"shape\": [2], \"__ndarray__\": \"b64:AAAAAA==\"}", "another size than its shape"},
      {"{\"dtype\": \"float32\", \"shape\": [1], \"__ndarray__\": \"" EIGHT "\"}", "not whole gzip"},
      {"{\"dtype\": \"float32\", \"shape\": [3], \"__ndarray__\": \"" EIGHT "\"}", "not whole gzip"},
      {"{\"dtype\": \"float32\", \"shape\": [536870911], \"__ndarray__\": \"" EIGHT "\"}", "another size"}, /* a bomb */
      {"{\"dtype\": \"float32\", \"shape\": [2], \"__ndarray__\": \"b64.gz:AAAAAA==\"}", "not whole gzip"},
      {"{\"dtype\": \"float32\", \"shape\": [2], \"__ndarray__\": \"b64.gz:H4sIAAAAAAACA2NgQAYA\"}", "not whole gzip"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    ci_ndarray array;
    ci_error err = {0};
    json_t *value = json_loads(rows[i].json, 0, NULL);
    assert_non_null(value);
    assert_int_equal(ci_ndarray_read("file", "x", value, &array, &err), CI_EFILE);
    if (!strstr(err.message, rows[i].message)) fail_msg("%s: %s", rows[i].json, err.message);
    assert_string_equal(err.where, "file");
    assert_null(array.data);
    json_decref(value);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back), cmocka_unit_test(packed_arrays_are_read), cmocka_unit_test(lists_are_written_and_read),
                                     cmocka_unit_test(hostile_arrays_are_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
