/* Tokens to syntax trees: Jinja2's parser.py, its precedence from loosest to tightest:
 *   a if b else c | or | and | not | comparisons | + - | ~ | * / // % | unary - + | ** | filters and tests | .a [b] (c)
 */
#include "templates/syntax.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 200 };

typedef struct {
  ci_template *t;
  const ci_token *at;
  ci_status status;
  ci_error *err;
  int depth;
  ci_syntax none; /* stands for nodes after an error: never looked at */
} parser;

static ci_syntax *expression(parser *p);
static ci_syntax *postfix(parser *p);
static ci_syntax *body(parser *p, const char *const *ends);

static ci_syntax *fail(parser *p, const char *format, const char *what) {
  if (!p->status) {
    char message[256];
    snprintf(message, sizeof message, format, what);
    p->status = ci_fail(p->err, CI_EINVAL, p->t->where, "line %d of the chat template: %s", p->at->line, message);
  }
  while (p->at->kind != T_END) p->at++; /* ends every loop */
  return NULL;
}

static ci_syntax *make(parser *p, ci_node_kind kind) {
  ci_syntax *n = p->status ? NULL : ci_arena_alloc(p->t->arena, 1, sizeof *n);
  if (!n) {
    if (!p->status) p->status = ci_fail_memory(p->err);
    p->none = (ci_syntax){0};
    return &p->none;
  }
  n->kind = kind;
  n->line = p->at->line;
  return n;
}

static ci_syntax *literal(parser *p, json_t *value) {
  ci_syntax *n = make(p, N_LITERAL);
  if (!value || json_array_append_new(p->t->literals, value)) {
    if (!p->status) p->status = ci_fail_memory(p->err);
    return NULL;
  }
  n->literal = value;
  return n;
}

static bool is(const parser *p, ci_token_kind kind, const char *text) {
  return p->at->kind == kind && (!text || strcmp(p->at->text, text) == 0);
}

static bool take(parser *p, ci_token_kind kind, const char *text) {
  if (!is(p, kind, text)) return false;
  p->at++;
  return true;
}

static void expect(parser *p, ci_token_kind kind, const char *text) {
  if (!p->status && !take(p, kind, text)) fail(p, "expected \"%s\"", text ? text : kind == T_BLOCK_END ? "%}" : "}}");
}

static const char *name(parser *p) {
  if (p->at->kind != T_NAME) {
    fail(p, "expected a name, not \"%s\"", p->at->text);
    return "";
  }
  return (p->at++)->text;
}

/* Appends to a list. */
static void link_to(ci_syntax ***end, ci_syntax *node) {
  if (!node) return;
  **end = node;
  *end = &node->next;
}

static ci_syntax *binary(parser *p, ci_node_kind kind, ci_syntax *a, ci_syntax *b) {
  ci_syntax *n = make(p, kind);
  n->a = a;
  n->b = b;
  return n;
}

/* Arguments after "(" up to ")": positional into *arguments, named into *keywords. */
static void arguments(parser *p, ci_syntax **positional, ci_syntax **keywords) {
  ci_syntax **last = positional, **last_keyword = keywords;
  while (!p->status && !take(p, T_OP, ")")) {
    if (p->at->kind == T_NAME && p->at[1].kind == T_OP && strcmp(p->at[1].text, "=") == 0) {
      ci_syntax *n = make(p, N_KEYWORD);
      n->text = name(p);
      p->at++;
      n->a = expression(p);
      link_to(&last_keyword, n);
    } else {
      if (is(p, T_OP, "*") || is(p, T_OP, "**")) fail(p, "unpacked arguments (%s) are not supported", p->at->text);
      link_to(&last, expression(p));
    }
    if (!is(p, T_OP, ")")) expect(p, T_OP, ",");
  }
}

