/* Methods of strings, dictionaries and lists as Python has them, and the functions that templates find. */
#define _GNU_SOURCE
#include "templates/render.h"
#include <string.h>
#include <time.h>
#include <utf8proc.h>

static json_t *boolean(ci_rendering *r, bool value) {
  return ci_render_keep(r, json_boolean(value));
}

static json_t *no_string(ci_rendering *r) {
  return ci_render_fail(r, "a method's argument is no string");
}

/* Whether one of the code points of `set` (NULL: white space) is at bytes[0..n). */
static bool belongs(const json_t *set, const char *bytes, size_t n, uint32_t c) {
  if (set) return memmem(json_string_value(set), json_string_length(set), bytes, n) != NULL;
  utf8proc_category_t kind = utf8proc_category((utf8proc_int32_t)c);
  return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || kind == UTF8PROC_CATEGORY_ZS ||
         kind == UTF8PROC_CATEGORY_ZL || kind == UTF8PROC_CATEGORY_ZP;
}

static json_t *stripped(ci_rendering *r, json_t *v, const ci_arguments *a, bool left, bool right) {
  const char *bytes = json_string_value(v);
  size_t first = 0, last = json_string_length(v);
  json_t *set = ci_render_argument(a, 0, "chars", NULL);
  if (json_is_null(set)) set = NULL;
  if (set && !json_is_string(set)) return no_string(r);
  while (left && first < last) {
    uint32_t c;
    size_t n = ci_utf8_next(bytes, last, first, &c);
    if (!belongs(set, bytes + first, n, c)) break;
    first += n;
  }
  while (right && last > first) {
    size_t at = last - 1;
    uint32_t c;
    while (at > first && ((unsigned char)bytes[at] & 0xC0) == 0x80) at--;
    ci_utf8_next(bytes, last, at, &c);
    if (!belongs(set, bytes + at, last - at, c)) break;
    last = at;
  }
  return ci_render_text(r, bytes + first, last - first);
}

static json_t *strip(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return stripped(r, v, a, true, true);
}
static json_t *lstrip(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return stripped(r, v, a, true, false);
}
static json_t *rstrip(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return stripped(r, v, a, false, true);
}

static bool begins(const json_t *v, const json_t *with, bool at_end) {
  size_t n = json_string_length(v), m = json_string_length(with);
  return json_is_string(with) && m <= n &&
         memcmp(json_string_value(v) + (at_end ? n - m : 0), json_string_value(with), m) == 0;
}

static json_t *begins_with(ci_rendering *r, json_t *v, const ci_arguments *a, bool at_end) {
  json_t *with = ci_render_argument(a, 0, NULL, NULL);
  bool holds = begins(v, with, at_end);
  for (size_t i = 0; i < json_array_size(with); i++) holds |= begins(v, json_array_get(with, i), at_end);
  return json_is_string(with) || json_is_array(with) ? boolean(r, holds) : no_string(r);
}

static json_t *startswith(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return begins_with(r, v, a, false);
}
static json_t *endswith(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return begins_with(r, v, a, true);
}

/* Letters by `to`; the first of each word (or of the whole, `words` false) by `head`. NULL: as it is. */
static json_t *cased(ci_rendering *r, const json_t *v, utf8proc_int32_t (*head)(utf8proc_int32_t),
                     utf8proc_int32_t (*to)(utf8proc_int32_t), bool words) {
  const char *bytes = json_string_value(v);
  size_t length = json_string_length(v);
  bool at_head = true;
  ci_text text = {0};
  for (size_t i = 0; i < length;) {
    uint32_t c;
    i += ci_utf8_next(bytes, length, i, &c);
    utf8proc_category_t kind = utf8proc_category((utf8proc_int32_t)c);
    bool letter = kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
    utf8proc_int32_t (*map)(utf8proc_int32_t) = at_head ? head : to;
    if (c == 0xDF && map != utf8proc_tolower)
      ci_text_add(&text, map == utf8proc_toupper ? "SS" : "Ss");
    else
      ci_text_add_codepoint(&text, (uint32_t)map((utf8proc_int32_t)c));
    at_head = words && !letter;
  }
  return ci_render_take(r, &text);
}

