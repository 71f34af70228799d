/* Tokens to expressions: Jinja2's parser.py, its precedence from loosest to tightest:
 *   a if b else c | or | and | not | comparisons | + - | ~ | * / // % | unary - + | ** | filters and tests | .a [b] (c)
 */
#include "templates/parser.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static ci_syntax *postfix(ci_parser *p);

/* Arguments after "(" up to ")": positional into *arguments, named into *keywords. */
static void arguments(ci_parser *p, ci_syntax **positional, ci_syntax **keywords) {
  ci_syntax **last = positional, **last_keyword = keywords;
  while (!p->status && !ci_parse_take(p, T_OP, ")")) {
    if (p->at->kind == T_NAME && p->at[1].kind == T_OP && strcmp(p->at[1].text, "=") == 0) {
      ci_syntax *n = ci_parse_node(p, N_KEYWORD);
      n->text = ci_parse_name(p);
      p->at++;
      n->a = ci_parse_expression(p);
      ci_parse_link(&last_keyword, n);
    } else {
      if (ci_parse_is(p, T_OP, "*") || ci_parse_is(p, T_OP, "**"))
        ci_parse_fail(p, "unpacked arguments (%s) are not supported", p->at->text);
      ci_parse_link(&last, ci_parse_expression(p));
    }
    if (!ci_parse_is(p, T_OP, ")")) ci_parse_expect(p, T_OP, ",");
  }
}

static ci_syntax *subscript(ci_parser *p, ci_syntax *of) {
  ci_syntax *part[3] = {NULL}, *n;
  int count = 0;
  bool slice = false;
  for (; count < 3; count++) {
    if (!ci_parse_is(p, T_OP, ":") && !ci_parse_is(p, T_OP, "]")) part[count] = ci_parse_expression(p);
    if (!ci_parse_take(p, T_OP, ":")) break;
    slice = true;
  }
  ci_parse_expect(p, T_OP, "]");
  n = ci_parse_node(p, slice ? N_SLICE : N_INDEX);
  n->a = of;
  n->b = part[0];
  n->c = part[1];
  n->d = part[2];
  if (!slice && !part[0]) ci_parse_fail(p, "an index is missing%s", "");
  return n;
}

static ci_syntax *list_until(ci_parser *p, const char *end, ci_syntax *first) {
  ci_syntax *n = ci_parse_node(p, N_LIST), **last = &n->a;
  ci_parse_link(&last, first);
  while (!p->status && !ci_parse_take(p, T_OP, end)) {
    ci_parse_link(&last, ci_parse_expression(p));
    if (!ci_parse_is(p, T_OP, end)) ci_parse_expect(p, T_OP, ",");
  }
  return n;
}

static ci_syntax *dictionary(ci_parser *p) {
  ci_syntax *n = ci_parse_node(p, N_DICT), **last = &n->a;
  while (!p->status && !ci_parse_take(p, T_OP, "}")) {
    ci_parse_link(&last, ci_parse_expression(p));
    ci_parse_expect(p, T_OP, ":");
    ci_parse_link(&last, ci_parse_expression(p));
    if (!ci_parse_is(p, T_OP, "}")) ci_parse_expect(p, T_OP, ",");
  }
  return n;
}

static ci_syntax *number(ci_parser *p) {
  char digits[64];
  size_t n = 0;
  for (const char *c = p->at->text; *c && n + 1 < sizeof digits; c++)
    if (*c != '_') digits[n++] = *c;
  digits[n] = 0;
  bool real = p->at->kind == T_FLOAT;
  errno = 0;
  long long whole = real ? 0 : strtoll(digits, NULL, 10);
  double value = real ? strtod(digits, NULL) : 0;
  if (errno || p->at->length != strlen(p->at->text) || p->at->length + 1 >= sizeof digits)
    return ci_parse_fail(p, "a number out of range: %s", p->at->text);
  p->at++;
  return ci_parse_literal(p, real ? json_real(value) : json_integer(whole));
}

static ci_syntax *strings(ci_parser *p) { /* "a" "b" is one */
  json_t *value = json_stringn(p->at->text, p->at->length);
  if (!value) return ci_parse_fail(p, "a string that is not UTF-8%s", "");
  p->at++;
  while (value && p->at->kind == T_STRING) {
    json_t *longer = json_sprintf("%s%s", json_string_value(value), p->at->text);
    json_decref(value);
    value = longer;
    p->at++;
  }
  return ci_parse_literal(p, value);
}