static ci_syntax *subscript(parser *p, ci_syntax *of) {
  ci_syntax *part[3] = {NULL}, *n;
  int count = 0;
  bool slice = false;
  for (; count < 3; count++) {
    if (!is(p, T_OP, ":") && !is(p, T_OP, "]")) part[count] = expression(p);
    if (!take(p, T_OP, ":")) break;
    slice = true;
  }
  expect(p, T_OP, "]");
  n = make(p, slice ? N_SLICE : N_INDEX);
  n->a = of;
  n->b = part[0];
  n->c = part[1];
  n->d = part[2];
  if (!slice && !part[0]) fail(p, "an index is missing%s", "");
  return n;
}

static ci_syntax *list_until(parser *p, const char *end, ci_syntax *first) {
  ci_syntax *n = make(p, N_LIST), **last = &n->a;
  link_to(&last, first);
  while (!p->status && !take(p, T_OP, end)) {
    link_to(&last, expression(p));
    if (!is(p, T_OP, end)) expect(p, T_OP, ",");
  }
  return n;
}

static ci_syntax *dictionary(parser *p) {
  ci_syntax *n = make(p, N_DICT), **last = &n->a;
  while (!p->status && !take(p, T_OP, "}")) {
    link_to(&last, expression(p));
    expect(p, T_OP, ":");
    link_to(&last, expression(p));
    if (!is(p, T_OP, "}")) expect(p, T_OP, ",");
  }
  return n;
}

static ci_syntax *number(parser *p) {
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
    return fail(p, "a number out of range: %s", p->at->text);
  p->at++;
  return literal(p, real ? json_real(value) : json_integer(whole));
}

static ci_syntax *strings(parser *p) { /* "a" "b" is one */
  json_t *value = json_stringn(p->at->text, p->at->length);
  if (!value) return fail(p, "a string that is not UTF-8%s", "");
  p->at++;
  while (value && p->at->kind == T_STRING) {
    json_t *longer = json_sprintf("%s%s", json_string_value(value), p->at->text);
    json_decref(value);
    value = longer;
    p->at++;
  }
  return literal(p, value);
}

static ci_syntax *primary(parser *p) {
  if (p->at->kind == T_STRING) return strings(p);
  if (p->at->kind == T_INT || p->at->kind == T_FLOAT) return number(p);
  if (p->at->kind == T_NAME) {
    static const char *const words[] = {"true", "True", "false", "False", "none", "None"};
    for (int i = 0; i < 6; i++)
      if (take(p, T_NAME, words[i])) return literal(p, i < 2 ? json_true() : i < 4 ? json_false() : json_null());
    ci_syntax *n = make(p, N_NAME);
    n->text = name(p);
    return n;
  }
  if (take(p, T_OP, "[")) return list_until(p, "]", NULL);
  if (take(p, T_OP, "{")) return dictionary(p);
  if (!take(p, T_OP, "(")) return fail(p, "expected an expression, not \"%s\"", p->at->text);
  if (take(p, T_OP, ")")) return make(p, N_LIST);
  ci_syntax *inner = expression(p);
  if (take(p, T_OP, ",")) return list_until(p, ")", inner);
  expect(p, T_OP, ")");
  return inner;
}

static ci_syntax *filter(parser *p, ci_syntax *of) {
  ci_syntax *n = make(p, N_FILTER);
  n->a = of;
  n->text = name(p);
  if (take(p, T_OP, "(")) arguments(p, &n->b, &n->c);
  return n;
}

static ci_syntax *test(parser *p, ci_syntax *of) {
  ci_syntax *n = make(p, N_TEST);
  n->a = of;
  n->negated = take(p, T_NAME, "not");
  n->text = name(p);
  if (take(p, T_OP, "("))
    arguments(p, &n->b, &n->c);
  else if (p->at->kind == T_STRING || p->at->kind == T_INT || p->at->kind == T_FLOAT || is(p, T_OP, "[") ||
           (p->at->kind == T_NAME && !is(p, T_NAME, "and") && !is(p, T_NAME, "or") && !is(p, T_NAME, "else") &&
            !is(p, T_NAME, "if") && !is(p, T_NAME, "is") && !is(p, T_NAME, "in") && !is(p, T_NAME, "not")))
    n->b = postfix(p);
  return n;
}

