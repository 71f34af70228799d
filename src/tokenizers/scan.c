/* See scan.h. JSON as RFC 8259 has it, for these shapes only. */
#include "tokenizers/scan.h"
#include "base/file.h"
#include "base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 2048 };

static ci_status broken(const ci_scan *s, const char *expected, ci_error *err) {
  return ci_fail(err, CI_EFILE, s->where, "is not valid: expected %s at byte %zu of %zu", expected, s->at, s->length);
}

static void skip_space(ci_scan *s) {
  const char *bytes = s->bytes;
  size_t at = s->at;
  while (at < s->length && (bytes[at] == ' ' || bytes[at] == '\n' || bytes[at] == '\r' || bytes[at] == '\t')) at++;
  s->at = at;
}

/* The next byte that is no space; 0 at the end. */
static char peek(ci_scan *s) {
  skip_space(s);
  return s->at < s->length ? s->bytes[s->at] : 0;
}

static bool take_byte(ci_scan *s, char wanted) {
  if (peek(s) != wanted) return false;
  s->at++;
  return true;
}

static bool hex4(const ci_scan *s, size_t at, uint32_t *value) {
  *value = 0;
  if (s->length - at < 4) return false;
  for (size_t i = 0; i < 4; i++) {
    char c = s->bytes[at + i];
    uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                            : 16;
    if (digit == 16) return false;
    *value = *value << 4 | digit;
  }
  return true;
}

/* The escape after a backslash; at stands on the letter. */
static bool add_escape(ci_scan *s, ci_text *text) {
  static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  if (s->at >= s->length) return false;
  char c = s->bytes[s->at++];
  const char *found = c ? strchr(letters, c) : NULL;
  if (found) return ci_text_add_n(text, &meant[found - letters], 1), true;
  uint32_t high, low;
  if (c != 'u' || !hex4(s, s->at, &high)) return false;
  s->at += 4;
  if (high >= 0xD800 && high < 0xDC00 && s->length - s->at >= 6 && memcmp(s->bytes + s->at, "\\u", 2) == 0 &&
      hex4(s, s->at + 2, &low) && low >= 0xDC00 && low < 0xE000) {
    s->at += 6;
    high = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
  }
  ci_text_add_codepoint(text, high); /* a lone surrogate becomes U+FFFD */
  return true;
}

/* A string; *text and *length are borrowed from the file when it has no escapes, else from the buffer. */
static ci_status take_string(ci_scan *s, ci_text *buffer, const char **text, size_t *length, ci_error *err) {
  if (!take_byte(s, '"')) return broken(s, "a string", err);
  size_t start = s->at;
  buffer->length = 0;
  bool escaped = false;
  for (;;) {
    size_t run = s->at;
    while (s->at < s->length && s->bytes[s->at] != '"' && s->bytes[s->at] != '\\' &&
           (unsigned char)s->bytes[s->at] >= 0x20)
      s->at++;
    if (s->at >= s->length || (unsigned char)s->bytes[s->at] < 0x20) return broken(s, "the end of a string", err);
    bool end = s->bytes[s->at] == '"';
    if (escaped || !end) ci_text_add_n(buffer, s->bytes + run, s->at - run);
    s->at++;
    if (end) break;
    escaped = true;
    if (!add_escape(s, buffer)) return broken(s, "an escape", err);
  }
  if (buffer->failed) return ci_fail_memory(err);
  *text = escaped ? buffer->data : s->bytes + start;
  *length = escaped ? buffer->length : s->at - 1 - start;
  if (ci_utf8_valid(*text, *length)) return CI_OK;
  return ci_fail(err, CI_EFILE, s->where, "has a string that is not UTF-8 at byte %zu", start);
}

static bool take_integer(ci_scan *s, int64_t *value) {
  bool negative = take_byte(s, '-'), any = false;
  *value = 0;
  for (skip_space(s); s->at < s->length && s->bytes[s->at] >= '0' && s->bytes[s->at] <= '9'; s->at++, any = true)
    if (*value < (int64_t)1 << 40) *value = *value * 10 + (s->bytes[s->at] - '0');
  if (negative) *value = -*value;
  return any;
}

