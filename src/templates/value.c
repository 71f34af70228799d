/* What Python's operators do with values: truth, equality, order, membership, str(), json.dumps, slices. */
#define _GNU_SOURCE
#include "templates/render.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool ci_value_true(const json_t *v) {
  switch (v ? json_typeof(v) : JSON_NULL) {
  case JSON_OBJECT:
    return json_object_size(v) > 0;
  case JSON_ARRAY:
    return json_array_size(v) > 0;
  case JSON_STRING:
    return json_string_length(v) > 0;
  case JSON_INTEGER:
    return json_integer_value(v) != 0;
  case JSON_REAL:
    return json_real_value(v) != 0;
  case JSON_TRUE:
    return true;
  default:
    return false;
  }
}

/* Booleans are numbers. */
static bool number(const json_t *v, double *out) {
  if (json_is_number(v))
    *out = json_number_value(v);
  else if (json_is_boolean(v))
    *out = json_is_true(v);
  else
    return false;
  return true;
}

bool ci_value_equal(const json_t *a, const json_t *b) {
  double x, y;
  if (json_is_integer(a) && json_is_integer(b)) return json_integer_value(a) == json_integer_value(b);
  if (number(a, &x) && number(b, &y)) return !(x < y) && !(x > y) && !isnan(x);
  if (json_is_array(a) && json_is_array(b)) {
    if (json_array_size(a) != json_array_size(b)) return false;
    for (size_t i = 0; i < json_array_size(a); i++)
      if (!ci_value_equal(json_array_get(a, i), json_array_get(b, i))) return false;
    return true;
  }
  return a == b || (a && b && json_equal(a, b));
}

static int strings(const json_t *a, const json_t *b) {
  size_t n = json_string_length(a), m = json_string_length(b);
  int sign =
      memcmp(json_string_value(a), json_string_value(b), n < m ? n : m); /* UTF-8 keeps the order of code points */
  return sign ? (sign < 0 ? -1 : 1) : (n > m) - (n < m);
}

int ci_value_order(ci_rendering *r, const json_t *a, const json_t *b) {
  double x, y;
  if (json_is_string(a) && json_is_string(b)) return strings(a, b);
  if (number(a, &x) && number(b, &y)) return (x > y) - (x < y);
  ci_render_fail(r, "values of these kinds have no order");
  return 0;
}

bool ci_value_in(ci_rendering *r, const json_t *item, const json_t *of) {
  if (json_is_string(of)) {
    if (!json_is_string(item)) return ci_render_fail(r, "only a string can be in a string"), false;
    return memmem(json_string_value(of), json_string_length(of), json_string_value(item), json_string_length(item)) !=
           NULL;
  }
  if (json_is_object(of)) return json_is_string(item) && json_object_get(of, json_string_value(item)) != NULL;
  if (of && !json_is_array(of)) return ci_render_fail(r, "a value that nothing can be in"), false;
  for (size_t i = 0; i < json_array_size(of); i++)
    if (ci_value_equal(item, json_array_get(of, i))) return true;
  return false;
}

/* The shortest digits that read back as the same number, as Python prints them. */
static void print_real(ci_text *text, double x) {
  char digits[40];
  for (int precision = 1; precision <= 17; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, x);
    double back = 0;
    sscanf(digits, "%lf", &back);
    if (!(back < x) && !(back > x)) break;
  }
  ci_text_add(text, digits);
  if (!strpbrk(digits, ".en")) ci_text_add(text, ".0");
}

static void print_scalar(ci_text *text, const json_t *v, const char *const words[3]) {
  switch (json_typeof(v)) {
  case JSON_INTEGER:
    ci_text_add_format(text, "%lld", (long long)json_integer_value(v));
    break;
  case JSON_REAL:
    print_real(text, json_real_value(v));
    break;
  case JSON_TRUE:
    ci_text_add(text, words[0]);
    break;
  case JSON_FALSE:
    ci_text_add(text, words[1]);
    break;
  default:
    ci_text_add(text, words[2]);
  }
}

