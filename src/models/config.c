/* Reading config.json for the builder: typed look-ups whose errors name key, value and what was expected. See builder.h. */
#include "models/builder.h"
#include <stdio.h>

/* A wrong value in a file is the file's fault, whatever reads it: not a wrong request. */
static void note(ci_builder *b, ci_status status) {
  b->status = status == CI_EINVAL ? CI_EMODEL : status;
  if (status == CI_EINVAL && b->err) b->err->code = CI_EMODEL;
}

static const json_t *object(const ci_builder *b) { return b->inside ? b->inside : b->model->config; }

/* Names the file, and the object inside it that is being read. */
static const char *where(const ci_builder *b) { return b->inside ? b->inside_name : "config.json"; }

static bool is_absent(const json_t *value) { return !value || json_is_null(value); }

int64_t ci_config_int(ci_builder *b, const char *key, int64_t fallback, int64_t min, int64_t max) {
  int64_t value = fallback;
  if (!b->status) note(b, ci_json_get_int(object(b), where(b), key, fallback, min, max, &value, b->err));
  return b->status ? min : value;
}

size_t ci_config_size(ci_builder *b, const char *key, size_t fallback, size_t min) {
  return (size_t)ci_config_int(b, key, (int64_t)fallback, (int64_t)min, INT32_MAX);
}

static void need(ci_builder *b, const char *key) {
  if (!b->status && is_absent(json_object_get(object(b), key))) ci_build_fail(b, where(b), "\"%s\" is missing", key);
}

int64_t ci_config_needed(ci_builder *b, const char *key, int64_t min, int64_t max) {
  need(b, key);
  return ci_config_int(b, key, min, min, max);
}

double ci_config_real(ci_builder *b, const char *key, double fallback) {
  double value = fallback;
  if (!b->status) note(b, ci_json_get_real(object(b), where(b), key, fallback, &value, b->err));
  return value;
}

double ci_config_real_needed(ci_builder *b, const char *key) {
  need(b, key);
  return ci_config_real(b, key, 1);
}

bool ci_config_bool(ci_builder *b, const char *key, bool fallback) {
  bool value = fallback;
  if (!b->status) note(b, ci_json_get_bool(object(b), where(b), key, fallback, &value, b->err));
  return value;
}

const char *ci_config_text(ci_builder *b, const char *key, const char *fallback) {
  const char *value = fallback;
  if (!b->status) note(b, ci_json_get_text(object(b), where(b), key, fallback, &value, b->err));
  return value;
}

void ci_config_alias(ci_builder *b, const char *alias, const char *key) {
  json_t *found = json_object_get(b->model->config, alias);
  if (!b->status && !is_absent(found) && json_object_set(b->model->config, key, found)) b->status = ci_fail_memory(b->err);
}

bool ci_config_enter(ci_builder *b, const char *key) {
  const json_t *found = json_object_get(object(b), key);
  if (b->status || is_absent(found)) return false;
  if (!json_is_object(found)) return ci_build_fail(b, where(b), "\"%s\": expected an object", key), false;
  snprintf(b->inside_name, sizeof b->inside_name, "config.json: \"%s\"", key);
  b->inside = found;
  return true;
}

void ci_config_leave(ci_builder *b) { b->inside = NULL; }

const double *ci_config_reals(ci_builder *b, const char *key, size_t n) {
  const json_t *list = json_object_get(object(b), key);
  if (!b->status && (!json_is_array(list) || json_array_size(list) != n))
    ci_build_fail(b, where(b), "\"%s\": expected a list of %zu numbers", key, n);
  double *values = ci_build_alloc(b, n, sizeof *values);
  for (size_t i = 0; values && i < n && !b->status; i++) {
    const json_t *value = json_array_get(list, i);
    if (!json_is_number(value)) ci_build_fail(b, where(b), "\"%s\": number %zu of the list is none", key, i);
    values[i] = json_number_value(value);
  }
  return values;
}

const char *ci_config_text_at(ci_builder *b, const char *key, size_t index, size_t n) {
  const json_t *list = json_object_get(object(b), key);
  if (b->status || is_absent(list)) return NULL;
  if (!json_is_array(list) || json_array_size(list) != n || !json_is_string(json_array_get(list, index)))
    return ci_build_fail(b, where(b), "\"%s\": expected a list of %zu texts", key, n), NULL;
  return json_string_value(json_array_get(list, index));
}

const json_t *ci_config_value(ci_builder *b, const char *key) {
  return json_object_get(object(b), key);
}

bool ci_config_lists(ci_builder *b, const char *key, int64_t value) {
  const json_t *list = json_object_get(object(b), key);
  bool found = false;
  if (b->status || is_absent(list)) return false;
  if (!json_is_array(list)) return ci_build_fail(b, where(b), "\"%s\": expected a list of integers", key), false;
  for (size_t i = 0; i < json_array_size(list); i++) {
    int64_t number;
    if (!ci_json_as_int(json_array_get(list, i), &number))
      return ci_build_fail(b, where(b), "\"%s\": expected a list of integers", key), false;
    found = found || number == value;
  }
  return found;
}

void ci_config_only(ci_builder *b, const char *key, const json_t *value) {
  const json_t *found = json_object_get(object(b), key);
  if (!b->status && !is_absent(found) && !json_equal(found, value)) {
    char *text = ci_json_text(found, JSON_ENCODE_ANY | JSON_COMPACT), *expected = ci_json_text(value, JSON_ENCODE_ANY);
    ci_build_fail(b, where(b), "\"%s\": %s is not supported for %s (only %s)", key, text ? text : "?",
                  b->model->architecture->id, expected ? expected : "?");
    ci_free(text);
    ci_free(expected);
  }
  json_decref((json_t *)value);
}
