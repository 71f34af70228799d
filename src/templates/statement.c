/* Statements, scopes and macros; the rendering as a whole. */
#include "templates/render.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MOST_BYTES = 64 << 20 };

json_t *ci_render_fail(ci_rendering *r, const char *format, ...) {
  char message[512];
  va_list list;
  va_start(list, format);
  vsnprintf(message, sizeof message, format, list);
  va_end(list);
  if (!r->status)
    r->status = ci_fail(r->err, CI_EINVAL, r->t->where, "line %d of the chat template: %s", r->line, message);
  return NULL;
}

json_t *ci_render_keep(ci_rendering *r, json_t *value) {
  if (r->status) {
    json_decref(value);
    return NULL;
  }
  r->bytes += 64 + (json_is_string(value)  ? json_string_length(value)
                    : json_is_array(value) ? 8 * json_array_size(value)
                                           : 0);
  if (r->bytes > MOST_BYTES) {
    json_decref(value);
    return ci_render_fail(r, "more than %d MB of values", MOST_BYTES >> 20);
  }
  if (value && !json_array_append_new(r->pool, value)) return value; /* a failing append frees it */
  r->status = ci_fail_memory(r->err);
  return NULL;
}

json_t *ci_render_text(ci_rendering *r, const char *bytes, size_t length) {
  return ci_render_keep(r, json_stringn(bytes ? bytes : "", length));
}

json_t *ci_render_take(ci_rendering *r, ci_text *text) {
  json_t *value = text->failed ? ci_render_keep(r, NULL) : ci_render_text(r, text->data, text->length);
  ci_text_free(text);
  return value;
}

json_t *ci_render_find(const ci_rendering *r, const char *name, bool *found) {
  for (const ci_scope *s = r->scope; s; s = s->outer) {
    json_t *value = json_object_get(s->names, name);
    if (value) return *found = true, value;
  }
  *found = false;
  return NULL;
}

static void assign(ci_rendering *r, const char *name, json_t *value) {
  if (r->status) return;
  if (!value)
    json_object_del(r->scope->names, name);
  else if (json_object_set(r->scope->names, name, value))
    r->status = ci_fail_memory(r->err);
}

/* To a name, or to an attribute of a namespace. A copy goes into the namespace, so that no value can hold itself. */
static void assign_to(ci_rendering *r, const ci_syntax *target, json_t *value) {
  if (target->kind == N_NAME) {
    assign(r, target->text, value);
    return;
  }
  json_t *space = ci_render_value(r, target->a);
  if (r->status) return;
  if (!json_object_get(space, "namespace()"))
    ci_render_fail(r, "only a namespace's attributes can be set");
  else
    json_object_set_new(space, target->text, value ? json_deep_copy(value) : json_null());
}

static void assign_all(ci_rendering *r, const ci_syntax *targets, json_t *value) {
  if (!targets->next) {
    assign_to(r, targets, value);
    return;
  }
  json_t *list = ci_value_list(r, value);
  size_t i = 0;
  for (const ci_syntax *t = targets; t && !r->status; t = t->next) {
    if (i >= json_array_size(list))
      ci_render_fail(r, "fewer values than names");
    else
      assign_to(r, t, json_array_get(list, i++));
  }
  if (!r->status && i != json_array_size(list)) ci_render_fail(r, "more values than names");
}

static bool enter(ci_rendering *r, ci_scope *scope) {
  *scope = (ci_scope){ci_render_keep(r, json_object()), r->scope};
  if (scope->names) r->scope = scope;
  return scope->names != NULL;
}

static json_t *loop_facts(ci_rendering *r, const json_t *list, size_t i) {
  size_t n = json_array_size(list);
  json_t *facts =
      ci_render_keep(r, json_pack("{s:I,s:I,s:I,s:I,s:b,s:b,s:I}", "index", (json_int_t)i + 1, "index0", (json_int_t)i,
                                  "revindex", (json_int_t)(n - i), "revindex0", (json_int_t)(n - i) - 1, "first",
                                  i == 0, "last", i + 1 == n, "length", (json_int_t)n));
  if (facts && i) json_object_set(facts, "previtem", json_array_get(list, i - 1));
  if (facts && i + 1 < n) json_object_set(facts, "nextitem", json_array_get(list, i + 1));
  return facts;
}

/* What the loop's own "if" leaves. */
static json_t *chosen(ci_rendering *r, const ci_syntax *node, json_t *list) {
  if (!node->e || !list) return list;
  json_t *kept = ci_render_keep(r, json_array());
  ci_scope scope;
  if (!kept || !enter(r, &scope)) return NULL;
  for (size_t i = 0; i < json_array_size(list) && !r->status; i++) {
    assign_all(r, node->a, json_array_get(list, i));
    if (ci_value_true(ci_render_value(r, node->e))) json_array_append(kept, json_array_get(list, i));
  }
  r->scope = scope.outer;
  return kept;
}

static void for_loop(ci_rendering *r, const ci_syntax *node) {
  json_t *list = ci_value_list(r, ci_render_value(r, node->b));
  list = ci_render_keep(r, json_copy(chosen(r, node, list)));
  for (size_t i = 0; list && i < json_array_size(list) && !r->status; i++) {
    ci_scope scope;
    if (!enter(r, &scope)) return;
    assign(r, "loop", loop_facts(r, list, i));
    assign_all(r, node->a, json_array_get(list, i));
    ci_render_body(r, node->c);
    r->scope = scope.outer;
    ci_node_kind jump = r->jump;
    r->jump = 0;
    if (jump == N_BREAK) break;
  }
  if (list && !json_array_size(list)) ci_render_body(r, node->d);
}

