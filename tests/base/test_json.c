/* Numbers as Hugging Face writes them, typed look-ups, errors with file and byte. */
#include "base/json.h"
#include "base/memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static json_t *parse(const char *text) {
  json_t *value = NULL;
  ci_error err = {0};
  if (ci_json_parse("test", text, strlen(text), &value, &err)) fail_msg("%s: %s", text, err.message);
  return value;
}

static void refused(const char *text, size_t length) {
  json_t *value = NULL;
  ci_error err = {0};
  assert_int_equal(ci_json_parse("some/config.json", text, length, &value, &err), CI_EFILE);
  assert_null(value);
  assert_string_equal(err.where, "some/config.json");
  assert_non_null(strstr(err.message, "byte"));
}

/* "model_max_length": 10^30 is in thousands of tokenizer_config.json files. */
static void numbers_too_large_for_64_bits(void **state) {
  (void)state;
  json_t *value =
      parse("{\"model_max_length\": 1000000000000000019884624838656, \"pad\": 7, \"big\": 9223372036854775807}");
  int64_t n = 0;
  double real = 0;
  ci_error err = {0};
  assert_int_equal(ci_json_get_real(value, "f", "model_max_length", 0, &real, &err), CI_OK);
  assert_true(real == 1e30);
  assert_int_equal(ci_json_get_int(value, "f", "pad", -1, 0, 100, &n, &err), CI_OK);
  assert_int_equal(n, 7);
  assert_int_equal(ci_json_get_int(value, "f", "model_max_length", 0, 0, INT64_MAX, &n, &err), CI_EINVAL);
  json_decref(value);
  value = parse("{\"big\": 9223372036854775807}");
  assert_int_equal(ci_json_get_int(value, "f", "big", 0, 0, INT64_MAX, &n, &err), CI_OK);
  assert_true(n == INT64_MAX);
  json_decref(value);
}

static void whole_numbers(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool whole;
    int64_t value;
  } cases[] = {{"3", true, 3},      {"3.0", true, 3},   {"-2e3", true, -2000}, {"3.5", false, 0}, {"1e300", false, 0},
               {"\"3\"", false, 0}, {"true", false, 0}, {"null", false, 0},    {"[3]", false, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    json_t *value = parse(cases[i].text);
    int64_t n = 0;
    assert_int_equal(ci_json_as_int(value, &n), cases[i].whole);
    assert_int_equal(n, cases[i].value);
    json_decref(value);
  }
}

static void look_ups(void **state) {
  (void)state;
  json_t *o = parse("{\"i\": 5, \"r\": 2.5, \"b\": true, \"t\": \"gelu\", \"n\": null}");
  int64_t i = 0;
  double r = 0;
  bool b = false;
  const char *t = NULL;
  ci_error err = {0};
  assert_int_equal(ci_json_get_int(o, "f", "i", 1, 0, 9, &i, &err) || i != 5, 0);
  assert_int_equal(ci_json_get_real(o, "f", "r", 1, &r, &err) || r != 2.5, 0);
  assert_int_equal(ci_json_get_real(o, "f", "i", 1, &r, &err) || r != 5, 0);
  assert_int_equal(ci_json_get_bool(o, "f", "b", false, &b, &err) || !b, 0);
  assert_int_equal(ci_json_get_text(o, "f", "t", NULL, &t, &err), CI_OK);
  assert_string_equal(t, "gelu");
  for (int absent = 0; absent < 3; absent++) { /* null, missing, no object at all */
    const json_t *from = absent < 2 ? o : NULL;
    const char *key = absent ? "missing" : "n";
    assert_int_equal(ci_json_get_int(from, "f", key, -7, 0, 9, &i, &err) || i != -7, 0);
    assert_int_equal(ci_json_get_real(from, "f", key, -7, &r, &err) || r != -7, 0);
    assert_int_equal(ci_json_get_bool(from, "f", key, true, &b, &err) || !b, 0);
    assert_int_equal(ci_json_get_text(from, "f", key, "none", &t, &err), CI_OK);
    assert_string_equal(t, "none");
  }
  json_decref(o);
}

static void wrong_types_say_what_was_expected(void **state) {
  (void)state;
  json_t *o = parse("{\"layers\": \"two\", \"size\": 3}");
  int64_t i;
  double r;
  bool b;
  const char *t;
  ci_error err = {0};
  assert_int_equal(ci_json_get_int(o, "config.json", "layers", 1, 0, 9, &i, &err), CI_EINVAL);
  assert_string_equal(err.where, "config.json");
  assert_string_equal(err.message, "\"layers\" is a string, expected an integer");
  assert_int_equal(ci_json_get_real(o, "config.json", "layers", 1, &r, &err), CI_EINVAL);
  assert_int_equal(ci_json_get_bool(o, "config.json", "size", true, &b, &err), CI_EINVAL);
  assert_string_equal(err.message, "\"size\" is an integer, expected true or false");
  assert_int_equal(ci_json_get_text(o, "config.json", "size", "", &t, &err), CI_EINVAL);
  assert_int_equal(ci_json_get_int(o, "config.json", "size", 1, 5, 9, &i, &err), CI_EINVAL);
  assert_string_equal(err.message, "\"size\" is 3, expected 5 to 9");
  json_decref(o);
}

static void hostile_texts(void **state) {
  (void)state;
  refused("", 0);
  refused("{", 1);
  refused("{\"a\": 1}}", 9);
  refused("{\"a\": nan}", 10);
  refused("\"\xff\"", 3);
  char *deep = malloc(100001);
  memset(deep, '[', 100000);
  deep[100000] = 0;
  refused(deep, 100000);
  free(deep);
  json_t *value = NULL;
  ci_error err = {0};
  assert_int_equal(ci_json_parse("f", "\"a\\u0000b\"", 10, &value, &err), CI_OK); /* vocabularies have such tokens */
  assert_int_equal(json_string_length(value), 3);
  json_decref(value);
  assert_int_equal(ci_json_parse("f", "[1] x", 3, &value, &err), CI_OK); /* only `length` bytes are read */
  json_decref(value);
}

static void files(void **state) {
  (void)state;
  json_t *value = NULL;
  ci_error err = {0};
  assert_int_equal(ci_json_read_file(TEST_DATA "/golden/models/gpt2/config.json", &value, &err), CI_OK);
  assert_string_equal(json_string_value(json_object_get(value, "model_type")), "gpt2");
  json_decref(value);
  assert_int_equal(ci_json_read_file(TEST_DATA "/none.json", &value, &err), CI_EFILE);
  assert_string_equal(err.where, TEST_DATA "/none.json");
  assert_int_equal(ci_json_read_file_if_there(TEST_DATA "/none.json", &value, &err), CI_OK);
  assert_null(value);
  assert_int_equal(ci_json_read_file(TEST_DATA, &value, &err), CI_EFILE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_too_large_for_64_bits),     cmocka_unit_test(whole_numbers), cmocka_unit_test(look_ups),
      cmocka_unit_test(wrong_types_say_what_was_expected), cmocka_unit_test(hostile_texts), cmocka_unit_test(files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
