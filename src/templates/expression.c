/* The value of an expression. */
#include "templates/render.h"
#include <math.h>
#include <string.h>

json_t *ci_render_argument(const ci_arguments *a, size_t position, const char *name, json_t *fallback) {
  if (position < a->count) return a->items[position];
  json_t *named = name ? json_object_get(a->keywords, name) : NULL;
  return named ? named : fallback;
}

static void read_arguments(ci_rendering *r, const ci_syntax *node, ci_arguments *a) {
  *a = (ci_arguments){.keywords = ci_render_keep(r, json_object())};
  for (const ci_syntax *n = node->b; n && !r->status; n = n->next) {
    if (a->count == CI_MOST_ARGUMENTS)
      ci_render_fail(r, "more than %d arguments", CI_MOST_ARGUMENTS);
    else
      a->items[a->count++] = ci_render_value(r, n);
  }
  for (const ci_syntax *n = node->c; n && !r->status; n = n->next) {
    json_t *value = ci_render_value(r, n->a);
    if (value) json_object_set(a->keywords, n->text, value);
  }
}

json_t *ci_render_attribute(ci_rendering *r, json_t *of, const char *name) {
  if (!of) return ci_render_fail(r, "\"%s\" of a value that is undefined", name);
  return json_object_get(of, name);
}

static json_t *index_of(ci_rendering *r, const ci_syntax *node) {
  json_t *of = ci_render_value(r, node->a), *at = ci_render_value(r, node->b);
  if (r->status) return NULL;
  if (json_is_string(at)) return ci_render_attribute(r, of, json_string_value(at));
  if (!of) return ci_render_fail(r, "an item of a value that is undefined");
  if (!json_is_integer(at) || (!json_is_array(of) && !json_is_string(of))) return NULL;
  int64_t n = (int64_t)ci_value_length(r, of), i = json_integer_value(at);
  if (i < 0) i += n;
  if (i < 0 || i >= n) return NULL;
  return json_array_get(ci_value_list(r, of), (size_t)i);
}

static json_t *whole(ci_rendering *r, ci_node_kind kind, int64_t x, int64_t y) {
  int64_t value = 0;
  bool over = false;
  if ((kind == N_FLOOR || kind == N_MODULO) && y == 0) return ci_render_fail(r, "a division by zero");
  if ((kind == N_FLOOR || kind == N_MODULO) && y == -1) { /* INT64_MIN / -1 */
    x = kind == N_FLOOR ? x : 0;
    kind = N_SUBTRACT;
    y = x;
    x = 0;
  }
  switch (kind) {
  case N_ADD:
    over = __builtin_add_overflow(x, y, &value);
    break;
  case N_SUBTRACT:
    over = __builtin_sub_overflow(x, y, &value);
    break;
  case N_MULTIPLY:
    over = __builtin_mul_overflow(x, y, &value);
    break;
  case N_FLOOR:
    value = x / y - (x % y != 0 && (x < 0) != (y < 0));
    break;
  default:
    value = x % y + (x % y != 0 && (x < 0) != (y < 0) ? y : 0);
  }
  return over ? ci_render_fail(r, "a number out of range") : ci_render_keep(r, json_integer(value));
}

static json_t *real(ci_rendering *r, ci_node_kind kind, double x, double y) {
  double value = 0;
  if ((kind == N_DIVIDE || kind == N_FLOOR || kind == N_MODULO) && fabs(y) < 1e-300)
    return ci_render_fail(r, "a division by zero");
  switch (kind) {
  case N_ADD:
    value = x + y;
    break;
  case N_SUBTRACT:
    value = x - y;
    break;
  case N_MULTIPLY:
    value = x * y;
    break;
  case N_DIVIDE:
    value = x / y;
    break;
  case N_FLOOR:
    value = floor(x / y);
    break;
  case N_MODULO:
    value = x - y * floor(x / y);
    break;
  default:
    value = pow(x, y);
  }
  return isfinite(value) ? ci_render_keep(r, json_real(value)) : ci_render_fail(r, "a number out of range");
}

static json_t *power(ci_rendering *r, const json_t *a, const json_t *b) {
  double value = pow(json_number_value(a), json_number_value(b));
  bool integers = json_is_integer(a) && json_is_integer(b) && json_integer_value(b) >= 0;
  if (integers && fabs(value) < 9e15) return ci_render_keep(r, json_integer((json_int_t)value));
  return real(r, N_POWER, json_number_value(a), json_number_value(b));
}