static ci_syntax *primary(ci_parser *p) {
  if (p->at->kind == T_STRING) return strings(p);
  if (p->at->kind == T_INT || p->at->kind == T_FLOAT) return number(p);
  if (p->at->kind == T_NAME) {
    static const char *const words[] = {"true", "True", "false", "False", "none", "None"};
    for (int i = 0; i < 6; i++)
      if (ci_parse_take(p, T_NAME, words[i]))
        return ci_parse_literal(p, i < 2 ? json_true() : i < 4 ? json_false() : json_null());
    ci_syntax *n = ci_parse_node(p, N_NAME);
    n->text = ci_parse_name(p);
    return n;
  }
  if (ci_parse_take(p, T_OP, "[")) return list_until(p, "]", NULL);
  if (ci_parse_take(p, T_OP, "{")) return dictionary(p);
  if (!ci_parse_take(p, T_OP, "(")) return ci_parse_fail(p, "expected an expression, not \"%s\"", p->at->text);
  if (ci_parse_take(p, T_OP, ")")) return ci_parse_node(p, N_LIST);
  ci_syntax *inner = ci_parse_expression(p);
  if (ci_parse_take(p, T_OP, ",")) return list_until(p, ")", inner);
  ci_parse_expect(p, T_OP, ")");
  return inner;
}

ci_syntax *ci_parse_filter(ci_parser *p, ci_syntax *of) {
  ci_syntax *n = ci_parse_node(p, N_FILTER);
  n->a = of;
  n->text = ci_parse_name(p);
  if (ci_parse_take(p, T_OP, "(")) arguments(p, &n->b, &n->c);
  return n;
}

static ci_syntax *test(ci_parser *p, ci_syntax *of) {
  ci_syntax *n = ci_parse_node(p, N_TEST);
  n->a = of;
  n->negated = ci_parse_take(p, T_NAME, "not");
  n->text = ci_parse_name(p);
  if (ci_parse_take(p, T_OP, "("))
    arguments(p, &n->b, &n->c);
  else if (p->at->kind == T_STRING || p->at->kind == T_INT || p->at->kind == T_FLOAT || ci_parse_is(p, T_OP, "[") ||
           (p->at->kind == T_NAME && !ci_parse_is(p, T_NAME, "and") && !ci_parse_is(p, T_NAME, "or") &&
            !ci_parse_is(p, T_NAME, "else") && !ci_parse_is(p, T_NAME, "if") && !ci_parse_is(p, T_NAME, "is") &&
            !ci_parse_is(p, T_NAME, "in") && !ci_parse_is(p, T_NAME, "not")))
    n->b = postfix(p);
  return n;
}

/* .a [b] (c) of a primary, then filters and tests. */
static ci_syntax *postfix(ci_parser *p) {
  ci_syntax *n = primary(p);
  for (;;) {
    if (p->status) return n;
    if (ci_parse_take(p, T_OP, ".")) {
      ci_syntax *of = n;
      n = ci_parse_node(p, N_ATTRIBUTE);
      n->a = of;
      n->text = ci_parse_name(p);
    } else if (ci_parse_take(p, T_OP, "["))
      n = subscript(p, n);
    else if (ci_parse_take(p, T_OP, "(")) {
      ci_syntax *of = n;
      n = ci_parse_node(p, N_CALL);
      n->a = of;
      arguments(p, &n->b, &n->c);
    } else
      return n;
  }
}

static ci_syntax *filtered(ci_parser *p, ci_syntax *n) {
  for (;;) {
    if (p->status) return n;
    if (ci_parse_take(p, T_OP, "|"))
      n = ci_parse_filter(p, n);
    else if (ci_parse_take(p, T_NAME, "is"))
      n = test(p, n);
    else if (ci_parse_is(p, T_OP, ".") || ci_parse_is(p, T_OP, "[") || ci_parse_is(p, T_OP, "("))
      return ci_parse_fail(p, "unexpected \"%s\"", p->at->text);
    else
      return n;
  }
}

