/* Tokens to statements, and what both halves of the parser share. Jinja2's parser.py. */
#include "templates/parser.h"
#include <string.h>

static ci_syntax *body(ci_parser *p, const char *const *ends);

ci_syntax *ci_parse_fail(ci_parser *p, const char *format, const char *what) {
  if (!p->status) {
    char message[256];
    snprintf(message, sizeof message, format, what);
    p->status = ci_fail(p->err, CI_EINVAL, p->t->where, "line %d of the chat template: %s", p->at->line, message);
  }
  while (p->at->kind != T_END) p->at++; /* ends every loop */
  return NULL;
}

ci_syntax *ci_parse_node(ci_parser *p, ci_node_kind kind) {
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

ci_syntax *ci_parse_literal(ci_parser *p, json_t *value) {
  ci_syntax *n = ci_parse_node(p, N_LITERAL);
  if (!value || json_array_append_new(p->t->literals, value)) {
    if (!p->status) p->status = ci_fail_memory(p->err);
    return NULL;
  }
  n->literal = value;
  return n;
}

bool ci_parse_is(const ci_parser *p, ci_token_kind kind, const char *text) {
  return p->at->kind == kind && (!text || strcmp(p->at->text, text) == 0);
}

bool ci_parse_take(ci_parser *p, ci_token_kind kind, const char *text) {
  if (!ci_parse_is(p, kind, text)) return false;
  p->at++;
  return true;
}

void ci_parse_expect(ci_parser *p, ci_token_kind kind, const char *text) {
  if (!p->status && !ci_parse_take(p, kind, text))
    ci_parse_fail(p, "expected \"%s\"", text ? text : kind == T_BLOCK_END ? "%}" : "}}");
}

const char *ci_parse_name(ci_parser *p) {
  if (p->at->kind != T_NAME) {
    ci_parse_fail(p, "expected a name, not \"%s\"", p->at->text);
    return "";
  }
  return (p->at++)->text;
}

void ci_parse_link(ci_syntax ***end, ci_syntax *node) {
  if (!node) return;
  **end = node;
  *end = &node->next;
}

ci_syntax *ci_parse_binary(ci_parser *p, ci_node_kind kind, ci_syntax *a, ci_syntax *b) {
  ci_syntax *n = ci_parse_node(p, kind);
  n->a = a;
  n->b = b;
  return n;
}

/* a, b: one expression or a tuple */
static ci_syntax *tuple(ci_parser *p) {
  ci_syntax *n = ci_parse_expression(p);
  if (!ci_parse_is(p, T_OP, ",")) return n;
  ci_syntax *list = ci_parse_node(p, N_LIST), **last = &list->a;
  ci_parse_link(&last, n);
  while (!p->status && ci_parse_take(p, T_OP, ",") && !ci_parse_is(p, T_BLOCK_END, NULL))
    ci_parse_link(&last, ci_parse_expression(p));
  return list;
}

/* Names, or names with an attribute, that are assigned to. */
static ci_syntax *targets(ci_parser *p, bool attributes) {
  ci_syntax *list = NULL, **last = &list;
  bool wrapped = ci_parse_take(p, T_OP, "(");
  do {
    ci_syntax *n = ci_parse_node(p, N_NAME);
    n->text = ci_parse_name(p);
    if (attributes && ci_parse_take(p, T_OP, ".")) {
      ci_syntax *of = n;
      n = ci_parse_node(p, N_ATTRIBUTE);
      n->a = of;
      n->text = ci_parse_name(p);
    }
    ci_parse_link(&last, n);
  } while (!p->status && ci_parse_take(p, T_OP, ","));
  if (wrapped) ci_parse_expect(p, T_OP, ")");
  return list;
}

static void end_tag(ci_parser *p, const char *word) {
  ci_parse_expect(p, T_NAME, word);
  ci_parse_expect(p, T_BLOCK_END, NULL);
}

static ci_syntax *if_tag(ci_parser *p) {
  static const char *const ends[] = {"elif", "else", "endif", NULL};
  ci_syntax *n = ci_parse_node(p, N_IF);
  n->a = ci_parse_expression(p);
  ci_parse_expect(p, T_BLOCK_END, NULL);
  n->b = body(p, ends);
  if (ci_parse_take(p, T_NAME, "elif")) {
    if (++p->depth > CI_PARSER_DEPTH) return ci_parse_fail(p, "too many elif%s", "");
    n->c = if_tag(p);
    p->depth--;
    return n;
  }
  if (ci_parse_take(p, T_NAME, "else")) {
    ci_parse_expect(p, T_BLOCK_END, NULL);
    n->c = body(p, ends + 2);
  }
  end_tag(p, "endif");
  return n;
}

static ci_syntax *for_tag(ci_parser *p) {
  static const char *const ends[] = {"else", "endfor", NULL};
  ci_syntax *n = ci_parse_node(p, N_FOR);
  n->a = targets(p, false);
  ci_parse_expect(p, T_NAME, "in");
  n->b = ci_parse_condition(p); /* "if" after it is the loop's filter */
  if (ci_parse_is(p, T_OP, ",")) ci_parse_fail(p, "a tuple to loop over needs brackets%s", "");
  if (ci_parse_take(p, T_NAME, "if")) n->e = ci_parse_expression(p);
  if (ci_parse_is(p, T_NAME, "recursive")) ci_parse_fail(p, "a %s loop is not supported", "recursive");
  ci_parse_expect(p, T_BLOCK_END, NULL);
  n->c = body(p, ends);
  if (ci_parse_take(p, T_NAME, "else")) {
    ci_parse_expect(p, T_BLOCK_END, NULL);
    n->d = body(p, ends + 1);
  }
  end_tag(p, "endfor");
  return n;
}

static ci_syntax *set_tag(ci_parser *p) {
  static const char *const ends[] = {"endset", NULL};
  ci_syntax *n = ci_parse_node(p, N_SET);
  n->a = targets(p, true);
  if (ci_parse_take(p, T_OP, "=")) {
    n->b = tuple(p);
    ci_parse_expect(p, T_BLOCK_END, NULL);
    return n;
  }
  n->kind = N_SET_BODY;
  if (ci_parse_is(p, T_OP, "|")) ci_parse_fail(p, "a filter in a set block is not supported%s", "");
  ci_parse_expect(p, T_BLOCK_END, NULL);
  n->b = body(p, ends);
  end_tag(p, "endset");
  return n;
}

static ci_syntax *macro_tag(ci_parser *p) {
  static const char *const ends[] = {"endmacro", NULL};
  ci_syntax *n = ci_parse_node(p, N_MACRO), **last = &n->a;
  n->text = ci_parse_name(p);
  ci_parse_expect(p, T_OP, "(");
  while (!p->status && !ci_parse_take(p, T_OP, ")")) {
    ci_syntax *parameter = ci_parse_node(p, N_NAME);
    parameter->text = ci_parse_name(p);
    if (ci_parse_take(p, T_OP, "=")) parameter->a = ci_parse_expression(p);
    ci_parse_link(&last, parameter);
    if (!ci_parse_is(p, T_OP, ")")) ci_parse_expect(p, T_OP, ",");
  }
  ci_parse_expect(p, T_BLOCK_END, NULL);
  n->b = body(p, ends);
  end_tag(p, "endmacro");
  return n;
}

static ci_syntax *filter_tag(ci_parser *p) {
  static const char *const ends[] = {"endfilter", NULL};
  ci_syntax *n = ci_parse_node(p, N_FILTER_BODY);
  n->a = ci_parse_filter(p, NULL);
  while (!p->status && ci_parse_take(p, T_OP, "|")) n->a = ci_parse_filter(p, n->a);
  ci_parse_expect(p, T_BLOCK_END, NULL);
  n->b = body(p, ends);
  end_tag(p, "endfilter");
  return n;
}

/* The parts that transformers' extension marks as the assistant's: they print as they are. */
static ci_syntax *generation_tag(ci_parser *p) {
  static const char *const ends[] = {"endgeneration", NULL};
  ci_syntax *n = ci_parse_node(p, N_IF);
  n->a = ci_parse_literal(p, json_true());
  ci_parse_expect(p, T_BLOCK_END, NULL);
  n->b = body(p, ends);
  end_tag(p, "endgeneration");
  return n;
}

static ci_syntax *jump(ci_parser *p, ci_node_kind kind) {
  ci_syntax *n = ci_parse_node(p, kind);
  ci_parse_expect(p, T_BLOCK_END, NULL);
  return n;
}

static ci_syntax *break_tag(ci_parser *p) {
  return jump(p, N_BREAK);
}
static ci_syntax *continue_tag(ci_parser *p) {
  return jump(p, N_CONTINUE);
}

static const struct {
  const char *word;
  ci_syntax *(*parse)(ci_parser *p);
} tags[] = {{"if", if_tag},         {"for", for_tag},     {"set", set_tag},           {"macro", macro_tag},
            {"filter", filter_tag}, {"break", break_tag}, {"continue", continue_tag}, {"generation", generation_tag}};

static ci_syntax *block_tag(ci_parser *p) {
  for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
    if (ci_parse_take(p, T_NAME, tags[i].word)) return tags[i].parse(p);
  return ci_parse_fail(p, "the tag {%% %s %%} is not supported", p->at->text);
}

/* Statements up to one of the end words, which is left to read: `{%` is read, the word is not. */
static ci_syntax *body(ci_parser *p, const char *const *ends) {
  ci_syntax *list = NULL, **last = &list;
  if (++p->depth > CI_PARSER_DEPTH) return ci_parse_fail(p, "blocks nested too deeply%s", "");
  while (!p->status) {
    if (p->at->kind == T_TEXT) {
      ci_syntax *n = ci_parse_node(p, N_TEXT);
      json_t *value = json_stringn(p->at->text, p->at->length);
      if (value && !json_array_append_new(p->t->literals, value))
        n->literal = value;
      else
        ci_parse_fail(p, "text that is not UTF-8%s", "");
      ci_parse_link(&last, n);
      if (!p->status) p->at++;
    } else if (ci_parse_take(p, T_PRINT, NULL)) {
      ci_syntax *n = ci_parse_node(p, N_PRINT);
      n->a = tuple(p);
      ci_parse_expect(p, T_PRINT_END, NULL);
      ci_parse_link(&last, n);
    } else if (ci_parse_take(p, T_BLOCK, NULL)) {
      bool over = false;
      for (const char *const *end = ends; end && *end; end++) over |= ci_parse_is(p, T_NAME, *end);
      if (over) break;
      ci_parse_link(&last, block_tag(p));
    } else {
      while (ends && ends[1]) ends++;
      if (ends) ci_parse_fail(p, "a block without its {%% %s %%}", *ends);
      break;
    }
  }
  p->depth--;
  return list;
}

ci_status ci_template_parse(ci_template *t, const ci_token *tokens, ci_error *err) {
  ci_parser p = {.t = t, .at = tokens, .err = err};
  t->body = body(&p, NULL);
  return p.status;
}
