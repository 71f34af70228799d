/* See options.h. */
#include "base/options.h"
#include "base/memory.h"
#include "base/unknown.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MOST_OPTIONS = 128 };

const ci_option *ci_options_find(const ci_option *table, const char *name) {
  for (; table && table->name; table++)
    if (strcmp(table->name, name) == 0) return table;
  return NULL;
}

ci_status ci_options_unknown(const ci_option *const tables[], size_t count, const char *where, const char *key,
                             ci_error *err) {
  const char *names[MOST_OPTIONS];
  size_t used = 0;
  for (size_t i = 0; i < count; i++)
    for (const ci_option *o = tables[i]; o && o->name && used < MOST_OPTIONS; o++) names[used++] = o->name;
  return ci_fail_unknown(err, where, "option", key, names, used);
}

/* Whether word is one of "a|b|c". */
static bool is_choice(const char *choices, const char *word) {
  if (*choices == '@') return true;
  size_t length = strlen(word);
  for (const char *at = choices; *at;) {
    size_t n = strcspn(at, "|");
    if (n == length && memcmp(at, word, n) == 0) return true;
    at += n + (at[n] == '|');
  }
  return false;
}

static ci_status wrong(const ci_option *o, const char *where, const char *expected, ci_error *err) {
  return ci_fail(err, CI_EINVAL, where, "\"%s\" has the wrong type: expected %s", o->name, expected);
}

static ci_status set_number(const ci_option *o, const char *where, const json_t *value, void *field, ci_error *err) {
  int64_t whole = 0;
  if (o->type == CI_INT && !ci_json_as_int(value, &whole)) return wrong(o, where, "an integer", err);
  if (!json_is_number(value)) return wrong(o, where, "a number", err);
  double real = json_number_value(value);
  if ((o->min != 0 || o->max != 0) && !(real >= o->min && real <= o->max))
    return ci_fail(err, CI_EINVAL, where, "\"%s\" is %.16g, expected %.16g to %.16g", o->name, real, o->min, o->max);
  if (o->type == CI_INT)
    *(int64_t *)field = whole;
  else
    *(double *)field = real;
  return CI_OK;
}

