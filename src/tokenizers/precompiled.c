/* The normalizer Precompiled: SentencePiece's precompiled_charsmap, base64 in tokenizer.json.
 *   uint32 n, n/4 uint32 units of a double array (darts-clone), then the replacements, each ended by a NUL
 * The double array maps a string to where its replacement begins. Follows spm_precompiled 0.1 (the tokenizers
 * library's): the shortest key that a grapheme of at most 5 bytes, or else a character, begins with replaces the whole
 * of it. */
#include "base/memory.h"
#include "tokenizers/parts.h"
#include <string.h>
#include <utf8proc.h>

enum { LONGEST_GRAPHEME = 5 };

typedef struct {
  char *blob;
  uint32_t *units; /* [count] */
  size_t count;
  const char *replacements; /* valid UTF-8 */
  size_t length;
} charsmap;

/* A unit: the byte that leads to it (or bit 31: a value in the rest), whether a key ends there, where its children lie.
 */
static uint32_t label_of(uint32_t unit) {
  return unit & (1u << 31 | 0xFF);
}
static bool has_leaf(uint32_t unit) {
  return unit >> 8 & 1;
}
static uint32_t offset_of(uint32_t unit) {
  return unit >> 10 << ((unit & 1u << 9) >> 6);
}
static uint32_t value_of(uint32_t unit) {
  return unit & ~(1u << 31);
}

static int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648 with padding. bytes: room for 3/4 of the length. */
static bool decode_base64(const char *text, size_t length, char *bytes, size_t *count) {
  size_t padding = 0;
  *count = 0;
  if (length % 4) return false;
  while (padding < 2 && padding < length && text[length - 1 - padding] == '=') padding++;
  uint32_t bits = 0;
  for (size_t i = 0; i < length; i++) {
    int digit = i < length - padding ? base64_digit(text[i]) : 0;
    if (digit < 0) return false;
    bits = bits << 6 | (uint32_t)digit;
    if (i % 4 < 3) continue;
    for (int k = 2; k >= 0; k--) bytes[(*count)++] = (char)(bits >> 8 * k);
  }
  *count -= padding;
  return true;
}

static ci_status open_precompiled(void *state, const json_t *settings, const char *where, ci_error *err) {
  charsmap *m = state;
  const json_t *text = json_object_get(settings, "precompiled_charsmap");
  if (!json_is_string(text))
    return ci_fail(err, CI_EFILE, where, "the normalizer Precompiled has no string \"precompiled_charsmap\"");
  size_t length = json_string_length(text), size;
  uint32_t n;
  m->blob = ci_alloc(length / 4 * 3 + 1, 1);
  if (!m->blob) return ci_fail_memory(err);
  if (!decode_base64(json_string_value(text), length, m->blob, &size))
    return ci_fail(err, CI_EFILE, where, "the precompiled_charsmap is not base64");
  if (size < sizeof n || (memcpy(&n, m->blob, sizeof n), n > size - sizeof n) || n < sizeof n)
    return ci_fail(err, CI_EFILE, where, "the precompiled_charsmap of %zu bytes ends before its double array", size);
  m->count = n / sizeof n;
  m->units = ci_alloc(m->count, sizeof n);
  if (!m->units) return ci_fail_memory(err);
  memcpy(m->units, m->blob + sizeof n, m->count * sizeof n);
  m->replacements = m->blob + sizeof n + m->count * sizeof n;
  m->length = size - sizeof n - m->count * sizeof n;
  if (ci_utf8_valid(m->replacements, m->length)) return CI_OK;
  return ci_fail(err, CI_EFILE, where, "the replacements of the precompiled_charsmap are not UTF-8");
}

static void close_precompiled(void *state) {
  charsmap *m = state;
  ci_free(m->blob);
  ci_free(m->units);
}

/* The value of the shortest key that text[0..length) begins with; false: there is none. */
static bool find_value(const charsmap *m, const char *text, size_t length, uint32_t *value) {
  uint32_t at = offset_of(m->units[0]);
  for (size_t i = 0; i < length && text[i]; i++) {
    at ^= (unsigned char)text[i];
    if (at >= m->count || label_of(m->units[at]) != (unsigned char)text[i]) return false;
    uint32_t unit = m->units[at];
    at ^= offset_of(unit);
    if (!has_leaf(unit)) continue;
    if (at >= m->count) return false;
    *value = value_of(m->units[at]);
    return true;
  }
  return false;
}

/* *found false: the text has no replacement. One that begins outside of the list, or within a character, is the file's
 * fault; what is added is valid UTF-8 in any case. */
static ci_status add_replacement(const charsmap *m, const char *text, size_t length, ci_text *out, bool *found,
                                 ci_error *err) {
  uint32_t start;
  *found = find_value(m, text, length, &start);
  if (!*found) return CI_OK;
  if (start > m->length || (start < m->length && ((unsigned char)m->replacements[start] & 0xC0) == 0x80))
    return ci_fail(err, CI_EFILE, NULL, "the tokenizer's precompiled_charsmap has no replacement at byte %u of %zu",
                   start, m->length);
  ci_text_add_n(out, m->replacements + start, strnlen(m->replacements + start, m->length - start));
  return CI_OK;
}

static bool is_plain(const char *text, size_t length, size_t at) {
  return at >= length || ((unsigned char)text[at] < 0x80 && text[at] != '\r' && text[at] != '\n');
}

/* Where the grapheme that begins at `at` ends. */
static size_t grapheme_end(const char *text, size_t length, size_t at) {
  if (is_plain(text, length, at) && is_plain(text, length, at + 1)) return at + 1;
  utf8proc_int32_t state = 0;
  uint32_t before, next;
  at += ci_utf8_next(text, length, at, &before);
  while (at < length) {
    size_t n = ci_utf8_next(text, length, at, &next);
    if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)next, &state)) break;
    before = next;
    at += n;
  }
  return at;
}

static ci_status run_precompiled(const void *state, const char *text, size_t length, ci_text *out, ci_error *err) {
  const charsmap *m = state;
  ci_status status = CI_OK;
  for (size_t at = 0, end; at < length && !status; at = end) {
    end = grapheme_end(text, length, at);
    bool found = false;
    if (end - at <= LONGEST_GRAPHEME) status = add_replacement(m, text + at, end - at, out, &found, err);
    for (size_t n; !found && at < end && !status; at += n) {
      uint32_t c;
      bool replaced;
      n = ci_utf8_next(text, length, at, &c);
      status = add_replacement(m, text + at, n, out, &replaced, err);
      if (!replaced) ci_text_add_n(out, text + at, n);
    }
  }
  return status;
}

const ci_part_kind ci_part_normalizer_precompiled = {.type = "Precompiled",
                                                     .size = sizeof(charsmap),
                                                     .open = open_precompiled,
                                                     .close = close_precompiled,
                                                     .keeps_start = true,
                                                     .normalize = run_precompiled};
