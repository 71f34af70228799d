/* Tests, "x is NAME" (jinja2/tests.py). */
#include "templates/render.h"
#include <string.h>

static const json_t *other(const ci_arguments *a) {
  return a->count ? a->items[0] : NULL;
}

static bool is_defined(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)r, (void)a, v != NULL;
}
static bool is_undefined(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)r, (void)a, v == NULL;
}
static bool is_none(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)r, (void)a, json_is_null(v);
}
static bool is_true(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)r, (void)a, json_is_true(v);
}
static bool is_false(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)r, (void)a, json_is_false(v);
}
static bool is_boolean(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)r, (void)a, json_is_boolean(v);
}
static bool is_string(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)r, (void)a, json_is_string(v);
}
static bool is_integer(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)r, (void)a, json_is_integer(v);
}
static bool is_float(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)r, (void)a, json_is_real(v);
}
static bool is_mapping(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)r, (void)a, json_is_object(v);
}
static bool is_callable(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)r, (void)v, (void)a, false;
}

/* Python's True is a number. */
static bool is_number(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)r, (void)a, json_is_number(v) || json_is_boolean(v);
}

static bool is_sequence(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)r, (void)a, json_is_array(v) || json_is_object(v) || json_is_string(v);
}

/* Undefined can be looped over. */
static bool is_iterable(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return !v || is_sequence(r, v, a);
}

static bool is_equal(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)r, ci_value_equal(v, other(a));
}
static bool is_not_equal(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)r, !ci_value_equal(v, other(a));
}
static bool is_less(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return ci_value_order(r, v, other(a)) < 0;
}
static bool is_at_most(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return ci_value_order(r, v, other(a)) <= 0;
}
static bool is_greater(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return ci_value_order(r, v, other(a)) > 0;
}
static bool is_at_least(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return ci_value_order(r, v, other(a)) >= 0;
}
static bool is_in(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return ci_value_in(r, v, other(a));
}

static bool divisible(ci_rendering *r, const json_t *v, json_int_t by) {
  if (json_is_integer(v) && by) return by == -1 || json_integer_value(v) % by == 0;
  ci_render_fail(r, "a division of a value that is no whole number");
  return false;
}

static bool is_divisible(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return divisible(r, v, json_integer_value(other(a)));
}
static bool is_even(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)a, divisible(r, v, 2);
}
static bool is_odd(ci_rendering *r, const json_t *v, const ci_arguments *a) {
  return (void)a, !divisible(r, v, 2);
}

static const struct {
  const char *name;
  ci_render_test *holds;
} tests[] = {{"boolean", is_boolean},
             {"callable", is_callable},
             {"defined", is_defined},
             {"divisibleby", is_divisible},
             {"eq", is_equal},
             {"equalto", is_equal},
             {"even", is_even},
             {"false", is_false},
             {"float", is_float},
             {"ge", is_at_least},
             {"greaterthan", is_greater},
             {"gt", is_greater},
             {"in", is_in},
             {"integer", is_integer},
             {"iterable", is_iterable},
             {"le", is_at_most},
             {"lessthan", is_less},
             {"lt", is_less},
             {"mapping", is_mapping},
             {"ne", is_not_equal},
             {"none", is_none},
             {"number", is_number},
             {"odd", is_odd},
             {"sequence", is_sequence},
             {"string", is_string},
             {"true", is_true},
             {"undefined", is_undefined}};

ci_render_test *ci_template_test(const char *name) {
  for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
    if (strcmp(tests[i].name, name) == 0) return tests[i].holds;
  return NULL;
}