static json_t *repeated(ci_rendering *r, json_t *v, int64_t times) {
  enum { MOST_TIMES = 100000 };
  if (times > MOST_TIMES) return ci_render_fail(r, "a repetition of %lld times", (long long)times);
  ci_text text = {0};
  for (int64_t i = 0; i < times; i++) ci_value_print(&text, v);
  return ci_render_take(r, &text);
}

static json_t *arithmetic(ci_rendering *r, const ci_syntax *node) {
  json_t *a = ci_render_value(r, node->a), *b = ci_render_value(r, node->b);
  if (r->status) return NULL;
  if (node->kind == N_JOIN || (node->kind == N_ADD && json_is_string(a) && json_is_string(b))) {
    ci_text text = {0};
    ci_value_print(&text, a);
    ci_value_print(&text, b);
    return ci_render_take(r, &text);
  }
  if (node->kind == N_ADD && json_is_array(a) && json_is_array(b)) {
    json_t *sum = ci_render_keep(r, json_copy(a));
    if (sum) json_array_extend(sum, b);
    return sum;
  }
  if (node->kind == N_MULTIPLY && json_is_string(a) && json_is_integer(b)) return repeated(r, a, json_integer_value(b));
  if (json_is_boolean(a)) a = ci_render_keep(r, json_integer(json_is_true(a)));
  if (json_is_boolean(b)) b = ci_render_keep(r, json_integer(json_is_true(b)));
  if (!json_is_number(a) || !json_is_number(b))
    return ci_render_fail(r, !a || !b ? "arithmetic with a value that is undefined"
                                      : "arithmetic with values of these kinds");
  if (node->kind == N_POWER) return power(r, a, b);
  if (node->kind != N_DIVIDE && json_is_integer(a) && json_is_integer(b))
    return whole(r, node->kind, json_integer_value(a), json_integer_value(b));
  return real(r, node->kind, json_number_value(a), json_number_value(b));
}

static json_t *boolean(ci_rendering *r, bool value) {
  return ci_render_keep(r, json_boolean(value));
}

static bool compare(ci_rendering *r, const char *operator, const json_t * a, const json_t *b) {
  if (strcmp(operator, "==") == 0) return ci_value_equal(a, b);
  if (strcmp(operator, "!=") == 0) return !ci_value_equal(a, b);
  if (strcmp(operator, "in") == 0) return ci_value_in(r, a, b);
  if (strcmp(operator, "not in") == 0) return !ci_value_in(r, a, b);
  int order = ci_value_order(r, a, b);
  return operator[0] == '<' ? order < 0 || (operator[1] && !order) : order> 0 ||(operator[1] && !order);
}

static json_t *comparison(ci_rendering *r, const ci_syntax *node) {
  json_t *left = ci_render_value(r, node->a);
  for (const ci_syntax *n = node->b; n && !r->status; n = n->next) {
    json_t *right = ci_render_value(r, n->a);
    if (r->status || !compare(r, n->text, left, right)) return boolean(r, false);
    left = right;
  }
  return boolean(r, true);
}

static json_t *call(ci_rendering *r, const ci_syntax *node) {
  const ci_syntax *callee = node->a;
  ci_arguments a;
  if (callee->kind == N_ATTRIBUTE) {
    json_t *of = ci_render_value(r, callee->a);
    read_arguments(r, node, &a);
    if (r->status) return NULL;
    if (!of) return ci_render_fail(r, "method %s of a value that is undefined", callee->text);
    ci_render_function *method = ci_template_method(of, callee->text);
    return method ? method(r, of, &a) : ci_render_fail(r, "method %s is not supported here", callee->text);
  }
  if (callee->kind != N_NAME) return ci_render_fail(r, "a call of a value that is no function");
  read_arguments(r, node, &a);
  if (r->status) return NULL;
  for (const ci_macro *m = r->macros; m; m = m->older)
    if (strcmp(m->node->text, callee->text) == 0) return ci_render_macro(r, m->node, &a);
  ci_render_function *global = ci_template_global(callee->text);
  return global ? global(r, NULL, &a) : ci_render_fail(r, "function %s is not supported", callee->text);
}

static json_t *filtered(ci_rendering *r, const ci_syntax *node) {
  ci_render_function *filter = ci_template_filter(node->text);
  if (!filter) return ci_render_fail(r, "filter %s is not supported", node->text);
  json_t *value = ci_render_value(r, node->a);
  ci_arguments a;
  read_arguments(r, node, &a);
  return r->status ? NULL : filter(r, value, &a);
}

