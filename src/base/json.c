/* See json.h. */
#include "base/json.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include <math.h>
#include <string.h>

/* jansson does not always say that memory is out: a text may seem ill-formed where it ends instead. One that still does
 * when it is read again is. */
json_t *ci_json_load(const char *text, size_t length, size_t flags, json_error_t *problem, bool *no_memory) {
  json_t *value = json_loadb(text, length, flags, problem);
  if (!value) value = json_loadb(text, length, flags, problem);
  *no_memory = !value && (!problem->text[0] || json_error_code(problem) == json_error_out_of_memory);
  return value;
}

ci_status ci_json_parse(const char *where, const char *text, size_t length, json_t **value, ci_error *err) {
  json_error_t problem;
  bool no_memory;
  size_t flags = JSON_ALLOW_NUL | JSON_DECODE_ANY;
  *value = ci_json_load(text, length, flags, &problem, &no_memory);
  /* Hugging Face writes model_max_length as 10^30: such files are read with all numbers as reals. */
  if (!*value && json_error_code(&problem) == json_error_numeric_overflow)
    *value = ci_json_load(text, length, flags | JSON_DECODE_INT_AS_REAL, &problem, &no_memory);
  if (*value) return CI_OK;
  if (no_memory) return ci_fail_memory(err);
  return ci_fail(err, CI_EFILE, where, "is not valid JSON: %s at byte %d (line %d)", problem.text, problem.position,
                 problem.line);
}

ci_status ci_json_read_file(const char *path, json_t **value, ci_error *err) {
  char *text;
  size_t length;
  *value = NULL;
  ci_status status = ci_read_file(path, CI_LARGEST_JSON, &text, &length, err);
  if (status) return status;
  status = ci_json_parse(path, text, length, value, err);
  ci_free(text);
  return status;
}

ci_status ci_json_read_file_if_there(const char *path, json_t **value, ci_error *err) {
  *value = NULL;
  return ci_file_exists(path) ? ci_json_read_file(path, value, err) : CI_OK;
}

static int append(const char *bytes, size_t length, void *text) {
  ci_text_add_n(text, bytes, length);
  return ((ci_text *)text)->failed ? -1 : 0;
}

char *ci_json_text(const json_t *value, size_t flags) {
  ci_text text = {0};
  if (!value || json_dump_callback(value, append, &text, flags)) text.failed = true;
  char *whole = ci_text_take(&text);
  ci_text_free(&text);
  return whole;
}

static const char *type_name(const json_t *value) {
  switch (json_typeof(value)) {
  case JSON_OBJECT: return "an object";
  case JSON_ARRAY: return "an array";
  case JSON_STRING: return "a string";
  case JSON_INTEGER: return "an integer";
  case JSON_REAL: return "a number";
  case JSON_TRUE:
  case JSON_FALSE: return "a boolean";
  case JSON_NULL: return "null";
  }
  return "nothing";
}

/* The value of key, NULL when it is absent or null. */
static const json_t *look_up(const json_t *object, const char *key) {
  const json_t *value = object ? json_object_get(object, key) : NULL;
  return json_is_null(value) ? NULL : value;
}

static ci_status wrong_type(const char *where, const char *key, const json_t *found, const char *expected, ci_error *err) {
  return ci_fail(err, CI_EINVAL, where, "\"%s\" is %s, expected %s", key, type_name(found), expected);
}

bool ci_json_as_int(const json_t *value, int64_t *out) {
  if (json_is_integer(value)) {
    *out = json_integer_value(value);
    return true;
  }
  if (!json_is_real(value)) return false;
  double real = json_real_value(value);
  if (!(fabs(real) <= 9007199254740992.0) || real != floor(real)) return false;
  *out = (int64_t)real;
  return true;
}

ci_status ci_json_get_int(const json_t *object, const char *where, const char *key, int64_t fallback, int64_t min,
                          int64_t max, int64_t *value, ci_error *err) {
  const json_t *found = look_up(object, key);
  *value = fallback;
  if (!found) return CI_OK;
  if (!ci_json_as_int(found, value)) return wrong_type(where, key, found, "an integer", err);
  if (*value < min || *value > max)
    return ci_fail(err, CI_EINVAL, where, "\"%s\" is %lld, expected %lld to %lld", key, (long long)*value, (long long)min,
                   (long long)max);
  return CI_OK;
}

ci_status ci_json_get_real(const json_t *object, const char *where, const char *key, double fallback, double *value,
                           ci_error *err) {
  const json_t *found = look_up(object, key);
  *value = fallback;
  if (!found) return CI_OK;
  if (!json_is_number(found)) return wrong_type(where, key, found, "a number", err);
  *value = json_number_value(found);
  return CI_OK;
}

ci_status ci_json_get_bool(const json_t *object, const char *where, const char *key, bool fallback, bool *value,
                           ci_error *err) {
  const json_t *found = look_up(object, key);
  *value = fallback;
  if (!found) return CI_OK;
  if (!json_is_boolean(found)) return wrong_type(where, key, found, "true or false", err);
  *value = json_is_true(found);
  return CI_OK;
}

ci_status ci_json_get_text(const json_t *object, const char *where, const char *key, const char *fallback,
                           const char **value, ci_error *err) {
  const json_t *found = look_up(object, key);
  *value = fallback;
  if (!found) return CI_OK;
  if (!json_is_string(found)) return wrong_type(where, key, found, "a string", err);
  *value = json_string_value(found);
  return CI_OK;
}