/* Python's repr() of a string. */
static void quote(ci_text *text, const char *bytes, size_t length) {
  const char *mark = memchr(bytes, '\'', length) && !memchr(bytes, '"', length) ? "\"" : "'";
  ci_text_add(text, mark);
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c == '\n')
      ci_text_add(text, "\\n");
    else if (c == '\t')
      ci_text_add(text, "\\t");
    else if (c == '\r')
      ci_text_add(text, "\\r");
    else if (c == '\\' || c == (unsigned char)*mark)
      ci_text_add_format(text, "\\%c", c);
    else if (c < 32 || c == 127)
      ci_text_add_format(text, "\\x%02x", c);
    else
      ci_text_add_n(text, bytes + i, 1);
  }
  ci_text_add(text, mark);
}

static const char *const python_words[] = {"True", "False", "None"}, *const json_words[] = {"true", "false", "null"};

static void represent(ci_text *text, const json_t *v) {
  if (json_is_string(v))
    quote(text, json_string_value(v), json_string_length(v));
  else if (json_is_array(v)) {
    ci_text_add(text, "[");
    for (size_t i = 0; i < json_array_size(v); i++) {
      if (i) ci_text_add(text, ", ");
      represent(text, json_array_get(v, i));
    }
    ci_text_add(text, "]");
  } else if (json_is_object(v)) {
    const char *key, *between = "{";
    json_t *value;
    if (!json_object_size(v)) ci_text_add(text, between);
    json_object_foreach((json_t *)v, key, value) {
      ci_text_add(text, between);
      quote(text, key, strlen(key));
      ci_text_add(text, ": ");
      represent(text, value);
      between = ", ";
    }
    ci_text_add(text, "}");
  } else
    print_scalar(text, v, python_words);
}

void ci_value_print(ci_text *text, const json_t *v) {
  if (json_is_string(v))
    ci_text_add_n(text, json_string_value(v), json_string_length(v));
  else if (v)
    represent(text, v);
}