static ci_syntax *signed_value(ci_parser *p) {
  if (++p->depth > CI_PARSER_DEPTH) return ci_parse_fail(p, "expressions nested too deeply%s", "");
  ci_syntax *n;
  if (ci_parse_is(p, T_OP, "-") || ci_parse_is(p, T_OP, "+")) {
    ci_node_kind kind = ci_parse_take(p, T_OP, "-") ? N_MINUS : (p->at++, N_PLUS);
    ci_syntax *of = signed_value(p);
    n = ci_parse_binary(p, kind, of, NULL);
  } else {
    n = postfix(p);
    while (!p->status && ci_parse_take(p, T_OP, "**")) {
      ci_syntax *power = signed_value(p);
      n = ci_parse_binary(p, N_POWER, n, power);
    }
  }
  p->depth--;
  return n;
}

static ci_syntax *unary(ci_parser *p) {
  return filtered(p, signed_value(p));
}

typedef struct {
  const char *text;
  ci_node_kind kind;
} infix;

/* The levels of left-associative operators, loosest first. */
static const infix levels[][4] = {{{"+", N_ADD}, {"-", N_SUBTRACT}},
                                  {{"~", N_JOIN}},
                                  {{"*", N_MULTIPLY}, {"/", N_DIVIDE}, {"//", N_FLOOR}, {"%", N_MODULO}}};
enum { LEVELS = sizeof levels / sizeof *levels };

static ci_syntax *infixes(ci_parser *p, int level) {
  if (level == LEVELS) return unary(p);
  ci_syntax *n = infixes(p, level + 1);
  for (int i = 0; i < 4 && !p->status;) {
    if (!levels[level][i].text || !ci_parse_take(p, T_OP, levels[level][i].text)) {
      i++;
      continue;
    }
    ci_syntax *right = infixes(p, level + 1);
    n = ci_parse_binary(p, levels[level][i].kind, n, right);
    i = 0;
  }
  return n;
}

static const char *comparison(ci_parser *p) {
  static const char *const operators[] = {"==", "!=", "<=", ">=", "<", ">"};
  for (size_t i = 0; i < 6; i++)
    if (ci_parse_take(p, T_OP, operators[i])) return operators[i];
  if (ci_parse_take(p, T_NAME, "in")) return "in";
  if (ci_parse_is(p, T_NAME, "not") && p->at[1].kind == T_NAME && strcmp(p->at[1].text, "in") == 0) {
    p->at += 2;
    return "not in";
  }
  return NULL;
}

static ci_syntax *compared(ci_parser *p) {
  ci_syntax *n = infixes(p, 0), *chain = NULL, **last = NULL;
  const char *operator;
  while (!p->status && (operator= comparison(p))) {
    if (!chain) {
      chain = ci_parse_binary(p, N_COMPARE, n, NULL);
      last = &chain->b;
    }
    ci_syntax *operand = ci_parse_node(p, N_OPERAND);
    operand->text = operator;
    operand->a = infixes(p, 0);
    ci_parse_link(&last, operand);
  }
  return chain ? chain : n;
}

static ci_syntax *negated(ci_parser *p) {
  if (!ci_parse_take(p, T_NAME, "not")) return compared(p);
  if (++p->depth > CI_PARSER_DEPTH) return ci_parse_fail(p, "expressions nested too deeply%s", "");
  ci_syntax *of = negated(p);
  p->depth--;
  return ci_parse_binary(p, N_NOT, of, NULL);
}

static ci_syntax *conjunction(ci_parser *p) {
  ci_syntax *n = negated(p);
  while (!p->status && ci_parse_take(p, T_NAME, "and")) n = ci_parse_binary(p, N_AND, n, negated(p));
  return n;
}

ci_syntax *ci_parse_condition(ci_parser *p) {
  ci_syntax *n = conjunction(p);
  while (!p->status && ci_parse_take(p, T_NAME, "or")) n = ci_parse_binary(p, N_OR, n, conjunction(p));
  return n;
}

ci_syntax *ci_parse_expression(ci_parser *p) {
  if (++p->depth > CI_PARSER_DEPTH) return ci_parse_fail(p, "expressions nested too deeply%s", "");
  ci_syntax *n = ci_parse_condition(p);
  while (!p->status && ci_parse_take(p, T_NAME, "if")) {
    ci_syntax *condition = ci_parse_condition(p);
    n = ci_parse_binary(p, N_CHOOSE, n, condition);
    if (ci_parse_take(p, T_NAME, "else")) n->c = ci_parse_expression(p);
  }
  p->depth--;
  return n;
}
