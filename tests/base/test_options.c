/* Option tables: defaults, every type, ranges and choices, what an unknown key gets, values from the command line's
 * text. */
#include "base/options.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct {
  bool flag;
  int64_t steps, limit;
  double rate;
  const char *method, *path;
  json_t *words, *ids, *table, *any;
} options;

static const ci_option table[] = {
    {"flag", NULL, CI_BOOL, offsetof(options, flag), "true", 0, 0, NULL, ""},
    {"n_steps", "-n", CI_INT, offsetof(options, steps), "50", 1, 1000, NULL, ""},
    {"limit", NULL, CI_INT, offsetof(options, limit), "-1", 0, 10, NULL,
     ""}, /* the default stands outside: "not given" */
    {"rate", NULL, CI_REAL, offsetof(options, rate), "0.5", 0, 1, NULL, ""},
    {"method", NULL, CI_WORD, offsetof(options, method), "\"greedy\"", 0, 0, "greedy|beam|sample", ""},
    {"path", NULL, CI_WORD, offsetof(options, path), "null", 0, 0, NULL, ""},
    {"words", NULL, CI_WORDS, offsetof(options, words), "[\"a\"]", 0, 0, NULL, ""},
    {"ids", NULL, CI_INTS, offsetof(options, ids), "[]", 0, 0, NULL, ""},
    {"table", NULL, CI_TABLE, offsetof(options, table), "{}", 0, 0, NULL, ""},
    {"any", NULL, CI_JSON, offsetof(options, any), "null", 0, 0, NULL, ""},
    CI_OPTIONS_END};

typedef struct {
  options o;
  json_t *object, *keep;
  ci_error err;
} parsed;

static ci_status parse(parsed *p, const char *text, json_t *unknown) {
  memset(&p->o, 0xff, sizeof p->o); /* every field must be set */
  p->object = text ? json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
  p->keep = json_array();
  if (text) assert_non_null(p->object);
  return ci_options_parse(table, "--kwargs", p->object, &p->o, p->keep, unknown, &p->err);
}

static void release(parsed *p) {
  json_decref(p->object);
  json_decref(p->keep);
}

static void defaults(void **state) {
  (void)state;
  static const char *const texts[] = {NULL, "{}"};
  for (int i = 0; i < 2; i++) {
    parsed p;
    assert_int_equal(parse(&p, texts[i], NULL), CI_OK);
    assert_true(p.o.flag);
    assert_int_equal(p.o.steps, 50);
    assert_int_equal(p.o.limit, -1);
    assert_true(p.o.rate == 0.5);
    assert_string_equal(p.o.method, "greedy");
    assert_null(p.o.path);
    assert_int_equal(json_array_size(p.o.words), 1);
    assert_int_equal(json_array_size(p.o.ids), 0);
    assert_true(json_is_object(p.o.table));
    assert_null(p.o.any);
    release(&p);
  }
}

static void every_type(void **state) {
  (void)state;
  parsed p;
  assert_int_equal(parse(&p,
                         "{\"flag\": false, \"n_steps\": 7.0, \"limit\": 10, \"rate\": 1, \"method\": \"beam\", "
                         "\"path\": \"/x\", \"words\": \"b\", "
                         "\"ids\": 4, \"table\": {\"k\": 1}, \"any\": [1, \"x\"]}",
                         NULL),
                   CI_OK);
  assert_false(p.o.flag);
  assert_int_equal(p.o.steps, 7);
  assert_int_equal(p.o.limit, 10);
  assert_true(p.o.rate == 1);
  assert_string_equal(p.o.method, "beam");
  assert_string_equal(p.o.path, "/x");
  assert_string_equal(json_string_value(json_array_get(p.o.words, 0)), "b"); /* one stands for a list of one */
  assert_int_equal(json_integer_value(json_array_get(p.o.ids, 0)), 4);
  assert_int_equal(json_object_size(p.o.table), 1);
  assert_int_equal(json_array_size(p.o.any), 2);
  release(&p);
  assert_int_equal(parse(&p, "{\"n_steps\": null, \"method\": null, \"words\": null}", NULL), CI_OK);
  assert_int_equal(p.o.steps, 0);
  assert_null(p.o.method);
  assert_null(p.o.words);
  release(&p);
}

