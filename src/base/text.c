/* See text.h. */
#include "base/text.h"
#include "base/memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool make_room(ci_text *text, size_t more) {
  size_t wanted;
  if (text->failed || __builtin_add_overflow(text->length, more + 1, &wanted) ||
      ci_reserve((void **)&text->data, &text->capacity, wanted, 1))
    text->failed = true;
  return !text->failed;
}

void ci_text_add_n(ci_text *text, const char *bytes, size_t length) {
  if (!make_room(text, length)) return;
  if (length) memcpy(text->data + text->length, bytes, length);
  text->length += length;
  text->data[text->length] = 0;
}

void ci_text_add(ci_text *text, const char *piece) {
  ci_text_add_n(text, piece, strlen(piece));
}

void ci_text_add_format(ci_text *text, const char *format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  if (length < 0) text->failed = true;
  if (length >= 0 && make_room(text, (size_t)length)) {
    vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
    text->length += (size_t)length;
  }
  va_end(again);
}

void ci_text_add_codepoint(ci_text *text, uint32_t c) {
  char bytes[4];
  size_t n = 0;
  if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) c = 0xFFFD;
  if (c < 0x80) {
    bytes[n++] = (char)c;
  } else if (c < 0x800) {
    bytes[n++] = (char)(0xC0 | c >> 6);
    bytes[n++] = (char)(0x80 | (c & 63));
  } else if (c < 0x10000) {
    bytes[n++] = (char)(0xE0 | c >> 12);
    bytes[n++] = (char)(0x80 | (c >> 6 & 63));
    bytes[n++] = (char)(0x80 | (c & 63));
  } else {
    bytes[n++] = (char)(0xF0 | c >> 18);
    bytes[n++] = (char)(0x80 | (c >> 12 & 63));
    bytes[n++] = (char)(0x80 | (c >> 6 & 63));
    bytes[n++] = (char)(0x80 | (c & 63));
  }
  ci_text_add_n(text, bytes, n);
}

void ci_text_free(ci_text *text) {
  ci_free(text->data);
  *text = (ci_text){0};
}

static ci_status add_piece(void *text, const char *bytes, size_t length, ci_error *err) {
  ci_text_add_n(text, bytes, length);
  return ((ci_text *)text)->failed ? ci_fail_memory(err) : CI_OK;
}

ci_sink ci_text_sink(ci_text *text) {
  return (ci_sink){add_piece, text};
}

char *ci_text_take(ci_text *text) {
  if (!text->failed && !text->data) ci_text_add_n(text, "", 0);
  char *data = text->data;
  if (text->failed) {
    ci_free(data);
    data = NULL;
  }
  *text = (ci_text){0};
  return data;
}

bool ci_starts_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool ci_ends_with(const char *text, const char *suffix) {
  size_t length = strlen(text), tail = strlen(suffix);
  return length >= tail && memcmp(text + length - tail, suffix, tail) == 0;
}

/* Unicode 15, table 3-7: what the second byte of a sequence may be, by its first. */
static void second_byte_range(unsigned char first, unsigned char *low, unsigned char *high) {
  *low = 0x80;
  *high = 0xBF;
  if (first == 0xE0) *low = 0xA0;
  if (first == 0xED) *high = 0x9F;
  if (first == 0xF0) *low = 0x90;
  if (first == 0xF4) *high = 0x8F;
}

size_t ci_utf8_next(const char *bytes, size_t length, size_t at, uint32_t *codepoint) {
  const unsigned char *s = (const unsigned char *)bytes + at;
  size_t left = length - at;
  *codepoint = 0xFFFD;
  if (s[0] < 0x80) {
    *codepoint = s[0];
    return 1;
  }
  if (s[0] < 0xC2 || s[0] > 0xF4) return 1;
  size_t need = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
  unsigned char low, high;
  second_byte_range(s[0], &low, &high);
  uint32_t value = s[0] & (0x7Fu >> need);
  for (size_t i = 1; i < need; i++) {
    if (i >= left || s[i] < low || s[i] > high) return i;
    value = value << 6 | (s[i] & 63u);
    low = 0x80;
    high = 0xBF;
  }
  *codepoint = value;
  return need;
}

bool ci_utf8_valid(const char *bytes, size_t length) {
  for (size_t at = 0; at < length;) {
    uint32_t c;
    if ((unsigned char)bytes[at] < 0x80) {
      at++;
      continue;
    }
    size_t n = ci_utf8_next(bytes, length, at, &c);
    if (c == 0xFFFD && !(n == 3 && memcmp(bytes + at, "\xEF\xBF\xBD", 3) == 0)) return false;
    at += n;
  }
  return true;
}

void ci_text_add_utf8_lossy(ci_text *text, const char *bytes, size_t length) {
  for (size_t at = 0; at < length;) {
    uint32_t c;
    at += ci_utf8_next(bytes, length, at, &c);
    ci_text_add_codepoint(text, c);
  }
}

/* Control codes of one byte and of two (C1: U+009B begins a sequence as ESC [ does), line and paragraph separators, and
 * what turns the direction of the text that follows. */
static bool is_obeyed(uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || c == 0x200E || c == 0x200F ||
         c == 0x61C || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

void ci_make_printable(char *text) {
  size_t length = strlen(text), used = 0, n;
  for (size_t at = 0; at < length; at += n) {
    uint32_t c;
    n = ci_utf8_next(text, length, at, &c);
    bool broken = c == 0xFFFD && !(n == 3 && memcmp(text + at, "\xEF\xBF\xBD", 3) == 0);
    if (broken || is_obeyed(c)) {
      text[used++] = '?';
    } else {
      memmove(text + used, text + at, n);
      used += n;
    }
  }
  text[used] = 0;
}

enum { LONGEST_WORD = 64 };

/* Levenshtein's distance, two rows. */
static size_t distance(const char *a, const char *b) {
  size_t n = strlen(a), m = strlen(b), row[LONGEST_WORD + 1];
  if (n > LONGEST_WORD || m > LONGEST_WORD) return LONGEST_WORD;
  for (size_t j = 0; j <= m; j++) row[j] = j;
  for (size_t i = 1; i <= n; i++) {
    size_t corner = row[0];
    row[0] = i;
    for (size_t j = 1; j <= m; j++) {
      size_t best = corner + (a[i - 1] != b[j - 1]);
      corner = row[j];
      if (row[j] + 1 < best) best = row[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      row[j] = best;
    }
  }
  return row[m];
}

const char *ci_nearest(const char *word, const char *const *candidates, size_t count) {
  const char *nearest = NULL;
  size_t best = strlen(word) / 3 + 2;
  for (size_t i = 0; i < count; i++) {
    size_t d = distance(word, candidates[i]);
    if (d < best) {
      best = d;
      nearest = candidates[i];
    }
  }
  return nearest;
}
