/* Filters (jinja2/filters.py; tojson as transformers replaces it). */
#include "templates/render.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *print(ci_rendering *r, const json_t *v) {
  ci_text text = {0};
  ci_value_print(&text, v);
  return ci_render_take(r, &text);
}

static json_t *string(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return (void)a, json_is_string(v) ? v : print(r, v);
}

/* Filters that are methods of strings. */
static json_t *by_method(ci_rendering *r, json_t *v, const ci_arguments *a, const char *name) {
  json_t *text = print(r, v);
  return text ? ci_template_method(text, name)(r, text, a) : NULL;
}
static json_t *trim(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return by_method(r, v, a, "strip");
}
static json_t *upper(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return by_method(r, v, a, "upper");
}
static json_t *lower(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return by_method(r, v, a, "lower");
}
static json_t *capitalize(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return by_method(r, v, a, "capitalize");
}
static json_t *replace(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return by_method(r, v, a, "replace");
}

/* Words begin after blank space, a hyphen or an opening bracket: not as str.title() has it. */
static json_t *title(ci_rendering *r, json_t *v, const ci_arguments *a) {
  (void)a;
  static const char borders[] = "- \t\n\r\f\v({[<";
  const json_t *text = print(r, v);
  const char *at = json_string_value(text);
  ci_text out = {0};
  while (at && *at && !r->status) {
    size_t between = strspn(at, borders), word = strcspn(at + between, borders);
    ci_text_add_n(&out, at, between);
    json_t *piece = ci_render_text(r, at + between, word);
    if (piece) ci_value_print(&out, ci_template_method(piece, "capitalize")(r, piece, a));
    at += between + word;
  }
  return ci_render_take(r, &out);
}

static json_t *length(ci_rendering *r, json_t *v, const ci_arguments *a) {
  (void)a;
  return ci_render_keep(r, json_integer((json_int_t)ci_value_length(r, v)));
}

static json_t *tojson(ci_rendering *r, json_t *v, const ci_arguments *a) {
  const json_t *indent = ci_render_argument(a, 1, "indent", NULL),
               *separators = ci_render_argument(a, 2, "separators", NULL);
  bool ascii = ci_value_true(ci_render_argument(a, 0, "ensure_ascii", NULL)),
       sorted = ci_value_true(ci_render_argument(a, 3, "sort_keys", NULL));
  if (!v) return ci_render_fail(r, "tojson of a value that is undefined");
  if (separators && !json_is_null(separators)) return ci_render_fail(r, "tojson with separators is not supported");
  int wide = json_is_integer(indent) ? (int)json_integer_value(indent) : -1;
  if (wide > 64) return ci_render_fail(r, "an indent of this size");
  ci_text text = {0};
  ci_value_json(&text, v, wide, ascii, sorted);
  return ci_render_take(r, &text);
}

static json_t *joined(ci_rendering *r, json_t *v, const ci_arguments *a) {
  json_t *list = ci_value_list(r, v), *between = ci_render_argument(a, 0, "d", NULL),
         *name = ci_render_argument(a, 1, "attribute", NULL);
  ci_text text = {0};
  for (size_t i = 0; i < json_array_size(list) && !r->status; i++) {
    if (i) ci_value_print(&text, between);
    json_t *item = json_array_get(list, i);
    ci_value_print(&text, json_is_string(name) ? ci_render_attribute(r, item, json_string_value(name)) : item);
  }
  return ci_render_take(r, &text);
}

static json_t *fallback(ci_rendering *r, json_t *v, const ci_arguments *a) {
  bool also_false = ci_value_true(ci_render_argument(a, 1, "boolean", NULL));
  if (v && (!also_false || ci_value_true(v))) return v;
  return a->count || json_object_get(a->keywords, "default_value") ? ci_render_argument(a, 0, "default_value", NULL)
                                                                   : ci_render_text(r, "", 0);
}

static json_t *first(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return (void)a, json_array_get(ci_value_list(r, v), 0);
}