/* What a body prints, as a value. */
static json_t *printed(ci_rendering *r, const ci_syntax *body) {
  ci_text text = {0}, *outer = r->out;
  r->out = &text;
  ci_render_body(r, body);
  r->out = outer;
  return ci_render_take(r, &text);
}

json_t *ci_render_macro(ci_rendering *r, const ci_syntax *macro, const ci_arguments *a) {
  ci_scope scope = {ci_render_keep(r, json_object()), r->globals}, *caller = r->scope;
  size_t i = 0;
  for (const ci_syntax *p = macro->a; p && !r->status; p = p->next, i++) {
    json_t *value = ci_render_argument(a, i, p->text, NULL);
    if (!value && p->a) value = ci_render_value(r, p->a);
    r->scope = &scope;
    assign(r, p->text, value);
    r->scope = caller;
  }
  if (r->status) return NULL;
  if (a->count > i) return ci_render_fail(r, "macro %s takes %zu arguments", macro->text, i);
  r->scope = &scope;
  json_t *text = printed(r, macro->b);
  r->scope = caller;
  return text;
}

static void filter_body(ci_rendering *r, const ci_syntax *node) {
  json_t *text = printed(r, node->b);
  const ci_syntax *chain[32];
  size_t n = 0;
  for (const ci_syntax *f = node->a; f && n < 32; f = f->a) chain[n++] = f;
  while (n && !r->status) {
    ci_syntax value = {.kind = N_LITERAL, .literal = text}, one = *chain[--n];
    one.a = &value;
    text = ci_render_value(r, &one);
  }
  ci_value_print(r->out, text);
}

static void statement(ci_rendering *r, const ci_syntax *node) {
  switch (node->kind) {
  case N_TEXT:
    ci_value_print(r->out, node->literal);
    break;
  case N_PRINT:
    ci_value_print(r->out, ci_render_value(r, node->a));
    break;
  case N_IF:
    ci_render_body(r, ci_value_true(ci_render_value(r, node->a)) ? node->b : node->c);
    break;
  case N_FOR:
    for_loop(r, node);
    break;
  case N_SET:
    assign_all(r, node->a, ci_render_value(r, node->b));
    break;
  case N_SET_BODY:
    assign_all(r, node->a, printed(r, node->b));
    break;
  case N_FILTER_BODY:
    filter_body(r, node);
    break;
  case N_MACRO: {
    ci_macro *m = ci_alloc_zeroed(1, sizeof *m);
    if (!m) {
      r->status = ci_fail_memory(r->err);
      return;
    }
    *m = (ci_macro){node, r->macros};
    r->macros = m;
    break;
  }
  default:
    r->jump = node->kind;
  }
}

void ci_render_body(ci_rendering *r, const ci_syntax *body) {
  enum { MOST_DEPTH = 1000 };
  if (++r->depth > MOST_DEPTH) ci_render_fail(r, "blocks nested too deeply");
  for (const ci_syntax *n = body; n && !r->status && !r->jump; n = n->next) {
    r->line = n->line;
    statement(r, n);
    if (r->out->length > MOST_BYTES) ci_render_fail(r, "more than %d MB of text", MOST_BYTES >> 20);
  }
  r->depth--;
}

/* Line ends are "\n" to Jinja, whatever they are in the file. */
static char *with_newlines(const char *source, size_t *length) {
  char *copy = ci_alloc(*length + 1, 1);
  size_t n = 0;
  for (size_t i = 0; copy && i < *length; i++) {
    if (source[i] == '\r' && i + 1 < *length && source[i + 1] == '\n') continue;
    copy[n++] = source[i] == '\r' ? '\n' : source[i];
  }
  *length = n;
  return copy;
}

ci_status ci_template_open(const char *where, const char *source, size_t length, ci_template **out, ci_error *err) {
  *out = NULL;
  ci_template *t = ci_alloc_zeroed(1, sizeof *t);
  if (!t) return ci_fail_memory(err);
  t->arena = ci_arena_create();
  t->literals = json_array();
  t->where = ci_duplicate(where);
  ci_token *tokens = NULL;
  char *lines = with_newlines(source, &length);
  ci_status status = t->arena && t->literals && t->where && lines ? CI_OK : ci_fail_memory(err);
  if (!status && !ci_utf8_valid(lines, length))
    status = ci_fail(err, CI_EINVAL, where, "a chat template that is not UTF-8");
  if (!status) status = ci_template_tokens(t, lines, length, &tokens, err);
  if (!status) status = ci_template_parse(t, tokens, err);
  ci_free(tokens);
  ci_free(lines);
  if (status)
    ci_template_close(t);
  else
    *out = t;
  return status;
}

void ci_template_close(ci_template *t) {
  if (!t) return;
  json_decref(t->literals);
  ci_arena_close(t->arena);
  ci_free(t->where);
  ci_free(t);
}

ci_status ci_template_render(const ci_template *t, const json_t *variables, char **text, ci_error *err) {
  ci_text out = {0};
  *text = NULL;
  json_t *names = json_copy((json_t *)variables), *pool = json_array();
  ci_scope globals = {names, NULL};
  ci_rendering r = {.t = t, .pool = pool, .scope = &globals, .globals = &globals, .out = &out, .err = err};
  ci_text_add(&out, "");
  if (!names || !pool)
    r.status = ci_fail_memory(err);
  else
    ci_render_body(&r, t->body);
  while (r.macros) {
    ci_macro *older = r.macros->older;
    ci_free(r.macros);
    r.macros = older;
  }
  json_decref(names);
  json_decref(pool);
  if (!r.status && !(*text = ci_text_take(&out))) r.status = ci_fail_memory(err);
  ci_text_free(&out);
  return r.status;
}