static void refusals(void **state) {
  (void)state;
  static const struct {
    const char *text, *message;
  } cases[] = {
      {"{\"n_stesp\": 5}", "unknown option \"n_stesp\": did you mean \"n_steps\"? (one of "
       "flag, n_steps, limit, rate, method, path, words, ids, table, any)"},
      {"{\"something_else\": 5}", "unknown option \"something_else\" (one of "
       "flag, n_steps, limit, rate, method, path, words, ids, table, any)"},
      {"{\"n_steps\": 0}", "\"n_steps\" is 0, expected 1 to 1000"},
      {"{\"n_steps\": 1001}", "\"n_steps\" is 1001, expected 1 to 1000"},
      {"{\"limit\": -1}", "\"limit\" is -1, expected 0 to 10"},
      {"{\"n_steps\": 2.5}", "\"n_steps\" has the wrong type: expected an integer"},
      {"{\"n_steps\": \"5\"}", "\"n_steps\" has the wrong type: expected an integer"},
      {"{\"rate\": 1.5}", "\"rate\" is 1.5, expected 0 to 1"},
      {"{\"rate\": true}", "\"rate\" has the wrong type: expected a number"},
      {"{\"flag\": 1}", "\"flag\" has the wrong type: expected true or false"},
      {"{\"method\": \"bea\"}", "\"method\" is \"bea\", expected one of greedy|beam|sample: did you mean \"beam\"?"},
      {"{\"method\": \"greedy|beam\"}", "\"method\" is \"greedy|beam\", expected one of greedy|beam|sample"},
      {"{\"method\": \"\"}", "\"method\" is \"\", expected one of greedy|beam|sample"},
      {"{\"method\": 3}", "\"method\" has the wrong type: expected a string"},
      {"{\"words\": [\"a\", 3]}", "\"words\" has the wrong type: expected strings"},
      {"{\"method\": \"a\\u0000b\"}", "\"method\" holds a NUL character (U+0000)"},
      {"{\"words\": [\"a\", \"\\u0000\"]}", "\"words\" holds a NUL character (U+0000)"},
      {"{\"ids\": [1, 1.5]}", "\"ids\" has the wrong type: expected integers"},
      {"{\"table\": []}", "\"table\" has the wrong type: expected an object"},
      {"[]", "expected a JSON object"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    parsed p;
    assert_int_equal(parse(&p, cases[i].text, NULL), CI_EINVAL);
    assert_string_equal(p.err.message, cases[i].message);
    assert_string_equal(p.err.where, "--kwargs");
    release(&p);
  }
}

static void unknown_keys_can_be_collected(void **state) {
  (void)state;
  parsed p;
  json_t *unknown = json_array();
  assert_int_equal(parse(&p, "{\"n_steps\": 5, \"zig\": 1, \"zag\": null}", unknown), CI_OK);
  assert_int_equal(p.o.steps, 5);
  assert_int_equal(json_array_size(unknown), 2);
  assert_string_equal(json_string_value(json_array_get(unknown, 0)), "zig");
  json_decref(unknown);
  release(&p);
}

static void from_text(void **state) {
  (void)state;
  static const struct {
    const char *option, *text, *value; /* value as JSON; NULL: refused */
  } cases[] = {
      {"flag", "true", "true"},       {"flag", "YES", "true"},     {"flag", "1", "true"},
      {"flag", "False", "false"},     {"flag", "no", "false"},     {"flag", "maybe", NULL},
      {"n_steps", "12", "12"},        {"n_steps", "twelve", NULL}, {"rate", "0.25", "0.25"},
      {"method", "beam", "\"beam\""}, {"path", "12", "\"12\""},    {"path", "\xff", NULL},
      {"words", "a b", "\"a b\""},    {"ids", "[1, 2]", "[1, 2]"}, {"table", "{\"a\": 1}", "{\"a\": 1}"},
      {"table", "{a: 1}", NULL},      {"any", "[null]", "[null]"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    json_t *value = NULL;
    ci_error err = {0};
    const ci_option *option = ci_options_find(table, cases[i].option);
    ci_status status = ci_option_from_text(option, "--flag", cases[i].text, &value, &err);
    assert_int_equal(status, cases[i].value ? CI_OK : CI_EINVAL);
    if (status) {
      assert_string_equal(err.where, "--flag");
      assert_int_equal(err.code, CI_EINVAL);
      assert_null(value);
      continue;
    }
    json_t *expected = json_loads(cases[i].value, JSON_DECODE_ANY, NULL);
    assert_true(json_equal(value, expected));
    json_decref(expected);
    json_decref(value);
  }
  json_t *value = NULL;
  assert_int_equal(ci_option_from_text(ci_options_find(table, "table"), "f", "{", &value, NULL),
                   CI_EINVAL); /* no error asked for */
  assert_null(ci_options_find(table, "nothing"));
  assert_null(ci_options_find(NULL, "nothing"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults),  cmocka_unit_test(every_type),
      cmocka_unit_test(refusals),  cmocka_unit_test(unknown_keys_can_be_collected),
      cmocka_unit_test(from_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