static json_t *last(ci_rendering *r, json_t *v, const ci_arguments *a) {
  (void)a;
  json_t *list = ci_value_list(r, v);
  return json_array_size(list) ? json_array_get(list, json_array_size(list) - 1) : NULL;
}

static json_t *list(ci_rendering *r, json_t *v, const ci_arguments *a) {
  (void)a;
  return ci_render_keep(r, json_copy(ci_value_list(r, v)));
}

static json_t *reversed(ci_rendering *r, json_t *v, const ci_arguments *a) {
  (void)a;
  json_t *minus = ci_render_keep(r, json_integer(-1));
  return minus ? ci_value_slice(r, json_is_string(v) ? v : ci_value_list(r, v), NULL, NULL, minus) : NULL;
}

static json_t *integer(ci_rendering *r, json_t *v, const ci_arguments *a) {
  double x = json_is_string(v) ? strtod(json_string_value(v), NULL) : json_is_true(v) ? 1 : json_number_value(v);
  if (json_is_integer(v)) return v;
  if (json_is_string(v) && !json_string_length(v))
    return ci_render_argument(a, 0, "default", ci_render_keep(r, json_integer(0)));
  if (!(fabs(x) < 9e18)) return ci_render_fail(r, "a number out of range");
  return ci_render_keep(r, json_integer((json_int_t)x));
}

static json_t *real(ci_rendering *r, json_t *v, const ci_arguments *a) {
  (void)a;
  double x = json_is_string(v) ? strtod(json_string_value(v), NULL) : json_is_true(v) ? 1 : json_number_value(v);
  return isfinite(x) ? ci_render_keep(r, json_real(x)) : ci_render_fail(r, "a number out of range");
}

static json_t *absolute(ci_rendering *r, json_t *v, const ci_arguments *a) {
  (void)a;
  if (json_is_integer(v))
    return json_integer_value(v) >= 0 ? v : ci_render_keep(r, json_integer(-(json_integer_value(v) + 1) + 1));
  return json_is_real(v) ? ci_render_keep(r, json_real(fabs(json_real_value(v))))
                         : ci_render_fail(r, "abs of a value that is no number");
}

static json_t *rounded(ci_rendering *r, json_t *v, const ci_arguments *a) {
  json_t *digits = ci_render_argument(a, 0, "precision", NULL);
  double scale = pow(10, json_is_integer(digits) ? (double)json_integer_value(digits) : 0);
  if (!json_is_number(v) || !(scale > 0 && scale < 1e300))
    return ci_render_fail(r, "round of a value that is no number");
  return ci_render_keep(r, json_real(rint(json_number_value(v) * scale) / scale));
}

/* [[key, value], ...] */
static json_t *items(ci_rendering *r, json_t *v, const ci_arguments *a) {
  if (!v) return ci_render_keep(r, json_array());
  ci_render_function *method = ci_template_method(v, "items");
  return method ? method(r, v, a) : ci_render_fail(r, "items of a value that is no dictionary");
}

typedef struct {
  ci_rendering *r;
  const char *name; /* of the attribute that is the key; NULL: the item itself */
  size_t part;      /* of an item that is a pair */
  bool pairs, exact;
} sorting;

static const json_t *sort_key(const sorting *s, const json_t *item) {
  if (s->pairs) return json_array_get(item, s->part);
  return s->name ? json_object_get(item, s->name) : item;
}

static int in_order(const sorting *s, const json_t *x, const json_t *y) {
  const json_t *a = sort_key(s, x), *b = sort_key(s, y);
  if (!s->exact && json_is_string(a) && json_is_string(b)) {
    int order = strcasecmp(json_string_value(a), json_string_value(b));
    return order;
  }
  return ci_value_order(s->r, a, b);
}

