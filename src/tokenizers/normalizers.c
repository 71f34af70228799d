/* The normalizers of tokenizer.json: text to text, before it is cut. Semantics: the tokenizers library 0.22. */
#include "base/memory.h"
#include "tokenizers/added.h"
#include "tokenizers/bpe.h"
#include "tokenizers/parts.h"
#include <stdlib.h>
#include <utf8proc.h>

/* Prepend: before every text that is not empty. */

typedef struct {
  char *text;
  size_t length;
} prepend;

static ci_status open_prepend(void *state, const json_t *settings, const char *where, ci_error *err) {
  prepend *p = state;
  const json_t *text = json_object_get(settings, "prepend");
  if (!json_is_string(text)) return ci_fail(err, CI_EFILE, where, "the normalizer Prepend has no string \"prepend\"");
  p->length = json_string_length(text);
  p->text = ci_duplicate_n(json_string_value(text), p->length);
  return p->text ? CI_OK : ci_fail_memory(err);
}

static void close_prepend(void *state) {
  ci_free(((prepend *)state)->text);
}

static ci_status run_prepend(const void *state, const char *text, size_t length, ci_text *out, ci_error *err) {
  const prepend *p = state;
  (void)err;
  if (length) ci_text_add_n(out, p->text, p->length);
  ci_text_add_n(out, text, length);
  return CI_OK;
}

const ci_part_kind ci_part_normalizer_prepend = {
    .type = "Prepend", .size = sizeof(prepend), .open = open_prepend, .close = close_prepend, .normalize = run_prepend};

/* Replace: every match of a pattern by a fixed text. */

typedef struct {
  ci_regex *pattern;
  char *content;
  size_t length;
} replace;

static ci_status open_replace(void *state, const json_t *settings, const char *where, ci_error *err) {
  replace *r = state;
  const json_t *content = json_object_get(settings, "content");
  if (!json_is_string(content))
    return ci_fail(err, CI_EFILE, where, "the normalizer Replace has no string \"content\"");
  r->length = json_string_length(content);
  r->content = ci_duplicate_n(json_string_value(content), r->length);
  if (!r->content) return ci_fail_memory(err);
  return ci_regex_open_json(json_object_get(settings, "pattern"), where, &r->pattern, err);
}

static void close_replace(void *state) {
  replace *r = state;
  ci_regex_close(r->pattern);
  ci_free(r->content);
}

static ci_status run_replace(const void *state, const char *text, size_t length, ci_text *out, ci_error *err) {
  const replace *r = state;
  size_t before = out->length;
  ci_matches matches = {0};
  ci_status status = ci_regex_cut(r->pattern, text, length, &matches, err);
  for (size_t i = 0; i < matches.count && !status; i++) {
    ci_match m = matches.items[i];
    if (m.match) {
      ci_text_add_n(out, r->content, r->length);
      status = ci_check_growth(length, out->length - before, err);
    } else {
      ci_text_add_n(out, text + m.start, m.end - m.start);
    }
  }
  ci_free(matches.items);
  return status;
}

const ci_part_kind ci_part_normalizer_replace = {
    .type = "Replace", .size = sizeof(replace), .open = open_replace, .close = close_replace, .normalize = run_replace};

/* NFC, NFD, NFKC, NFKD: utf8proc's, but for the characters that are decomposed since Unicode 12.1 only: the tokenizers
 * library, which has the tables of Unicode 12.0, leaves them as they are. */

static bool is_newer(uint32_t c) {
  static const uint32_t ranges[][2] = {{0x32FF, 0x32FF},   {0xA7F2, 0xA7F4},   {0xAB69, 0xAB69},   {0x10781, 0x107BA},
                                       {0x11938, 0x11938}, {0x1E030, 0x1E06D}, {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9}};
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges && c >= ranges[i][0]; i++)
    if (c <= ranges[i][1]) return true;
  return false;
}

static ci_status map_text(const char *text, size_t length, utf8proc_option_t options, ci_text *out, ci_error *err) {
  if (!length) return CI_OK;
  utf8proc_uint8_t *mapped = NULL;
  utf8proc_ssize_t size = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)length, &mapped, options);
  if (size == UTF8PROC_ERROR_NOMEM) return ci_fail_memory(err);
  if (size < 0) return ci_fail(err, CI_EINVAL, NULL, "the text cannot be normalized: %s", utf8proc_errmsg(size));
  ci_text_add_n(out, (const char *)mapped, (size_t)size);
  free(mapped);
  return CI_OK;
}

static ci_status normal_form(const char *text, size_t length, utf8proc_option_t options, ci_text *out, ci_error *err) {
  bool ascii = true;
  for (size_t i = 0; i < length && ascii; i++) ascii = (unsigned char)text[i] < 0x80;
  if (ascii) return ci_text_add_n(out, text, length), CI_OK;
  ci_status status = CI_OK;
  size_t done = 0;
  for (size_t at = 0, n; at < length && !status; at += n) {
    uint32_t c;
    n = ci_utf8_next(text, length, at, &c);
    if (c < 0x3000 || !is_newer(c)) continue;
    status = map_text(text + done, at - done, options, out, err);
    ci_text_add_n(out, text + at, n);
    done = at + n;
  }
  return status ? status : map_text(text + done, length - done, options, out, err);
}

static ci_status run_nfc(const void *state, const char *text, size_t length, ci_text *out, ci_error *err) {
  (void)state;
  return normal_form(text, length, UTF8PROC_STABLE | UTF8PROC_COMPOSE, out, err);
}