static json_t *tested(ci_rendering *r, const ci_syntax *node) {
  ci_render_test *test = ci_template_test(node->text);
  if (!test) return ci_render_fail(r, "test %s is not supported", node->text);
  bool is_name_of_macro = false;
  json_t *value = ci_render_value(r, node->a);
  if (!value && node->a->kind == N_NAME)
    for (const ci_macro *m = r->macros; m; m = m->older) is_name_of_macro |= strcmp(m->node->text, node->a->text) == 0;
  ci_arguments a;
  read_arguments(r, node, &a);
  if (r->status) return NULL;
  bool holds = is_name_of_macro && strcmp(node->text, "defined") == 0 ? true : test(r, value, &a);
  return boolean(r, holds != node->negated);
}

static json_t *dictionary(ci_rendering *r, const ci_syntax *node) {
  json_t *made = ci_render_keep(r, json_object());
  for (const ci_syntax *n = node->a; n && n->next && !r->status; n = n->next->next) {
    json_t *key = ci_render_value(r, n), *value = ci_render_value(r, n->next);
    if (r->status) return NULL;
    if (!json_is_string(key)) return ci_render_fail(r, "a dictionary's key that is no string");
    json_object_set(made, json_string_value(key), value ? value : json_null());
  }
  return made;
}

static json_t *list(ci_rendering *r, const ci_syntax *node) {
  json_t *made = ci_render_keep(r, json_array());
  for (const ci_syntax *n = node->a; n && !r->status; n = n->next) {
    json_t *item = ci_render_value(r, n);
    if (!r->status) json_array_append(made, item ? item : json_null());
  }
  return made;
}

static json_t *evaluate(ci_rendering *r, const ci_syntax *node) {
  json_t *value;
  bool found;
  switch (node->kind) {
  case N_LITERAL:
    return node->literal;
  case N_NAME:
    return ci_render_find(r, node->text, &found);
  case N_LIST:
    return list(r, node);
  case N_DICT:
    return dictionary(r, node);
  case N_NOT:
    return boolean(r, !ci_value_true(ci_render_value(r, node->a)));
  case N_MINUS:
  case N_PLUS:
    value = ci_render_value(r, node->a);
    if (!json_is_number(value)) return ci_render_fail(r, "a sign before a value that is no number");
    if (node->kind == N_PLUS) return value;
    return json_is_real(value) ? real(r, N_SUBTRACT, 0, json_real_value(value))
                               : whole(r, N_SUBTRACT, 0, json_integer_value(value));
  case N_AND:
    return ci_value_true(value = ci_render_value(r, node->a)) ? ci_render_value(r, node->b) : value;
  case N_OR:
    return ci_value_true(value = ci_render_value(r, node->a)) ? value : ci_render_value(r, node->b);
  case N_COMPARE:
    return comparison(r, node);
  case N_CHOOSE:
    if (ci_value_true(ci_render_value(r, node->b))) return ci_render_value(r, node->a);
    return node->c ? ci_render_value(r, node->c) : NULL;
  case N_ATTRIBUTE:
    return ci_render_attribute(r, ci_render_value(r, node->a), node->text);
  case N_INDEX:
    return index_of(r, node);
  case N_SLICE: {
    json_t *of = ci_render_value(r, node->a), *from = node->b ? ci_render_value(r, node->b) : NULL,
           *to = node->c ? ci_render_value(r, node->c) : NULL, *step = node->d ? ci_render_value(r, node->d) : NULL;
    return r->status ? NULL : ci_value_slice(r, of, from, to, step);
  }
  case N_CALL:
    return call(r, node);
  case N_FILTER:
    return filtered(r, node);
  case N_TEST:
    return tested(r, node);
  default:
    return arithmetic(r, node);
  }
}

json_t *ci_render_value(ci_rendering *r, const ci_syntax *node) {
  enum { MOST_STEPS = 2000000, MOST_DEPTH = 1000 };
  if (r->status || !node) return NULL;
  r->line = node->line;
  if (++r->steps > MOST_STEPS) return ci_render_fail(r, "more than %d steps: does it loop for ever?", MOST_STEPS);
  if (++r->depth > MOST_DEPTH) return ci_render_fail(r, "calls nested too deeply");
  json_t *value = evaluate(r, node);
  r->depth--;
  return r->status ? NULL : value;
}
