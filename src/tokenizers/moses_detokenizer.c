/* Moses' way from tokens to text: which of them have a space before them. See moses.h. */
#include "base/memory.h"
#include "tokenizers/moses.h"
#include "tokenizers/vocabulary.h"
#include <string.h>

const ci_rewrite ci_moses_join_rules[] = {
    {NULL, "[{s}]+", " "}, {NULL, " @-@ ", "-"},         {NULL, "&(?:bar|#124);", "|"}, {NULL, "&lt;", "<"},
    {NULL, "&gt;", ">"},   {NULL, "&(?:bra|#91);", "["}, {NULL, "&(?:ket|#93);", "]"},  {NULL, "&quot;", "\""},
    {NULL, "&apos;", "'"}, {NULL, "&amp;", "&"},
};
const size_t ci_moses_join_count = sizeof ci_moses_join_rules / sizeof *ci_moses_join_rules;

typedef struct {
  const ci_moses *moses;
  ci_text *out;
  const char *previous; /* word; NULL: none */
  size_t previous_length;
  bool space;           /* before the next word, unless it is one that leans to the left */
  ci_vocabulary quotes; /* word of quotation marks -> 1: it is open */
  ci_error *err;
} joining;

/* sacremoses.util.is_cjk */
static bool is_cjk(uint32_t c) {
  static const uint32_t ranges[][2] = {{0x1100, 0x11FF},   {0x2E80, 0xA4CF},   {0xA840, 0xA87F},  {0xAC00, 0xD7AF},
                                       {0xF900, 0xFAFF},   {0xFE30, 0xFE4F},   {0xFF65, 0xFFDC},  {0x17000, 0x18AFF},
                                       {0x1B000, 0x1B12F}, {0x1B170, 0x1B2FF}, {0x20000, 0x2FFFF}};
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    if (c >= ranges[i][0] && c <= ranges[i][1]) return true;
  return false;
}

static bool begins_cjk(const char *word, size_t length) {
  uint32_t c;
  ci_utf8_next(word, length, 0, &c);
  return is_cjk(c);
}

static bool ends_cjk(const char *word, size_t length) {
  size_t at = length - 1;
  while (at && ((unsigned char)word[at] & 0xC0) == 0x80) at--;
  return begins_cjk(word + at, length - at);
}

static void put(joining *j, bool left, const char *word, size_t length, bool space) {
  if (!left && j->space) ci_text_add(j->out, " ");
  ci_text_add_n(j->out, word, length);
  j->space = space;
}

/* Quotation marks open and close in turns, „ and “ in one turn with ". An English apostrophe behind an s closes
 * nothing. */
static ci_status put_quotes(joining *j, const char *word, size_t length) {
  const char *kind = word;
  size_t kind_length = length, straight = 0;
  while (straight < length && (strncmp(word + straight, "„", 3) == 0 || strncmp(word + straight, "“", 3) == 0))
    straight += 3;
  if (straight == length) kind = "\"", kind_length = 1;
  bool open = ci_vocabulary_id(&j->quotes, kind, kind_length) == 1;
  bool genitive = !open && *word == '\'' && length == 1 && j->previous && j->previous[j->previous_length - 1] == 's' &&
                  strcmp(j->moses->language->code, "en") == 0;
  put(j, open || genitive, word, length, open || genitive);
  return genitive ? CI_OK : ci_vocabulary_add(&j->quotes, "tokens", kind, kind_length, !open, j->err);
}

static ci_status put_word(joining *j, const char *word, size_t length) {
  bool is[CI_MOSES_QUOTES + 1] = {false};
  ci_status status = CI_OK;
  if (begins_cjk(word, length)) {
    put(j, j->previous && ends_cjk(j->previous, j->previous_length), word, length, true);
    return CI_OK;
  }
  for (size_t i = CI_MOSES_CURRENCY; i <= CI_MOSES_QUOTES && !status; i++)
    status = ci_rewriter_matches(j->moses->tests, i, word, length, &is[i], j->err);
  if (status) return status;
  bool short_form = is[CI_MOSES_SHORT_FORM] && j->previous && strcmp(j->moses->language->code, "en") == 0;
  if (is[CI_MOSES_QUOTES]) return put_quotes(j, word, length);
  put(j, is[CI_MOSES_PUNCTUATION] || short_form, word, length, !is[CI_MOSES_CURRENCY]);
  return CI_OK;
}

ci_status ci_moses_detokenize(const ci_moses *m, ci_text *text, ci_error *err) {
  ci_text padded = {0}, out = {0};
  ci_text_add(&padded, " ");
  if (text->length) ci_text_add_n(&padded, text->data, text->length);
  ci_text_add(&padded, " ");
  ci_text_add(&out, "");
  ci_status status = padded.failed || out.failed ? ci_fail_memory(err) : ci_rewriter_run(m->join, &padded, err);
  joining j = {.moses = m, .out = &out, .err = err};
  for (size_t at = 0; at < padded.length && !status;) {
    const char *word = padded.data + at;
    const char *end = memchr(word, ' ', padded.length - at);
    size_t length = end ? (size_t)(end - word) : padded.length - at;
    if (length) {
      status = put_word(&j, word, length);
      j.previous = word;
      j.previous_length = length;
    }
    at += length + 1;
  }
  ci_text before = *text;
  *text = out;
  if (!status && out.failed) status = ci_fail_memory(err);
  ci_text_free(&before);
  ci_text_free(&padded);
  ci_vocabulary_free(&j.quotes);
  return status;
}