static json_t *upper(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return (void)a, cased(r, v, utf8proc_toupper, utf8proc_toupper, false);
}
static json_t *lower(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return (void)a, cased(r, v, utf8proc_tolower, utf8proc_tolower, false);
}
static json_t *title(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return (void)a, cased(r, v, utf8proc_totitle, utf8proc_tolower, true);
}
static json_t *capitalize(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return (void)a, cased(r, v, utf8proc_totitle, utf8proc_tolower, false);
}

static json_t *split_blank(ci_rendering *r, const json_t *v) {
  const char *bytes = json_string_value(v);
  size_t length = json_string_length(v), from = 0, n;
  json_t *parts = ci_render_keep(r, json_array());
  uint32_t c;
  for (size_t i = 0; i <= length && !r->status; i += n) {
    n = i < length ? ci_utf8_next(bytes, length, i, &c) : 1;
    if (i < length && !belongs(NULL, bytes + i, n, c)) continue;
    if (i > from) json_array_append(parts, ci_render_text(r, bytes + from, i - from));
    from = i + n;
  }
  return parts;
}

static json_t *split(ci_rendering *r, json_t *v, const ci_arguments *a) {
  const json_t *by = ci_render_argument(a, 0, "sep", NULL), *most = ci_render_argument(a, 1, "maxsplit", NULL);
  const char *at = json_string_value(v), *end = at + json_string_length(v), *found;
  int64_t left = json_is_integer(most) && json_integer_value(most) >= 0 ? json_integer_value(most) : INT64_MAX;
  if (!by || json_is_null(by)) return split_blank(r, v);
  if (!json_is_string(by) || !json_string_length(by))
    return ci_render_fail(r, "split needs a separator that is not empty");
  json_t *parts = ci_render_keep(r, json_array());
  size_t n = json_string_length(by);
  while (!r->status && left-- > 0 && (found = memmem(at, (size_t)(end - at), json_string_value(by), n))) {
    json_array_append(parts, ci_render_text(r, at, (size_t)(found - at)));
    at = found + n;
  }
  if (!r->status) json_array_append(parts, ci_render_text(r, at, (size_t)(end - at)));
  return parts;
}

/* rsplit(sep, 1) and rsplit(sep): what templates use */
static json_t *rsplit(ci_rendering *r, json_t *v, const ci_arguments *a) {
  const json_t *by = ci_render_argument(a, 0, "sep", NULL), *most = ci_render_argument(a, 1, "maxsplit", NULL);
  if (!json_is_integer(most) || json_integer_value(most) < 0) return split(r, v, a);
  if (json_integer_value(most) != 1 || !json_is_string(by) || !json_string_length(by))
    return ci_render_fail(r, "rsplit with these arguments is not supported");
  const char *bytes = json_string_value(v);
  size_t length = json_string_length(v), n = json_string_length(by), at = length + 1;
  for (size_t i = length >= n ? length - n + 1 : 0; i-- > 0 && at > length;)
    if (memcmp(bytes + i, json_string_value(by), n) == 0) at = i;
  json_t *parts = ci_render_keep(r, json_array());
  if (at > length)
    json_array_append(parts, v);
  else {
    json_array_append(parts, ci_render_text(r, bytes, at));
    if (!r->status) json_array_append(parts, ci_render_text(r, bytes + at + n, length - at - n));
  }
  return parts;
}

static json_t *replace(ci_rendering *r, json_t *v, const ci_arguments *a) {
  const json_t *old = ci_render_argument(a, 0, "old", NULL), *new = ci_render_argument(a, 1, "new", NULL),
               *most = ci_render_argument(a, 2, "count", NULL);
  int64_t left = json_is_integer(most) && json_integer_value(most) >= 0 ? json_integer_value(most) : INT64_MAX;
  if (!json_is_string(old) || !json_is_string(new)) return no_string(r);
  const char *at = json_string_value(v), *end = at + json_string_length(v);
  size_t n = json_string_length(old);
  if (!n) return ci_render_fail(r, "replace of an empty string is not supported");
  ci_text text = {0};
  for (const char *found; left-- > 0 && (found = memmem(at, (size_t)(end - at), json_string_value(old), n));
       at = found + n) {
    ci_text_add_n(&text, at, (size_t)(found - at));
    ci_text_add_n(&text, json_string_value(new), json_string_length(new));
    if (text.length > (64 << 20)) text.failed = true;
  }
  ci_text_add_n(&text, at, (size_t)(end - at));
  return ci_render_take(r, &text);
}