static void json_string_out(ci_text *text, const char *bytes, size_t length, bool ascii) {
  static const char special[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
  ci_text_add(text, "\"");
  for (size_t i = 0; i < length;) {
    uint32_t c;
    size_t n = ci_utf8_next(bytes, length, i, &c);
    const char *known = c && c < 128 ? strchr(special, (int)c) : NULL;
    if (known)
      ci_text_add_format(text, "\\%c", letters[known - special]);
    else if (c < 32 || (ascii && c > 126 && c < 0x10000))
      ci_text_add_format(text, "\\u%04x", c);
    else if (ascii && c >= 0x10000)
      ci_text_add_format(text, "\\u%04x\\u%04x", 0xD800 + ((c - 0x10000) >> 10), 0xDC00 + ((c - 0x10000) & 0x3FF));
    else
      ci_text_add_n(text, bytes + i, n);
    i += n;
  }
  ci_text_add(text, "\"");
}

static void new_line(ci_text *text, int indent, int depth) {
  if (indent < 0) return;
  ci_text_add_format(text, "\n%*s", indent * depth, "");
}

static void dump(ci_text *text, const json_t *v, int indent, bool ascii, bool sorted, int depth);

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void dump_object(ci_text *text, const json_t *v, int indent, bool ascii, bool sorted, int depth) {
  size_t n = json_object_size(v), i = 0;
  const char **keys = ci_alloc_zeroed(n, sizeof *keys), *key;
  json_t *value;
  if (!keys) {
    text->failed = true;
    return;
  }
  json_object_foreach((json_t *)v, key, value) keys[i++] = key;
  if (sorted) qsort(keys, n, sizeof *keys, by_name);
  ci_text_add(text, "{");
  for (i = 0; i < n; i++) {
    if (i) ci_text_add(text, indent < 0 ? ", " : ",");
    new_line(text, indent, depth + 1);
    json_string_out(text, keys[i], strlen(keys[i]), ascii);
    ci_text_add(text, ": ");
    dump(text, json_object_get(v, keys[i]), indent, ascii, sorted, depth + 1);
  }
  if (n) new_line(text, indent, depth);
  ci_text_add(text, "}");
  ci_free(keys);
}

static void dump(ci_text *text, const json_t *v, int indent, bool ascii, bool sorted, int depth) {
  if (json_is_string(v))
    json_string_out(text, json_string_value(v), json_string_length(v), ascii);
  else if (json_is_object(v))
    dump_object(text, v, indent, ascii, sorted, depth);
  else if (json_is_array(v)) {
    size_t n = json_array_size(v);
    ci_text_add(text, "[");
    for (size_t i = 0; i < n; i++) {
      if (i) ci_text_add(text, indent < 0 ? ", " : ",");
      new_line(text, indent, depth + 1);
      dump(text, json_array_get(v, i), indent, ascii, sorted, depth + 1);
    }
    if (n) new_line(text, indent, depth);
    ci_text_add(text, "]");
  } else
    print_scalar(text, v, json_words);
}

void ci_value_json(ci_text *text, const json_t *v, int indent, bool ascii, bool sorted) {
  dump(text, v, indent, ascii, sorted, 0);
}

json_t *ci_value_list(ci_rendering *r, json_t *v) {
  if (json_is_array(v)) return v;
  json_t *list = ci_render_keep(r, json_array());
  if (!list || !v) return list;
  if (json_is_object(v)) {
    const char *key;
    json_t *value;
    json_object_foreach(v, key, value) json_array_append(list, ci_render_text(r, key, strlen(key)));
  } else if (json_is_string(v)) {
    const char *bytes = json_string_value(v);
    size_t length = json_string_length(v), n;
    uint32_t c;
    for (size_t i = 0; i < length && !r->status; i += n) {
      n = ci_utf8_next(bytes, length, i, &c);
      json_array_append(list, ci_render_text(r, bytes + i, n));
    }
  } else
    return ci_render_fail(r, "a value that cannot be looped over");
  return list;
}

size_t ci_value_length(ci_rendering *r, const json_t *v) {
  if (json_is_array(v)) return json_array_size(v);
  if (json_is_object(v)) return json_object_size(v);
  if (!v) return 0;
  if (!json_is_string(v)) return ci_render_fail(r, "a value without a length"), 0;
  size_t count = 0, length = json_string_length(v);
  uint32_t c;
  for (size_t i = 0; i < length; count++) i += ci_utf8_next(json_string_value(v), length, i, &c);
  return count;
}

/* Python's PySlice_AdjustIndices for one bound. */
static int64_t bound(const json_t *v, int64_t length, int64_t fallback, bool backwards) {
  if (!json_is_integer(v)) return fallback;
  int64_t i = json_integer_value(v);
  if (i < 0) i = i < -length ? -1 : i + length;
  if (i < 0) return backwards ? -1 : 0;
  return i < length ? i : backwards ? length - 1 : length;
}

json_t *ci_value_slice(ci_rendering *r, json_t *v, const json_t *from, const json_t *to, const json_t *step) {
  if (!json_is_array(v) && !json_is_string(v)) return ci_render_fail(r, "a value that has no slices");
  json_t *list = ci_value_list(r, v), *part = ci_render_keep(r, json_array());
  if (r->status) return NULL;
  int64_t n = (int64_t)json_array_size(list), by = json_is_integer(step) ? json_integer_value(step) : 1;
  if (by == 0 || by > INT32_MAX || by < -INT32_MAX) return ci_render_fail(r, "a slice step of this size");
  int64_t i = bound(from, n, by < 0 ? n - 1 : 0, by < 0), end = bound(to, n, by < 0 ? -1 : n, by < 0);
  for (; by < 0 ? i > end : i < end; i += by) json_array_append(part, json_array_get(list, (size_t)i));
  if (json_is_array(v)) return part;
  ci_text text = {0};
  for (size_t k = 0; k < json_array_size(part); k++) ci_value_print(&text, json_array_get(part, k));
  return ci_render_take(r, &text);
}