static ci_status take_members(ci_scan *s, ci_text *buffer, ci_vocabulary *v, ci_error *err) {
  if (!take_byte(s, '{')) return broken(s, "an object of token: id", err);
  if (take_byte(s, '}')) return CI_OK;
  for (;;) {
    const char *text;
    size_t length;
    int64_t id;
    ci_status status = take_string(s, buffer, &text, &length, err);
    if (status) return status;
    if (!take_byte(s, ':')) return broken(s, "':'", err);
    if (!take_integer(s, &id)) return broken(s, "an id", err);
    status = ci_vocabulary_add(v, s->where, text, length, id, err);
    if (status) return status;
    if (take_byte(s, '}')) return CI_OK;
    if (!take_byte(s, ',')) return broken(s, "',' or '}'", err);
  }
}

ci_status ci_scan_vocabulary(ci_scan *s, bool whole, ci_vocabulary *v, ci_error *err) {
  ci_text buffer = {0};
  ci_status status = take_members(s, &buffer, v, err);
  ci_text_free(&buffer);
  if (!status && whole && peek(s)) return broken(s, "the end of the file", err);
  return status;
}

ci_status ci_scan_vocabulary_file(const char *folder, const char *name, ci_vocabulary *v, ci_error *err) {
  char *path = ci_join_path(folder, name);
  if (!path) return ci_fail_memory(err);
  ci_mapping file;
  ci_status status = ci_map_file(path, &file, err);
  if (!status) {
    ci_scan scan = {path, (const char *)file.bytes, file.length, 0};
    status = ci_scan_vocabulary(&scan, true, v, err);
    ci_unmap_file(&file);
  }
  ci_free(path);
  return status;
}

static ci_status take_pair(ci_scan *s, ci_text *first, ci_text *second, ci_scan_take_pair *take, void *context,
                           ci_error *err) {
  const char *a, *b;
  size_t a_length, b_length;
  ci_status status;
  if (peek(s) == '"') {
    status = take_string(s, first, &a, &a_length, err);
    if (status) return status;
    if (a_length >= 8 && memcmp(a, "#version", 8) == 0) return CI_OK; /* the heading of a merges.txt */
    b = memchr(a, ' ', a_length);
    if (!b || memchr(b + 1, ' ', a_length - (size_t)(b - a) - 1)) return broken(s, "a merge of two tokens before", err);
    b_length = a_length - (size_t)(b - a) - 1;
    return take(context, a, (size_t)(b - a), b + 1, b_length, err);
  }
  if (!take_byte(s, '[')) return broken(s, "a merge", err);
  status = take_string(s, first, &a, &a_length, err);
  if (status) return status;
  if (!take_byte(s, ',')) return broken(s, "','", err);
  status = take_string(s, second, &b, &b_length, err);
  if (status) return status;
  if (!take_byte(s, ']')) return broken(s, "']'", err);
  return take(context, a, a_length, b, b_length, err);
}

ci_status ci_scan_pairs(ci_scan *s, ci_scan_take_pair *take, void *context, ci_error *err) {
  if (!take_byte(s, '[')) return broken(s, "an array of merges", err);
  if (take_byte(s, ']')) return CI_OK;
  ci_text first = {0}, second = {0};
  ci_status status;
  do {
    status = take_pair(s, &first, &second, take, context, err);
    if (status) break;
  } while (take_byte(s, ','));
  ci_text_free(&first);
  ci_text_free(&second);
  if (!status && !take_byte(s, ']')) return broken(s, "',' or ']'", err);
  return status;
}

static bool take_number(ci_scan *s, double *value) {
  char digits[64];
  size_t n = 0;
  for (skip_space(s); s->at < s->length && n + 1 < sizeof digits; s->at++) {
    char c = s->bytes[s->at];
    if (!c || !strchr("+-.0123456789eE", c)) break;
    digits[n++] = c;
  }
  digits[n] = 0;
  char *end;
  *value = strtod(digits, &end);
  return n && *end == 0 && digits[0] != '+' && s->bytes[s->at - n] != '.' && isfinite(*value);
}