/* .a [b] (c) of a primary, then filters and tests. */
static ci_syntax *postfix(parser *p) {
  ci_syntax *n = primary(p);
  for (;;) {
    if (p->status) return n;
    if (take(p, T_OP, ".")) {
      ci_syntax *of = n;
      n = make(p, N_ATTRIBUTE);
      n->a = of;
      n->text = name(p);
    } else if (take(p, T_OP, "["))
      n = subscript(p, n);
    else if (take(p, T_OP, "(")) {
      ci_syntax *of = n;
      n = make(p, N_CALL);
      n->a = of;
      arguments(p, &n->b, &n->c);
    } else
      return n;
  }
}

static ci_syntax *filtered(parser *p, ci_syntax *n) {
  for (;;) {
    if (p->status) return n;
    if (take(p, T_OP, "|"))
      n = filter(p, n);
    else if (take(p, T_NAME, "is"))
      n = test(p, n);
    else if (is(p, T_OP, ".") || is(p, T_OP, "[") || is(p, T_OP, "("))
      return fail(p, "unexpected \"%s\"", p->at->text);
    else
      return n;
  }
}

static ci_syntax *signed_value(parser *p) {
  if (++p->depth > MOST_DEPTH) return fail(p, "expressions nested too deeply%s", "");
  ci_syntax *n;
  if (is(p, T_OP, "-") || is(p, T_OP, "+")) {
    ci_node_kind kind = take(p, T_OP, "-") ? N_MINUS : (p->at++, N_PLUS);
    ci_syntax *of = signed_value(p);
    n = binary(p, kind, of, NULL);
  } else {
    n = postfix(p);
    while (!p->status && take(p, T_OP, "**")) {
      ci_syntax *power = signed_value(p);
      n = binary(p, N_POWER, n, power);
    }
  }
  p->depth--;
  return n;
}

