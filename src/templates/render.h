/* A template being rendered. Values are JSON values: lists and tuples are arrays, dictionaries, namespaces and `loop`
 * objects; NULL is Jinja's undefined. Everything that functions here return is borrowed from the rendering, which owns
 * all it made until its end. Errors stick: after the first one everything is undefined. */
#ifndef CI_TEMPLATES_RENDER_H
#define CI_TEMPLATES_RENDER_H
#include "base/text.h"
#include "templates/syntax.h"

typedef struct ci_scope {
  json_t *names;
  struct ci_scope *outer;
} ci_scope;

typedef struct ci_macro {
  const ci_syntax *node;
  struct ci_macro *older;
} ci_macro;

typedef struct {
  const ci_template *t;
  json_t *pool; /* owns every value made */
  ci_scope *scope;
  ci_scope *globals; /* what macros see */
  ci_macro *macros;
  ci_text *out;
  int line, depth;
  size_t steps, bytes;
  ci_node_kind jump; /* N_BREAK, N_CONTINUE, or 0 (N_LITERAL): none */
  ci_status status;
  ci_error *err;
} ci_rendering;

/* What a filter, test, method or function is called with. */
enum { CI_MOST_ARGUMENTS = 8 };
typedef struct {
  json_t *items[CI_MOST_ARGUMENTS];
  size_t count;
  json_t *keywords; /* object */
} ci_arguments;

/* An error at the current line; returns undefined. */
json_t *ci_render_fail(ci_rendering *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes ownership. Undefined with an error when value is NULL: memory is out. */
json_t *ci_render_keep(ci_rendering *r, json_t *value);
json_t *ci_render_text(ci_rendering *r, const char *bytes, size_t length);
json_t *ci_render_take(ci_rendering *r, ci_text *text); /* and frees it */

/* expression.c, statement.c */
json_t *ci_render_value(ci_rendering *r, const ci_syntax *node);
json_t *ci_render_attribute(ci_rendering *r, json_t *of, const char *name); /* obj.name, obj["name"] */
json_t *ci_render_find(const ci_rendering *r, const char *name, bool *found);
json_t *ci_render_macro(ci_rendering *r, const ci_syntax *macro, const ci_arguments *a);
void ci_render_body(ci_rendering *r, const ci_syntax *body);
/* The argument at `position` or named `name`, or fallback. */
json_t *ci_render_argument(const ci_arguments *a, size_t position, const char *name, json_t *fallback);

/* value.c */
bool ci_value_true(const json_t *v);
bool ci_value_equal(const json_t *a, const json_t *b);
/* a < b: -1, equal 0, a > b: 1; an error for kinds that have no order. */
int ci_value_order(ci_rendering *r, const json_t *a, const json_t *b);
bool ci_value_in(ci_rendering *r, const json_t *item, const json_t *of);
void ci_value_print(ci_text *text, const json_t *v); /* Python's str() */
void ci_value_json(ci_text *text, const json_t *v, int indent, bool ascii,
                   bool sorted); /* json.dumps; indent < 0: one line */
/* A list of what looping over v gives: characters, keys, items. Undefined gives none. */
json_t *ci_value_list(ci_rendering *r, json_t *v);
size_t ci_value_length(ci_rendering *r, const json_t *v);
/* Python's slice of a list or a string; undefined bounds are open. */
json_t *ci_value_slice(ci_rendering *r, json_t *v, const json_t *from, const json_t *to, const json_t *step);

/* Rows by name; NULL: none. */
typedef json_t *ci_render_function(ci_rendering *r, json_t *value, const ci_arguments *a);
typedef bool ci_render_test(ci_rendering *r, const json_t *value, const ci_arguments *a);
ci_render_function *ci_template_filter(const char *name);
ci_render_test *ci_template_test(const char *name);
ci_render_function *ci_template_method(const json_t *value, const char *name);
ci_render_function *ci_template_global(const char *name);

#endif
