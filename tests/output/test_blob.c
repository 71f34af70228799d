/* base64 and arrays as base64 safetensors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "output/blob.h"

static void test_base64(void **state) {
  (void)state;
  static const char *const cases[][2] = {{"", ""},
                                         {"f", "Zg=="},
                                         {"fo", "Zm8="},
                                         {"foo", "Zm9v"},
                                         {"foob", "Zm9vYg=="},
                                         {"fooba", "Zm9vYmE="},
                                         {"foobar", "Zm9vYmFy"}}; /* RFC 4648 */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ci_text text = {0};
    uint8_t out[8];
    size_t length;
    ci_base64_add(&text, cases[i][0], strlen(cases[i][0]));
    assert_string_equal(text.data ? text.data : "", cases[i][1]);
    assert_true(ci_base64_decode(cases[i][1], strlen(cases[i][1]), out, &length));
    assert_int_equal(length, strlen(cases[i][0]));
    assert_memory_equal(out, cases[i][0], length);
    ci_text_free(&text);
  }
}

static void test_base64_long(void **state) {
  (void)state;
  uint8_t bytes[2000], back[2000 + 2];
  for (int i = 0; i < 2000; i++) bytes[i] = (uint8_t)(i * 37 + i / 256);
  for (size_t length = 1990; length <= 2000; length++) {
    ci_text text = {0};
    size_t decoded;
    ci_base64_add(&text, bytes, length);
    assert_int_equal(text.length, (length + 2) / 3 * 4);
    assert_true(ci_base64_decode(text.data, text.length, back, &decoded));
    assert_int_equal(decoded, length);
    assert_memory_equal(back, bytes, length);
    ci_text_free(&text);
  }
}

static void test_bad_base64(void **state) {
  (void)state;
  static const char *const cases[] = {"Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm 9", "Zm9\n", "Zm9-", "Zh==", "Zm9="};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t out[8];
    size_t length;
    if (ci_base64_decode(cases[i], strlen(cases[i]), out, &length)) fail_msg("%s was accepted", cases[i]);
  }
}

/* Header, padding, bits of NaN. */
static void test_as_inseq_writes(void **state) {
  (void)state;
  ci_array array;
  ci_error err = {0};
  assert_int_equal(ci_array_create(&array, 1, (const size_t[]){2}, &err), CI_OK);
  array.data[0] = 1;
  array.data[1] = NAN;
  ci_text text = {0};
  assert_int_equal(ci_blob_write(&array, CI_SAVE_FLOAT32, &text, &err), CI_OK);
  uint8_t bytes[128];
  size_t length;
  assert_true(text.length < 160);
  assert_true(ci_base64_decode(text.data, text.length, bytes, &length));
  static const char wanted[] = "{\"attribution\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
  size_t header = (strlen(wanted) + 7) / 8 * 8;
  assert_int_equal(length, 8 + header + 8);
  assert_int_equal(bytes[0], header);
  assert_memory_equal(bytes + 8, wanted, strlen(wanted));
  assert_memory_equal(bytes + 8 + header, "\0\0\x80\x3f\0\0\xc0\x7f", 8);
  ci_text_free(&text);
  ci_array_free(&array);
}

static void round_trip(bool integers, int rank, const size_t *shape) {
  ci_array array, back;
  ci_error err = {0};
  assert_int_equal(ci_array_create(&array, rank, shape, &err), CI_OK);
  array.integers = integers;
  for (size_t i = 0; i < ci_array_size(&array); i++) array.data[i] = integers ? (float)i - 3 : (float)i * 0.37f - 1;
  ci_text text = {0};
  assert_int_equal(ci_blob_write(&array, CI_SAVE_FLOAT32, &text, &err), CI_OK);
  json_t *value = json_stringn(text.data, text.length);
  assert_int_equal(ci_blob_read("file", "array", value, &back, &err), CI_OK);
  assert_true(back.integers == integers && back.rank == rank && ci_array_size(&back) == ci_array_size(&array));
  assert_memory_equal(back.shape, array.shape, sizeof back.shape);
  assert_memory_equal(back.data, array.data, ci_array_size(&array) * sizeof *array.data);
  json_decref(value);
  ci_text_free(&text);
  ci_array_free(&array);
  ci_array_free(&back);
}

/* Bits as torch's .to(float16) and .to(float8_e4m3fn) give them. */
static void test_narrow_types(void **state) {
  (void)state;
  static const struct {
    float value;
    unsigned half, quarter;
  } rows[] = {{0, 0, 0},
              {-0.0f, 0x8000, 0x80},
              {1, 0x3c00, 0x38},
              {-0.1f, 0xae66, 0x9d},
              {0.0031f, 0x1a59, 0x02},
              {0.0009f, 0x135f, 0x00},
              {0x1p-10f, 0x1400, 0x00}, /* half of the least: to even */
              {0x3p-10f, 0x1a00, 0x02},
              {0x1p-25f, 0x0000, 0x00},
              {0x1.8p-24f, 0x0002, 0x00},
              {0x1.ffcp-15f, 0x0400, 0x00},
              {17, 0x4c40, 0x58}, /* between 16 and 18: to even */
              {19, 0x4cc0, 0x5a},
              {448, 0x5f00, 0x7e},
              {460, 0x5f30, 0x7e},
              {1e4f, 0x70e2, 0x7e},
              {65519, 0x7bff, 0x7e},
              {65520, 0x7c00, 0x7e},
              {-INFINITY, 0xfc00, 0xfe},
              {NAN, 0x7e00, 0x7f}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    ci_array array;
    ci_error err = {0};
    assert_int_equal(ci_array_create(&array, 1, (const size_t[]){1}, &err), CI_OK);
    array.data[0] = rows[i].value;
    for (ci_saved_type type = CI_SAVE_FLOAT16; type <= CI_SAVE_FLOAT8; type++) {
      uint8_t bytes[128];
      size_t length, size = type == CI_SAVE_FLOAT16 ? 2 : 1;
      ci_text text = {0};
      assert_int_equal(ci_blob_write(&array, type, &text, &err), CI_OK);
      assert_true(ci_base64_decode(text.data, text.length, bytes, &length));
      unsigned code = bytes[length - size] | (size == 2 ? (unsigned)bytes[length - 1] << 8 : 0);
      unsigned wanted = size == 2 ? rows[i].half : rows[i].quarter;
      if (code != wanted) fail_msg("%g in %zu bytes: %x, expected %x", (double)rows[i].value, size, code, wanted);
      ci_text_free(&text);
    }
    ci_array_free(&array);
  }
}