/* Stable: insertion, since such lists are short. */
static json_t *sorted_list(const sorting *s, json_t *from, bool backwards) {
  enum { MOST = 2000 };
  json_t *made = ci_render_keep(s->r, json_array());
  if (json_array_size(from) > MOST) return ci_render_fail(s->r, "more than %d items to sort", MOST);
  for (size_t i = 0; made && i < json_array_size(from) && !s->r->status; i++) {
    json_t *item = json_array_get(from, i);
    size_t at = json_array_size(made);
    while (at && (backwards ? in_order(s, json_array_get(made, at - 1), item) < 0
                            : in_order(s, json_array_get(made, at - 1), item) > 0))
      at--;
    json_array_insert(made, at, item);
  }
  return made;
}

static json_t *sorted(ci_rendering *r, json_t *v, const ci_arguments *a) {
  const json_t *name = ci_render_argument(a, 2, "attribute", NULL);
  sorting s = {.r = r,
               .name = json_string_value(name),
               .exact = ci_value_true(ci_render_argument(a, 1, "case_sensitive", NULL))};
  return sorted_list(&s, ci_value_list(r, v), ci_value_true(ci_render_argument(a, 0, "reverse", NULL)));
}

static json_t *dictsort(ci_rendering *r, json_t *v, const ci_arguments *a) {
  const char *by = json_string_value(ci_render_argument(a, 1, "by", NULL));
  sorting s = {.r = r,
               .pairs = true,
               .part = by && strcmp(by, "value") == 0,
               .exact = ci_value_true(ci_render_argument(a, 0, "case_sensitive", NULL))};
  return sorted_list(&s, items(r, v, a), ci_value_true(ci_render_argument(a, 2, "reverse", NULL)));
}

static json_t *unique(ci_rendering *r, json_t *v, const ci_arguments *a) {
  (void)a;
  json_t *from = ci_value_list(r, v), *made = ci_render_keep(r, json_array());
  for (size_t i = 0; made && i < json_array_size(from) && !r->status; i++)
    if (!ci_value_in(r, json_array_get(from, i), made)) json_array_append(made, json_array_get(from, i));
  return made;
}

static json_t *sum(ci_rendering *r, json_t *v, const ci_arguments *a) {
  const char *name = json_string_value(ci_render_argument(a, 0, "attribute", NULL));
  json_t *from = ci_value_list(r, v);
  double total = 0;
  bool whole = true;
  for (size_t i = 0; i < json_array_size(from); i++) {
    const json_t *item = json_array_get(from, i);
    if (name) item = json_object_get(item, name);
    whole &= json_is_integer(item);
    total += json_number_value(item);
  }
  return ci_render_keep(r, whole ? json_integer((json_int_t)total) : json_real(total));
}

static json_t *indent(ci_rendering *r, json_t *v, const ci_arguments *a) {
  json_t *width = ci_render_argument(a, 0, "width", NULL), *text = print(r, v);
  bool head = ci_value_true(ci_render_argument(a, 1, "first", NULL)),
       blank = ci_value_true(ci_render_argument(a, 2, "blank", NULL));
  int spaces = json_is_integer(width) ? (int)json_integer_value(width) : 4;
  if (spaces < 0 || spaces > 1000) return ci_render_fail(r, "an indent of this size");
  ci_text out = {0};
  for (const char *line = json_string_value(text); line;) {
    const char *end = strchr(line, '\n');
    size_t n = end ? (size_t)(end - line) : strlen(line);
    bool at_head = line == json_string_value(text);
    if (at_head ? head : n || blank) ci_text_add_format(&out, "%*s", spaces, "");
    ci_text_add_n(&out, line, n + (end != NULL));
    line = end ? end + 1 : NULL;
  }
  return ci_render_take(r, &out);
}

static json_t *escape(ci_rendering *r, json_t *v, const ci_arguments *a) {
  (void)a;
  json_t *text = print(r, v);
  ci_text out = {0};
  for (const char *c = json_string_value(text); c && *c; c++) {
    if (*c == '&')
      ci_text_add(&out, "&amp;");
    else if (*c == '<')
      ci_text_add(&out, "&lt;");
    else if (*c == '>')
      ci_text_add(&out, "&gt;");
    else if (*c == '\'')
      ci_text_add(&out, "&#39;");
    else if (*c == '"')
      ci_text_add(&out, "&#34;");
    else
      ci_text_add_n(&out, c, 1);
  }
  return ci_render_take(r, &out);
}

