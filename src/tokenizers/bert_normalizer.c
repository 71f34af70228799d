/* The normalizer BertNormalizer: control characters out, white space to spaces, spaces around Chinese characters,
 * accents out, lower case. Follows the tokenizers library 0.22. */
#include "base/memory.h"
#include "tokenizers/added.h"
#include "tokenizers/parts.h"
#include <string.h>
#include <utf8proc.h>

extern const ci_part_kind ci_part_normalizer_lowercase, ci_part_normalizer_nfd;

typedef struct {
  bool clean_text, handle_chinese_chars, strip_accents, lowercase;
} bert;

static ci_status open_bert(void *state, const json_t *settings, const char *where, ci_error *err) {
  bert *b = state;
  ci_status status = ci_json_get_bool(settings, where, "clean_text", true, &b->clean_text, err);
  if (!status) status = ci_json_get_bool(settings, where, "handle_chinese_chars", true, &b->handle_chinese_chars, err);
  if (!status) status = ci_json_get_bool(settings, where, "lowercase", true, &b->lowercase, err);
  return status ? status : ci_json_get_bool(settings, where, "strip_accents", b->lowercase, &b->strip_accents, err);
}

/* Characters that clean_text drops: NUL, U+FFFD, and control, format and private use but for tab, newline, return. */
static bool is_dropped(uint32_t c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  if (c < 0x80) return c < 0x20 || c == 0x7F;
  utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
  return c == 0xFFFD || k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF || k == UTF8PROC_CATEGORY_CO;
}

/* BERT's blocks of CJK ideographs. */
static bool is_chinese(uint32_t c) {
  static const uint32_t blocks[][2] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},  {0x20000, 0x2A6DF},
                                       {0x2A700, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks && c >= blocks[i][0]; i++)
    if (c <= blocks[i][1]) return true;
  return false;
}

/* The steps that look at one character at a time. */
static void clean(const bert *b, const char *text, size_t length, ci_text *out) {
  for (size_t at = 0; at < length;) {
    uint32_t c;
    size_t n = ci_utf8_next(text, length, at, &c);
    bool chinese = b->handle_chinese_chars && is_chinese(c);
    if (b->clean_text && is_dropped(c)) {
      at += n;
      continue;
    }
    if (chinese) ci_text_add(out, " ");
    if (b->clean_text && ci_is_rust_space(c)) {
      ci_text_add(out, " ");
    } else {
      ci_text_add_n(out, text + at, n);
    }
    if (chinese) ci_text_add(out, " ");
    at += n;
  }
}

static ci_status drop_accents(const char *text, size_t length, ci_text *out, ci_error *err) {
  ci_text decomposed = {0};
  ci_text_add(&decomposed, "");
  ci_status status = ci_part_normalizer_nfd.normalize(NULL, text, length, &decomposed, err);
  if (!status && decomposed.failed) status = ci_fail_memory(err);
  for (size_t at = 0; at < decomposed.length && !status;) {
    uint32_t c;
    size_t n = ci_utf8_next(decomposed.data, decomposed.length, at, &c);
    if (c < 0x80 || utf8proc_category((utf8proc_int32_t)c) != UTF8PROC_CATEGORY_MN)
      ci_text_add_n(out, decomposed.data + at, n);
    at += n;
  }
  ci_text_free(&decomposed);
  return status;
}

static ci_status run_bert(const void *state, const char *text, size_t length, ci_text *out, ci_error *err) {
  const bert *b = state;
  ci_text cleaned = {0}, stripped = {0}, *now = &cleaned;
  ci_text_add(&cleaned, "");
  clean(b, text, length, &cleaned);
  ci_status status = cleaned.failed ? ci_fail_memory(err) : CI_OK;
  if (!status && b->strip_accents) {
    ci_text_add(&stripped, "");
    status = drop_accents(cleaned.data, cleaned.length, &stripped, err);
    if (!status && stripped.failed) status = ci_fail_memory(err);
    now = &stripped;
  }
  if (!status && b->lowercase) status = ci_part_normalizer_lowercase.normalize(NULL, now->data, now->length, out, err);
  if (!status && !b->lowercase) ci_text_add_n(out, now->data, now->length);
  ci_text_free(&cleaned);
  ci_text_free(&stripped);
  return status;
}

const ci_part_kind ci_part_normalizer_bert = {
    .type = "BertNormalizer", .size = sizeof(bert), .open = open_bert, .normalize = run_bert};