static void test_round_trips(void **state) {
  (void)state;
  round_trip(false, 1, (const size_t[]){7});
  round_trip(false, 4, (const size_t[]){2, 3, 4, 5});
  round_trip(false, 3, (const size_t[]){2, 0, 4});
  round_trip(false, 0, NULL);
  round_trip(true, 1, (const size_t[]){9});
}

/* No integer stands for these: the nearest is written, without undefined behaviour. */
static void test_wild_integers(void **state) {
  (void)state;
  ci_array array, back;
  ci_error err = {0};
  assert_int_equal(ci_array_create(&array, 1, (const size_t[]){4}, &err), CI_OK);
  array.integers = true;
  memcpy(array.data, (const float[]){NAN, INFINITY, -INFINITY, 0x1p63f}, 16);
  ci_text text = {0};
  assert_int_equal(ci_blob_write(&array, CI_SAVE_FLOAT32, &text, &err), CI_OK);
  json_t *value = json_stringn(text.data, text.length);
  assert_int_equal(ci_blob_read("file", "array", value, &back, &err), CI_OK);
  const float wanted[] = {0, 0x1p63f, -0x1p63f, 0x1p63f};
  assert_memory_equal(back.data, wanted, sizeof wanted);
  json_decref(value);
  ci_text_free(&text);
  ci_array_free(&array);
  ci_array_free(&back);
}

/* header, then data, as base64 in a JSON string */
static json_t *blob_of(const char *header, const char *data, size_t length) {
  ci_text file = {0}, text = {0};
  const char size[8] = {(char)strlen(header)};
  ci_text_add_n(&file, size, 8);
  ci_text_add(&file, header);
  ci_text_add_n(&file, data, length);
  ci_base64_add(&text, file.data, file.length);
  json_t *value = json_stringn(text.data, text.length);
  assert_non_null(value);
  ci_text_free(&file);
  ci_text_free(&text);
  return value;
}

#define HEADER(name, dtype, shape, end)                                                                                \
  "{\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[0," end "]}}"

/* scores_precision float16 and float8. */
static void test_small_floats(void **state) {
  (void)state;
  ci_array array;
  ci_error err = {0};
  json_t *half = blob_of(HEADER("attribution", "F16", "[2]", "4"), "\x00\x3c\x00\x7e", 4);
  assert_int_equal(ci_blob_read("file", "array", half, &array, &err), CI_OK);
  assert_true(array.data[0] == 1 && isnan(array.data[1]) && !array.integers);
  ci_array_free(&array);
  json_t *eighth = blob_of(HEADER("attribution", "F8_E4M3", "[3]", "3"), "\x38\xfe\x7f", 3);
  assert_int_equal(ci_blob_read("file", "array", eighth, &array, &err), CI_OK);
  assert_true(array.data[0] == 1 && array.data[1] == -448 && isnan(array.data[2]));
  ci_array_free(&array);
  json_decref(half);
  json_decref(eighth);
}

static void test_hostile(void **state) {
  (void)state;
  struct {
    json_t *value;
    const char *message;
  } cases[] = {
      {json_integer(3), "not a base64 string"},
      {json_object(), "no array of float32"},
      {json_string("%%%%"), "is not base64"},
      {json_string(""), "too short"},
      {json_string("AAAA"), "too short"},
      {blob_of("{}", "", 0), "holds 0 tensors"},
      {blob_of(HEADER("other", "F32", "[1]", "4"), "1234", 4), "expected one, \"attribution\""},
      {blob_of(HEADER("attribution", "F32", "[2]", "8"), "1234", 4), "out of range"},
      {blob_of(HEADER("attribution", "F32", "[1,1,1,1,1]", "4"), "1234", 4), "5 dimensions, expected at most 4"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ci_array array;
    ci_error err = {0};
    assert_int_equal(ci_blob_read("file.json", "sequence 0, x", cases[i].value, &array, &err), CI_EFILE);
    assert_null(array.data);
    assert_string_equal(err.where, "file.json");
    assert_non_null(strstr(err.message, "sequence 0, x: "));
    if (!strstr(err.message, cases[i].message)) fail_msg("%s: no %s", err.message, cases[i].message);
    json_decref(cases[i].value);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_base64),          cmocka_unit_test(test_base64_long), cmocka_unit_test(test_bad_base64),
      cmocka_unit_test(test_as_inseq_writes), cmocka_unit_test(test_narrow_types), cmocka_unit_test(test_round_trips), cmocka_unit_test(test_wild_integers),
      cmocka_unit_test(test_small_floats),    cmocka_unit_test(test_hostile),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
