/* Templates against what transformers' Jinja makes of them (make_fixtures.py), and templates that mean harm. */
#include "base/json.h"
#include "base/memory.h"
#include "templates/template.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static ci_status render(const char *source, size_t length, const json_t *variables, char **text, ci_error *err) {
  ci_template *t;
  *text = NULL;
  ci_status status = ci_template_open("test", source, length, &t, err);
  if (!status) status = ci_template_render(t, variables, text, err);
  ci_template_close(t);
  return status;
}

static void as_transformers(void **state) {
  (void)state;
  json_t *cases, *c;
  ci_error err;
  size_t i, wrong = 0;
  assert_int_equal(ci_json_read_file(TEST_DATA "/templates/cases.json", &cases, &err), CI_OK);
  assert_true(json_array_size(cases) > 150);
  json_array_foreach(cases, i, c) {
    const json_t *source = json_object_get(c, "template");
    const char *name = json_string_value(json_object_get(c, "name")),
               *expected = json_string_value(json_object_get(c, "text"));
    char *text;
    memset(&err, 0, sizeof err);
    ci_status status =
        render(json_string_value(source), json_string_length(source), json_object_get(c, "variables"), &text, &err);
    bool right = expected ? !status && strcmp(text, expected) == 0 : status == CI_EINVAL && err.message[0];
    if (!right) {
      print_error("%s\n  expected: %s\n  found: %s\n", name, expected ? expected : "an error",
                  status ? err.message : text);
      wrong++;
    }
    ci_free(text);
  }
  json_decref(cases);
  assert_int_equal(wrong, 0);
}

static void refused(const char *source, const char *word) {
  json_t *variables = json_object();
  ci_error err = {0};
  char *text;
  assert_int_equal(render(source, strlen(source), variables, &text, &err), CI_EINVAL);
  if (!strstr(err.message, word)) fail_msg("%s: \"%s\" says nothing of \"%s\"", source, err.message, word);
  json_decref(variables);
}

static void harm(void **state) {
  (void)state;
  refused("{% for a in range(100000) %}{% for b in range(100000) %}{{ a }}{% endfor %}{% endfor %}", "more than");
  refused("{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}", "more than");
  refused("{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}", "deeply");
  refused(
      "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(90) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
      "more than");
  refused("{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
          "more than");
  refused("{{ 'x' * 999999999999 }}", "repetition");
  refused("{{ range(999999999) }}", "range");
  refused("{{ 9223372036854775807 + 1 }}", "range");
  refused("{{ (-9223372036854775807 - 1) // -1 }}", "range");
  refused("{{ messages.__class__ }}", "undefined");
  refused("{{ ''.__class__.__mro__ }}", "undefined");
  refused("{% include 'x' %}", "include");
  refused("{% if a %}b", "endif");
  refused("a\nb\n{{ x y }}", "line 3");
}

static void nested(void **state) {
  (void)state;
  enum { DEEP = 100000 };
  char *source = ci_alloc(DEEP + 1, 1), *text;
  ci_error err = {0};
  json_t *variables = json_object();
  memset(source, '(', DEEP);
  memcpy(source, "{{", 2);
  assert_int_equal(render(source, DEEP, variables, &text, &err), CI_EINVAL);
  memset(source, '-', DEEP);
  memcpy(source, "{{ ", 3);
  assert_int_equal(render(source, DEEP, variables, &text, &err), CI_EINVAL);
  for (size_t i = 0; i + 4 <= DEEP; i += 4) memcpy(source + i, "not ", 4);
  memcpy(source, "{{ ", 3);
  assert_int_equal(render(source, DEEP, variables, &text, &err), CI_EINVAL);
  assert_int_equal(render("\xff", 1, variables, &text, &err), CI_EINVAL);
  ci_free(source);
  json_decref(variables);
}

/* A namespace that would hold itself gets a copy: nothing leaks, nothing loops. */
static void own_tail(void **state) {
  (void)state;
  json_t *variables = json_object();
  char *text;
  ci_error err = {0};
  const char *source = "{% set a = namespace(x=1) %}{% set a.y = [a] %}{{ a.y[0].x }}";
  assert_int_equal(render(source, strlen(source), variables, &text, &err), CI_OK);
  assert_string_equal(text, "1");
  ci_free(text);
  json_decref(variables);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(as_transformers), cmocka_unit_test(harm),
                                     cmocka_unit_test(nested), cmocka_unit_test(own_tail)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