static ci_status run_nfd(const void *state, const char *text, size_t length, ci_text *out, ci_error *err) {
  (void)state;
  return normal_form(text, length, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, out, err);
}

static ci_status run_nfkc(const void *state, const char *text, size_t length, ci_text *out, ci_error *err) {
  (void)state;
  return normal_form(text, length, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT, out, err);
}

static ci_status run_nfkd(const void *state, const char *text, size_t length, ci_text *out, ci_error *err) {
  (void)state;
  return normal_form(text, length, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, out, err);
}

const ci_part_kind ci_part_normalizer_nfc = {.type = "NFC", .normalize = run_nfc};
const ci_part_kind ci_part_normalizer_nfd = {.type = "NFD", .normalize = run_nfd};
const ci_part_kind ci_part_normalizer_nfkc = {.type = "NFKC", .normalize = run_nfkc};
const ci_part_kind ci_part_normalizer_nfkd = {.type = "NFKD", .normalize = run_nfkd};

/* Lowercase: character by character; U+0130 is the one whose lower case is two characters. */

static ci_status run_lowercase(const void *state, const char *text, size_t length, ci_text *out, ci_error *err) {
  (void)state;
  (void)err;
  for (size_t at = 0; at < length;) {
    uint32_t c;
    at += ci_utf8_next(text, length, at, &c);
    if (c == 0x130) {
      ci_text_add(out, "i\xCC\x87");
    } else {
      ci_text_add_codepoint(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)c));
    }
  }
  return CI_OK;
}

const ci_part_kind ci_part_normalizer_lowercase = {.type = "Lowercase", .normalize = run_lowercase};

/* Strip: white space at either end. */

typedef struct {
  bool left, right;
} strip;

static ci_status open_strip(void *state, const json_t *settings, const char *where, ci_error *err) {
  strip *s = state;
  ci_status status = ci_json_get_bool(settings, where, "strip_left", true, &s->left, err);
  return status ? status : ci_json_get_bool(settings, where, "strip_right", true, &s->right, err);
}

static ci_status run_strip(const void *state, const char *text, size_t length, ci_text *out, ci_error *err) {
  const strip *s = state;
  (void)err;
  size_t start = length, end = 0; /* of what is no space */
  for (size_t at = 0; at < length;) {
    uint32_t c;
    size_t n = ci_utf8_next(text, length, at, &c);
    if (!ci_is_rust_space(c)) {
      if (start == length) start = at;
      end = at + n;
    }
    at += n;
  }
  if (!s->left) start = 0;
  if (!s->right) end = length;
  if (end > start) ci_text_add_n(out, text + start, end - start);
  return CI_OK;
}

const ci_part_kind ci_part_normalizer_strip = {
    .type = "Strip", .size = sizeof(strip), .open = open_strip, .normalize = run_strip};

/* StripAccents: drops every mark. */

static ci_status run_strip_accents(const void *state, const char *text, size_t length, ci_text *out, ci_error *err) {
  (void)state, (void)err;
  for (size_t at = 0; at < length;) {
    uint32_t c;
    size_t n = ci_utf8_next(text, length, at, &c);
    utf8proc_category_t k = c < 0x80 ? UTF8PROC_CATEGORY_CN : utf8proc_category((utf8proc_int32_t)c);
    if (k != UTF8PROC_CATEGORY_MN && k != UTF8PROC_CATEGORY_MC && k != UTF8PROC_CATEGORY_ME)
      ci_text_add_n(out, text + at, n);
    at += n;
  }
  return CI_OK;
}

const ci_part_kind ci_part_normalizer_strip_accents = {.type = "StripAccents", .normalize = run_strip_accents};

/* Nmt: SentencePiece's rules for control characters and spaces. */

static bool is_dropped_by_nmt(uint32_t c) {
  return (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
}

static bool is_space_to_nmt(uint32_t c) {
  return c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 ||
         c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
}

static ci_status run_nmt(const void *state, const char *text, size_t length, ci_text *out, ci_error *err) {
  (void)state, (void)err;
  for (size_t at = 0, n; at < length; at += n) {
    uint32_t c;
    n = ci_utf8_next(text, length, at, &c);
    if (is_dropped_by_nmt(c)) continue;
    if (is_space_to_nmt(c)) {
      ci_text_add(out, " ");
    } else {
      ci_text_add_n(out, text + at, n);
    }
  }
  return CI_OK;
}

const ci_part_kind ci_part_normalizer_nmt = {.type = "Nmt", .normalize = run_nmt};

/* ByteLevel: every byte as its letter. */

static ci_status run_byte_level(const void *state, const char *text, size_t length, ci_text *out, ci_error *err) {
  (void)state, (void)err;
  for (size_t i = 0; i < length; i++) ci_text_add_codepoint(out, ci_byte_letter((unsigned char)text[i]));
  return CI_OK;
}

const ci_part_kind ci_part_normalizer_byte_level = {.type = "ByteLevel", .normalize = run_byte_level};

#define CI_PART(member) extern const ci_part_kind ci_part_##member;
#include "tokenizers/normalizers.def"
#undef CI_PART

static const ci_part_kind *const kinds[] = {
#define CI_PART(member) &ci_part_##member,
#include "tokenizers/normalizers.def"
#undef CI_PART
    NULL};

const ci_stage_kind ci_normalizers = {"normalizer", "normalizers", kinds};