static json_t *join(ci_rendering *r, json_t *v, const ci_arguments *a) {
  ci_arguments swapped = {.items = {v}, .count = 1, .keywords = a->keywords};
  return a->count ? ci_template_filter("join")(r, a->items[0], &swapped) : no_string(r);
}

static json_t *count(ci_rendering *r, json_t *v, const ci_arguments *a) {
  const json_t *of = ci_render_argument(a, 0, NULL, NULL);
  if (!json_is_string(of) || !json_string_length(of)) return no_string(r);
  const char *at = json_string_value(v), *end = at + json_string_length(v);
  json_int_t n = 0;
  while ((at = memmem(at, (size_t)(end - at), json_string_value(of), json_string_length(of)))) {
    at += json_string_length(of);
    n++;
  }
  return ci_render_keep(r, json_integer(n));
}

/* In code points, -1: nowhere. */
static json_t *find(ci_rendering *r, json_t *v, const ci_arguments *a) {
  const json_t *of = ci_render_argument(a, 0, NULL, NULL);
  if (!json_is_string(of)) return no_string(r);
  const char *bytes = json_string_value(v),
             *at = memmem(bytes, json_string_length(v), json_string_value(of), json_string_length(of));
  json_int_t n = 0;
  for (const char *c = bytes; at && c < at; c++) n += ((unsigned char)*c & 0xC0) != 0x80;
  return ci_render_keep(r, json_integer(at ? n : -1));
}