/* Choices are "a|b|c". */
static ci_status unknown_choice(const ci_option *o, const char *where, const char *word, ci_error *err) {
  char list[256];
  const char *names[MOST_OPTIONS], *nearest = NULL;
  size_t count = 0;
  if (strlen(o->choices) < sizeof list) {
    strcpy(list, o->choices);
    for (char *rest, *name = strtok_r(list, "|", &rest); name && count < MOST_OPTIONS;
         name = strtok_r(NULL, "|", &rest))
      names[count++] = name;
    nearest = ci_nearest(word, names, count);
  }
  return ci_fail(err, CI_EINVAL, where, "\"%s\" is \"%s\", expected one of %s%s%s%s", o->name, word, o->choices,
                 nearest ? ": did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

/* Words are C strings from here on: what stands behind a NUL would be lost without a word. */
static ci_status check_whole(const ci_option *o, const char *where, const json_t *text, ci_error *err) {
  if (strlen(json_string_value(text)) == json_string_length(text)) return CI_OK;
  return ci_fail(err, CI_EINVAL, where, "\"%s\" holds a NUL character (U+0000)", o->name);
}

static ci_status set_word(const ci_option *o, const char *where, const json_t *value, void *field, ci_error *err) {
  if (!json_is_string(value)) return wrong(o, where, "a string", err);
  ci_status status = check_whole(o, where, value, err);
  if (status) return status;
  const char *word = json_string_value(value);
  if (o->choices && !is_choice(o->choices, word)) return unknown_choice(o, where, word, err);
  *(const char **)field = word;
  return CI_OK;
}

static ci_status set_list(const ci_option *o, const char *where, json_t *value, void *field, json_t *keep,
                          ci_error *err) {
  const char *expected = o->type == CI_INTS ? "integers" : "strings";
  if (!json_is_array(value)) { /* one member stands for a list of one, as Inseq takes it */
    json_t *list = json_pack("[O]", value);
    if (!list || json_array_append_new(keep, list)) return ci_fail_memory(err);
    value = list;
  }
  size_t i;
  json_t *member;
  json_array_foreach(value, i, member) {
    int64_t whole;
    if (o->type == CI_INTS ? !ci_json_as_int(member, &whole) : !json_is_string(member))
      return wrong(o, where, expected, err);
    ci_status status = o->type == CI_INTS ? CI_OK : check_whole(o, where, member, err);
    if (status) return status;
  }
  *(json_t **)field = value;
  return CI_OK;
}

static void set_nothing(const ci_option *o, void *field) {
  switch (o->type) {
  case CI_BOOL:
    *(bool *)field = false;
    break;
  case CI_INT:
    *(int64_t *)field = 0;
    break;
  case CI_REAL:
    *(double *)field = 0;
    break;
  case CI_WORD:
    *(const char **)field = NULL;
    break;
  case CI_WORDS:
  case CI_TEXTS:
  case CI_INTS:
  case CI_TABLE:
  case CI_JSON:
    *(json_t **)field = NULL;
    break;
  }
}

static ci_status set_field(const ci_option *o, const char *where, json_t *value, void *options, json_t *keep,
                           ci_error *err) {
  void *field = (char *)options + o->offset;
  if (json_is_null(value)) return set_nothing(o, field), CI_OK;
  switch (o->type) {
  case CI_BOOL:
    if (!json_is_boolean(value)) return wrong(o, where, "true or false", err);
    *(bool *)field = json_is_true(value);
    return CI_OK;
  case CI_INT:
  case CI_REAL:
    return set_number(o, where, value, field, err);
  case CI_WORD:
    return set_word(o, where, value, field, err);
  case CI_WORDS:
  case CI_TEXTS:
  case CI_INTS:
    return set_list(o, where, value, field, keep, err);
  case CI_TABLE:
    if (!json_is_object(value)) return wrong(o, where, "an object", err);
    *(json_t **)field = value;
    return CI_OK;
  case CI_JSON:
    *(json_t **)field = value;
    return CI_OK;
  }
  return CI_OK;
}

static ci_status set_default(const ci_option *o, void *options, json_t *keep, ci_error *err) {
  set_nothing(o, (char *)options + o->offset);
  json_t *value;
  ci_status status = ci_json_parse(o->name, o->fallback, strlen(o->fallback), &value, err);
  if (status) return status;
  if (json_array_append_new(keep, value)) return ci_fail_memory(err);
  if (json_is_null(value)) return CI_OK;
  ci_option unbounded = *o; /* a default may stand outside the range, as "not given" */
  unbounded.min = unbounded.max = 0;
  unbounded.choices = NULL;
  return set_field(&unbounded, o->name, value, options, keep, err);
}

ci_status ci_options_parse(const ci_option *table, const char *where, const json_t *object, void *options, json_t *keep,
                           json_t *unknown, ci_error *err) {
  ci_status status = CI_OK;
  for (const ci_option *o = table; o && o->name && !status; o++) status = set_default(o, options, keep, err);
  if (status || !object) return status;
  if (!json_is_object(object)) return ci_fail(err, CI_EINVAL, where, "expected a JSON object");
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)object, key, value) {
    const ci_option *o = ci_options_find(table, key);
    if (o)
      status = set_field(o, where, value, options, keep, err);
    else if (!unknown)
      status = ci_options_unknown(&table, 1, where, key, err);
    else if (json_array_append_new(unknown, json_string(key)))
      status = ci_fail_memory(err);
    if (status) return status;
  }
  return CI_OK;
}

static ci_status bool_from_text(const char *where, const char *text, json_t **value, ci_error *err) {
  static const char *const yes[] = {"true", "yes", "t", "1"}, *const no[] = {"false", "no", "f", "0"};
  for (size_t i = 0; i < 4; i++) {
    if (strcasecmp(text, yes[i]) == 0) return *value = json_true(), CI_OK;
    if (strcasecmp(text, no[i]) == 0) return *value = json_false(), CI_OK;
  }
  return ci_fail(err, CI_EINVAL, where, "\"%s\" is neither true nor false", text);
}

ci_status ci_option_from_text(const ci_option *option, const char *where, const char *text, json_t **value,
                              ci_error *err) {
  *value = NULL;
  if (option->type == CI_BOOL) return bool_from_text(where, text, value, err);
  if (option->type == CI_WORD || option->type == CI_WORDS || option->type == CI_TEXTS) {
    *value = json_string(text);
    return *value ? CI_OK : ci_fail(err, CI_EINVAL, where, "is not valid UTF-8");
  }
  ci_status status = ci_json_parse(where, text, strlen(text), value, err);
  if (status == CI_EFILE) status = CI_EINVAL; /* the text is the user's, not a file's */
  if (status && err) err->code = (int)status;
  return status;
}