/* The arguments from `from` on. */
static ci_arguments rest(const ci_arguments *a, size_t from) {
  ci_arguments left = {.keywords = a->keywords};
  for (size_t i = from; i < a->count; i++) left.items[left.count++] = a->items[i];
  return left;
}

static json_t *map(ci_rendering *r, json_t *v, const ci_arguments *a) {
  json_t *from = ci_value_list(r, v), *made = ci_render_keep(r, json_array());
  const char *attribute = json_string_value(json_object_get(a->keywords, "attribute")),
             *name = a->count ? json_string_value(a->items[0]) : NULL;
  json_t *missing = json_object_get(a->keywords, "default");
  ci_render_function *filter = name ? ci_template_filter(name) : NULL;
  if (!attribute && !filter) return ci_render_fail(r, "map needs an attribute or a filter that is known");
  ci_arguments left = rest(a, 1);
  for (size_t i = 0; i < json_array_size(from) && !r->status; i++) {
    json_t *item = json_array_get(from, i),
           *value = attribute ? ci_render_attribute(r, item, attribute) : filter(r, item, &left);
    if (!value) value = missing;
    if (!r->status) json_array_append(made, value ? value : json_null());
  }
  return made;
}

static json_t *pick(ci_rendering *r, json_t *v, const ci_arguments *a, bool by_attribute, bool wanted) {
  json_t *from = ci_value_list(r, v), *made = ci_render_keep(r, json_array());
  size_t test_at = by_attribute ? 1 : 0;
  const char *attribute = by_attribute && a->count ? json_string_value(a->items[0]) : NULL,
             *name = a->count > test_at ? json_string_value(a->items[test_at]) : NULL;
  ci_render_test *test = name ? ci_template_test(name) : NULL;
  if ((by_attribute && !attribute) || (name && !test))
    return ci_render_fail(r, "a choice by a test that is not supported");
  ci_arguments left = rest(a, test_at + 1);
  for (size_t i = 0; i < json_array_size(from) && !r->status; i++) {
    json_t *item = json_array_get(from, i), *value = attribute ? ci_render_attribute(r, item, attribute) : item;
    bool holds = test ? test(r, value, &left) : ci_value_true(value);
    if (holds == wanted && !r->status) json_array_append(made, item);
  }
  return made;
}

static json_t *select_items(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return pick(r, v, a, false, true);
}
static json_t *reject(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return pick(r, v, a, false, false);
}
static json_t *selectattr(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return pick(r, v, a, true, true);
}
static json_t *rejectattr(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return pick(r, v, a, true, false);
}

static const struct {
  const char *name;
  ci_render_function *apply;
} filters[] = {{"abs", absolute},
               {"capitalize", capitalize},
               {"count", length},
               {"d", fallback},
               {"default", fallback},
               {"dictsort", dictsort},
               {"e", escape},
               {"escape", escape},
               {"first", first},
               {"float", real},
               {"indent", indent},
               {"int", integer},
               {"items", items},
               {"join", joined},
               {"last", last},
               {"length", length},
               {"list", list},
               {"lower", lower},
               {"map", map},
               {"reject", reject},
               {"replace", replace},
               {"reverse", reversed},
               {"rejectattr", rejectattr},
               {"round", rounded},
               {"safe", string},
               {"select", select_items},
               {"selectattr", selectattr},
               {"sort", sorted},
               {"string", string},
               {"sum", sum},
               {"title", title},
               {"tojson", tojson},
               {"trim", trim},
               {"unique", unique},
               {"upper", upper}};

ci_render_function *ci_template_filter(const char *name) {
  for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
    if (strcmp(filters[i].name, name) == 0) return filters[i].apply;
  return NULL;
}
