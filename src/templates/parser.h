/* What the two halves of the parser share. Errors stick: after the first one the end of the source is all there is to
 * read. */
#ifndef CI_TEMPLATES_PARSER_H
#define CI_TEMPLATES_PARSER_H
#include "templates/syntax.h"

enum { CI_PARSER_DEPTH = 200 };

typedef struct {
  ci_template *t;
  const ci_token *at;
  ci_status status;
  ci_error *err;
  int depth;
  ci_syntax none; /* stands for nodes after an error: never looked at */
} ci_parser;

/* format has one %s, for what. NULL. */
ci_syntax *ci_parse_fail(ci_parser *p, const char *format, const char *what);
ci_syntax *ci_parse_node(ci_parser *p, ci_node_kind kind); /* never NULL */
ci_syntax *ci_parse_binary(ci_parser *p, ci_node_kind kind, ci_syntax *a, ci_syntax *b);
ci_syntax *ci_parse_literal(ci_parser *p, json_t *value); /* takes ownership */
void ci_parse_link(ci_syntax ***end, ci_syntax *node);    /* appends to a list */

bool ci_parse_is(const ci_parser *p, ci_token_kind kind, const char *text); /* text NULL: any */
bool ci_parse_take(ci_parser *p, ci_token_kind kind, const char *text);     /* reads it if it is there */
void ci_parse_expect(ci_parser *p, ci_token_kind kind, const char *text);
const char *ci_parse_name(ci_parser *p);

ci_syntax *ci_parse_expression(ci_parser *p);
ci_syntax *ci_parse_condition(ci_parser *p);             /* an expression without "a if b else c" */
ci_syntax *ci_parse_filter(ci_parser *p, ci_syntax *of); /* behind the | */

#endif