ci_status ci_scan_scores(ci_scan *s, ci_scan_take_score *take, void *context, ci_error *err) {
  if (!take_byte(s, '[')) return broken(s, "an array of [token, score]", err);
  if (take_byte(s, ']')) return CI_OK;
  ci_text buffer = {0};
  ci_status status;
  do {
    const char *token;
    size_t length;
    double score;
    status = take_byte(s, '[') ? take_string(s, &buffer, &token, &length, err) : broken(s, "[token, score]", err);
    if (!status && !take_byte(s, ',')) status = broken(s, "','", err);
    if (!status && !take_number(s, &score)) status = broken(s, "a score before", err);
    if (!status && !take_byte(s, ']')) status = broken(s, "']'", err);
    if (!status) status = take(context, token, length, score, err);
  } while (!status && take_byte(s, ','));
  ci_text_free(&buffer);
  if (!status && !take_byte(s, ']')) return broken(s, "',' or ']'", err);
  return status;
}

/* Over a string without reading it. */
static ci_status skip_string(ci_scan *s, ci_error *err) {
  if (!take_byte(s, '"')) return broken(s, "a string", err);
  size_t at = s->at;
  for (; at < s->length && s->bytes[at] != '"'; at++)
    if (s->bytes[at] == '\\') at++;
  s->at = at < s->length ? at : s->length;
  if (at >= s->length) return broken(s, "the end of a string", err);
  s->at++;
  return CI_OK;
}

/* Over one value: brackets are counted, not matched by kind; whoever reads the value finds what is wrong inside. */
static ci_status skip_value(ci_scan *s, ci_error *err) {
  size_t depth = 0;
  do {
    char c = peek(s);
    if (!c) return broken(s, "a value", err);
    if (c == '"') {
      ci_status status = skip_string(s, err);
      if (status) return status;
      continue;
    }
    if (c == '{' || c == '[') depth++;
    if (c == '}' || c == ']') {
      if (!depth) return broken(s, "a value", err);
      depth--;
    }
    if (depth > DEEPEST) return broken(s, "fewer than 2048 levels", err);
    s->at++;
    if (depth || c == '}' || c == ']') continue;
    while (s->at < s->length && !strchr(",]} \t\r\n", s->bytes[s->at])) s->at++;
  } while (depth);
  return CI_OK;
}

/* From an object's '{' to the value of its member `key`. */
static ci_status find_member(ci_scan *s, const char *key, bool *found, ci_error *err) {
  *found = false;
  if (!take_byte(s, '{')) return broken(s, "an object", err);
  if (peek(s) == '}') return CI_OK;
  ci_text buffer = {0};
  ci_status status;
  do {
    const char *name;
    size_t length;
    status = take_string(s, &buffer, &name, &length, err);
    if (!status && !take_byte(s, ':')) status = broken(s, "':'", err);
    if (status) break;
    *found = length == strlen(key) && memcmp(name, key, length) == 0;
    if (*found) break;
    status = skip_value(s, err);
  } while (!status && take_byte(s, ','));
  ci_text_free(&buffer);
  return status;
}

/* Over the members of an object: the extents of the values of those that are named. */
static ci_status find_members(ci_scan *s, const char *const *names, size_t count, ci_extent *extents, ci_error *err) {
  if (!take_byte(s, '{')) return broken(s, "an object", err);
  if (peek(s) == '}') return CI_OK;
  ci_text buffer = {0};
  ci_status status;
  size_t left = count;
  do {
    const char *name;
    size_t length;
    status = take_string(s, &buffer, &name, &length, err);
    if (!status && !take_byte(s, ':')) status = broken(s, "':'", err);
    if (status) break;
    skip_space(s);
    size_t begin = s->at;
    status = skip_value(s, err);
    for (size_t i = 0; i < count && !status; i++) {
      if (extents[i].end || length != strlen(names[i]) || memcmp(name, names[i], length)) continue;
      extents[i] = (ci_extent){begin, s->at};
      left--;
    }
  } while (!status && left && take_byte(s, ','));
  ci_text_free(&buffer);
  return status;
}

ci_status ci_scan_locate(const ci_scan *from, const char *outer, const char *const *names, size_t count,
                         ci_extent *extents, ci_error *err) {
  ci_scan s = *from;
  for (size_t i = 0; i < count; i++) extents[i] = (ci_extent){0, 0};
  bool found;
  ci_status status = find_member(&s, outer, &found, err);
  if (status || !found || peek(&s) != '{') return status; /* whoever reads the rest says what is wrong */
  return find_members(&s, names, count, extents, err);
}