static ci_syntax *unary(parser *p) {
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

static ci_syntax *infixes(parser *p, int level) {
  if (level == LEVELS) return unary(p);
  ci_syntax *n = infixes(p, level + 1);
  for (int i = 0; i < 4 && !p->status;) {
    if (!levels[level][i].text || !take(p, T_OP, levels[level][i].text)) {
      i++;
      continue;
    }
    ci_syntax *right = infixes(p, level + 1);
    n = binary(p, levels[level][i].kind, n, right);
    i = 0;
  }
  return n;
}

static const char *comparison(parser *p) {
  static const char *const operators[] = {"==", "!=", "<=", ">=", "<", ">"};
  for (size_t i = 0; i < 6; i++)
    if (take(p, T_OP, operators[i])) return operators[i];
  if (take(p, T_NAME, "in")) return "in";
  if (is(p, T_NAME, "not") && p->at[1].kind == T_NAME && strcmp(p->at[1].text, "in") == 0) {
    p->at += 2;
    return "not in";
  }
  return NULL;
}

static ci_syntax *compared(parser *p) {
  ci_syntax *n = infixes(p, 0), *chain = NULL, **last = NULL;
  const char *operator;
  while (!p->status && (operator= comparison(p))) {
    if (!chain) {
      chain = binary(p, N_COMPARE, n, NULL);
      last = &chain->b;
    }
    ci_syntax *operand = make(p, N_OPERAND);
    operand->text = operator;
    operand->a = infixes(p, 0);
    link_to(&last, operand);
  }
  return chain ? chain : n;
}

static ci_syntax *negated(parser *p) {
  if (!take(p, T_NAME, "not")) return compared(p);
  if (++p->depth > MOST_DEPTH) return fail(p, "expressions nested too deeply%s", "");
  ci_syntax *of = negated(p);
  p->depth--;
  return binary(p, N_NOT, of, NULL);
}

static ci_syntax *conjunction(parser *p) {
  ci_syntax *n = negated(p);
  while (!p->status && take(p, T_NAME, "and")) n = binary(p, N_AND, n, negated(p));
  return n;
}

static ci_syntax *disjunction(parser *p) {
  ci_syntax *n = conjunction(p);
  while (!p->status && take(p, T_NAME, "or")) n = binary(p, N_OR, n, conjunction(p));
  return n;
}

static ci_syntax *expression(parser *p) {
  if (++p->depth > MOST_DEPTH) return fail(p, "expressions nested too deeply%s", "");
  ci_syntax *n = disjunction(p);
  while (!p->status && take(p, T_NAME, "if")) {
    ci_syntax *condition = disjunction(p);
    n = binary(p, N_CHOOSE, n, condition);
    if (take(p, T_NAME, "else")) n->c = expression(p);
  }
  p->depth--;
  return n;
}

/* a, b: one expression or a tuple */
static ci_syntax *tuple(parser *p) {
  ci_syntax *n = expression(p);
  if (!is(p, T_OP, ",")) return n;
  ci_syntax *list = make(p, N_LIST), **last = &list->a;
  link_to(&last, n);
  while (!p->status && take(p, T_OP, ",") && !is(p, T_BLOCK_END, NULL)) link_to(&last, expression(p));
  return list;
}

/* Names, or names with an attribute, that are assigned to. */
static ci_syntax *targets(parser *p, bool attributes) {
  ci_syntax *list = NULL, **last = &list;
  bool wrapped = take(p, T_OP, "(");
  do {
    ci_syntax *n = make(p, N_NAME);
    n->text = name(p);
    if (attributes && take(p, T_OP, ".")) {
      ci_syntax *of = n;
      n = make(p, N_ATTRIBUTE);
      n->a = of;
      n->text = name(p);
    }
    link_to(&last, n);
  } while (!p->status && take(p, T_OP, ","));
  if (wrapped) expect(p, T_OP, ")");
  return list;
}

static void end_tag(parser *p, const char *word) {
  expect(p, T_NAME, word);
  expect(p, T_BLOCK_END, NULL);
}

static ci_syntax *if_tag(parser *p) {
  static const char *const ends[] = {"elif", "else", "endif", NULL};
  ci_syntax *n = make(p, N_IF);
  n->a = expression(p);
  expect(p, T_BLOCK_END, NULL);
  n->b = body(p, ends);
  if (take(p, T_NAME, "elif")) {
    if (++p->depth > MOST_DEPTH) return fail(p, "too many elif%s", "");
    n->c = if_tag(p);
    p->depth--;
    return n;
  }
  if (take(p, T_NAME, "else")) {
    expect(p, T_BLOCK_END, NULL);
    n->c = body(p, ends + 2);
  }
  end_tag(p, "endif");
  return n;
}

static ci_syntax *for_tag(parser *p) {
  static const char *const ends[] = {"else", "endfor", NULL};
  ci_syntax *n = make(p, N_FOR);
  n->a = targets(p, false);
  expect(p, T_NAME, "in");
  n->b = disjunction(p); /* "if" after it is the loop's filter */
  if (is(p, T_OP, ",")) fail(p, "a tuple to loop over needs brackets%s", "");
  if (take(p, T_NAME, "if")) n->e = expression(p);
  if (is(p, T_NAME, "recursive")) fail(p, "a %s loop is not supported", "recursive");
  expect(p, T_BLOCK_END, NULL);
  n->c = body(p, ends);
  if (take(p, T_NAME, "else")) {
    expect(p, T_BLOCK_END, NULL);
    n->d = body(p, ends + 1);
  }
  end_tag(p, "endfor");
  return n;
}

static ci_syntax *set_tag(parser *p) {
  static const char *const ends[] = {"endset", NULL};
  ci_syntax *n = make(p, N_SET);
  n->a = targets(p, true);
  if (take(p, T_OP, "=")) {
    n->b = tuple(p);
    expect(p, T_BLOCK_END, NULL);
    return n;
  }
  n->kind = N_SET_BODY;
  if (is(p, T_OP, "|")) fail(p, "a filter in a set block is not supported%s", "");
  expect(p, T_BLOCK_END, NULL);
  n->b = body(p, ends);
  end_tag(p, "endset");
  return n;
}

static ci_syntax *macro_tag(parser *p) {
  static const char *const ends[] = {"endmacro", NULL};
  ci_syntax *n = make(p, N_MACRO), **last = &n->a;
  n->text = name(p);
  expect(p, T_OP, "(");
  while (!p->status && !take(p, T_OP, ")")) {
    ci_syntax *parameter = make(p, N_NAME);
    parameter->text = name(p);
    if (take(p, T_OP, "=")) parameter->a = expression(p);
    link_to(&last, parameter);
    if (!is(p, T_OP, ")")) expect(p, T_OP, ",");
  }
  expect(p, T_BLOCK_END, NULL);
  n->b = body(p, ends);
  end_tag(p, "endmacro");
  return n;
}

static ci_syntax *filter_tag(parser *p) {
  static const char *const ends[] = {"endfilter", NULL};
  ci_syntax *n = make(p, N_FILTER_BODY);
  n->a = filter(p, NULL);
  while (!p->status && take(p, T_OP, "|")) n->a = filter(p, n->a);
  expect(p, T_BLOCK_END, NULL);
  n->b = body(p, ends);
  end_tag(p, "endfilter");
  return n;
}

/* The parts that transformers' extension marks as the assistant's: they print as they are. */
static ci_syntax *generation_tag(parser *p) {
  static const char *const ends[] = {"endgeneration", NULL};
  ci_syntax *n = make(p, N_IF);
  n->a = literal(p, json_true());
  expect(p, T_BLOCK_END, NULL);
  n->b = body(p, ends);
  end_tag(p, "endgeneration");
  return n;
}

static ci_syntax *jump(parser *p, ci_node_kind kind) {
  ci_syntax *n = make(p, kind);
  expect(p, T_BLOCK_END, NULL);
  return n;
}

static ci_syntax *break_tag(parser *p) {
  return jump(p, N_BREAK);
}
static ci_syntax *continue_tag(parser *p) {
  return jump(p, N_CONTINUE);
}

static const struct {
  const char *word;
  ci_syntax *(*parse)(parser *p);
} tags[] = {{"if", if_tag},         {"for", for_tag},     {"set", set_tag},           {"macro", macro_tag},
            {"filter", filter_tag}, {"break", break_tag}, {"continue", continue_tag}, {"generation", generation_tag}};

static ci_syntax *block_tag(parser *p) {
  for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
    if (take(p, T_NAME, tags[i].word)) return tags[i].parse(p);
  return fail(p, "the tag {%% %s %%} is not supported", p->at->text);
}

/* Statements up to one of the end words, which is left to read: `{%` is read, the word is not. */
static ci_syntax *body(parser *p, const char *const *ends) {
  ci_syntax *list = NULL, **last = &list;
  if (++p->depth > MOST_DEPTH) return fail(p, "blocks nested too deeply%s", "");
  while (!p->status) {
    if (p->at->kind == T_TEXT) {
      ci_syntax *n = make(p, N_TEXT);
      json_t *value = json_stringn(p->at->text, p->at->length);
      if (value && !json_array_append_new(p->t->literals, value))
        n->literal = value;
      else
        fail(p, "text that is not UTF-8%s", "");
      link_to(&last, n);
      if (!p->status) p->at++;
    } else if (take(p, T_PRINT, NULL)) {
      ci_syntax *n = make(p, N_PRINT);
      n->a = tuple(p);
      expect(p, T_PRINT_END, NULL);
      link_to(&last, n);
    } else if (take(p, T_BLOCK, NULL)) {
      bool over = false;
      for (const char *const *end = ends; end && *end; end++) over |= is(p, T_NAME, *end);
      if (over) break;
      link_to(&last, block_tag(p));
    } else {
      while (ends && ends[1]) ends++;
      if (ends) fail(p, "a block without its {%% %s %%}", *ends);
      break;
    }
  }
  p->depth--;
  return list;
}

ci_status ci_template_parse(ci_template *t, const ci_token *tokens, ci_error *err) {
  parser p = {.t = t, .at = tokens, .err = err};
  t->body = body(&p, NULL);
  return p.status;
}
