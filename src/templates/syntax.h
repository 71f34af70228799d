/* Tokens and syntax trees of templates. All of it lives in the template's arena. */
#ifndef CI_TEMPLATES_SYNTAX_H
#define CI_TEMPLATES_SYNTAX_H
#include "base/memory.h"
#include "templates/template.h"
#include <stdbool.h>

typedef enum {
  T_TEXT,
  T_PRINT,
  T_PRINT_END,
  T_BLOCK,
  T_BLOCK_END,
  T_NAME,
  T_STRING,
  T_INT,
  T_FLOAT,
  T_OP,
  T_END
} ci_token_kind;

typedef struct {
  ci_token_kind kind;
  int line;
  const char *text; /* name, operator, text, or a string's contents; in the arena, terminated */
  size_t length;
} ci_token;

typedef enum {
  /* expressions */
  N_LITERAL, /* literal */
  N_NAME,    /* text */
  N_LIST,    /* a: first item */
  N_DICT,    /* a: key, value, key, value ... */
  N_NOT,
  N_MINUS,
  N_PLUS, /* a */
  N_AND,
  N_OR,
  N_ADD,
  N_SUBTRACT,
  N_MULTIPLY,
  N_DIVIDE,
  N_FLOOR,
  N_MODULO,
  N_POWER,
  N_JOIN,    /* a, b */
  N_COMPARE, /* a; b: list of N_OPERAND {text: operator, a: operand} */
  N_OPERAND,
  N_CHOOSE,    /* a if b else c (c may be NULL) */
  N_ATTRIBUTE, /* a.text */
  N_INDEX,     /* a[b] */
  N_SLICE,     /* a[b:c:d], each may be NULL */
  N_CALL,      /* a(b: arguments, c: N_KEYWORD list) */
  N_FILTER,    /* a|text(b, c) */
  N_TEST,      /* a is text b; negated */
  N_KEYWORD,   /* text=a */
  /* statements */
  N_TEXT,        /* literal */
  N_PRINT,       /* a */
  N_IF,          /* a: condition, b: body, c: body of else */
  N_FOR,         /* a: N_NAME list, b: iterable, c: body, d: body of else, e: condition */
  N_SET,         /* a: N_NAME or N_ATTRIBUTE list, b: value */
  N_SET_BODY,    /* a: N_NAME, b: body */
  N_MACRO,       /* text; a: N_NAME list whose a is the default; b: body */
  N_FILTER_BODY, /* a: N_FILTER chain whose innermost a is NULL; b: body */
  N_BREAK,
  N_CONTINUE
} ci_node_kind;

typedef struct ci_syntax {
  ci_node_kind kind;
  int line;
  bool negated;
  const char *text;
  json_t *literal;
  struct ci_syntax *a, *b, *c, *d, *e;
  struct ci_syntax *next; /* in the list it is a member of */
} ci_syntax;

struct ci_template {
  char *where;
  ci_arena *arena;
  json_t *literals; /* owns the literals */
  ci_syntax *body;
};

/* Tokens of the source with blank space trimmed as the settings say; ends with T_END. */
ci_status ci_template_tokens(ci_template *t, const char *source, size_t length, ci_token **tokens, ci_error *err);
ci_status ci_template_parse(ci_template *t, const ci_token *tokens, ci_error *err);

#endif