static bool all_of(const json_t *v, bool digits) {
  for (const char *c = json_string_value(v); *c; c++)
    if (digits ? *c < '0' || *c > '9' : !((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z'))) return false;
  return json_string_length(v) > 0;
}
static json_t *isdigit_(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return (void)a, boolean(r, all_of(v, true));
}
static json_t *isalpha_(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return (void)a, boolean(r, all_of(v, false));
}

static json_t *splitlines(ci_rendering *r, json_t *v, const ci_arguments *a) {
  (void)a;
  json_t *lines = ci_render_keep(r, json_array());
  const char *at = json_string_value(v), *end = at + json_string_length(v);
  while (at < end && !r->status) {
    size_t n = strcspn(at, "\r\n");
    json_array_append(lines, ci_render_text(r, at, n));
    at += n;
    if (at < end) at += at[0] == '\r' && at[1] == '\n' ? 2 : 1;
  }
  return lines;
}

static json_t *get(ci_rendering *r, json_t *v, const ci_arguments *a) {
  const json_t *key = ci_render_argument(a, 0, NULL, NULL);
  json_t *value = json_is_string(key) ? json_object_get(v, json_string_value(key)) : NULL;
  (void)r;
  return value ? value : ci_render_argument(a, 1, NULL, json_null());
}

static json_t *parts_of(ci_rendering *r, json_t *v, bool keys, bool values) {
  json_t *made = ci_render_keep(r, json_array()), *value;
  const char *key;
  json_object_foreach(v, key, value) {
    json_t *name = keys ? ci_render_text(r, key, strlen(key)) : NULL, *part = keys ? name : value;
    if (keys && values) part = ci_render_keep(r, json_pack("[O,O]", name, value));
    if (r->status) return NULL;
    json_array_append(made, part);
  }
  return made;
}
static json_t *keys(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return (void)a, parts_of(r, v, true, false);
}
static json_t *values(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return (void)a, parts_of(r, v, false, true);
}
static json_t *items(ci_rendering *r, json_t *v, const ci_arguments *a) {
  return (void)a, parts_of(r, v, true, true);
}

static const struct {
  json_type of;
  const char *name;
  ci_render_function *call;
} methods[] = {{JSON_STRING, "strip", strip},
               {JSON_STRING, "lstrip", lstrip},
               {JSON_STRING, "rstrip", rstrip},
               {JSON_STRING, "startswith", startswith},
               {JSON_STRING, "endswith", endswith},
               {JSON_STRING, "upper", upper},
               {JSON_STRING, "lower", lower},
               {JSON_STRING, "title", title},
               {JSON_STRING, "capitalize", capitalize},
               {JSON_STRING, "split", split},
               {JSON_STRING, "rsplit", rsplit},
               {JSON_STRING, "replace", replace},
               {JSON_STRING, "join", join},
               {JSON_STRING, "count", count},
               {JSON_STRING, "find", find},
               {JSON_STRING, "isdigit", isdigit_},
               {JSON_STRING, "isalpha", isalpha_},
               {JSON_STRING, "splitlines", splitlines},
               {JSON_OBJECT, "get", get},
               {JSON_OBJECT, "keys", keys},
               {JSON_OBJECT, "values", values},
               {JSON_OBJECT, "items", items}};

ci_render_function *ci_template_method(const json_t *value, const char *name) {
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (value && json_typeof(value) == methods[i].of && strcmp(methods[i].name, name) == 0) return methods[i].call;
  return NULL;
}

static json_t *range(ci_rendering *r, json_t *v, const ci_arguments *a) {
  enum { MOST = 100000 };
  (void)v;
  for (size_t i = 0; i < a->count; i++)
    if (!json_is_integer(a->items[i])) return ci_render_fail(r, "range of a value that is no whole number");
  if (!a->count || a->count > 3) return ci_render_fail(r, "range takes one to three arguments");
  int64_t from = a->count > 1 ? json_integer_value(a->items[0]) : 0, to = json_integer_value(a->items[a->count > 1]),
          step = a->count > 2 ? json_integer_value(a->items[2]) : 1;
  if (!step || from > INT32_MAX || from < -INT32_MAX || to > INT32_MAX || to < -INT32_MAX || step > INT32_MAX ||
      step < -INT32_MAX)
    return ci_render_fail(r, "a range of these bounds");
  json_t *made = ci_render_keep(r, json_array());
  for (int64_t i = from; (step > 0 ? i < to : i > to) && !r->status; i += step) {
    if (json_array_size(made) == MOST) return ci_render_fail(r, "a range of more than %d numbers", MOST);
    json_array_append(made, ci_render_keep(r, json_integer(i)));
  }
  return made;
}

static json_t *dict(ci_rendering *r, json_t *v, const ci_arguments *a) {
  (void)v;
  json_t *made =
      ci_render_keep(r, json_is_object(a->count ? a->items[0] : NULL) ? json_copy(a->items[0]) : json_object());
  if (made) json_object_update(made, a->keywords);
  return made;
}

/* A dictionary that {% set %} may change. Its mark cannot be a name. */
static json_t *namespace(ci_rendering *r, json_t *v, const ci_arguments *a) {
  json_t *made = dict(r, v, a);
  if (made) json_object_set_new(made, "namespace()", json_true());
  return made;
}

static json_t *raise_exception(ci_rendering *r, json_t *v, const ci_arguments *a) {
  (void)v;
  const char *message = a->count ? json_string_value(a->items[0]) : NULL;
  return ci_render_fail(r, "%s", message ? message : "raise_exception");
}

static json_t *strftime_now(ci_rendering *r, json_t *v, const ci_arguments *a) {
  (void)v;
  const char *format = a->count ? json_string_value(a->items[0]) : NULL;
  time_t now = time(NULL);
  struct tm local;
  char text[256];
  if (!format || strlen(format) > 64 || !localtime_r(&now, &local))
    return ci_render_fail(r, "strftime_now needs a format");
  size_t n = strftime(text, sizeof text, format, &local);
  return ci_render_text(r, text, n);
}

static const struct {
  const char *name;
  ci_render_function *call;
} globals[] = {{"range", range},
               {"dict", dict},
               {"namespace", namespace},
               {"raise_exception", raise_exception},
               {"strftime_now", strftime_now}};

ci_render_function *ci_template_global(const char *name) {
  for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
    if (strcmp(globals[i].name, name) == 0) return globals[i].call;
  return NULL;
}
