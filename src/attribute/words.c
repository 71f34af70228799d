/* See words.h. A token and the one before it are turned into text: what decoders do to a token depends on nothing farther away. */
#include "attribute/words.h"
#include <string.h>
#include <utf8proc.h>

static bool is_space(uint32_t c) {
  utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
  return (c >= '\t' && c <= '\r') || category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

/* How many of the bytes are white space and whether the last character is. */
static bool ends_with_space(const char *text, size_t length, bool *only_spaces) {
  bool last = false;
  *only_spaces = true;
  for (size_t at = 0; at < length;) {
    uint32_t c;
    at += ci_utf8_next(text, length, at, &c);
    last = is_space(c);
    *only_spaces = *only_spaces && last;
  }
  return last;
}

/* Of a token that ends within a character, which the next one completes. */
static size_t without_replacements(const char *text, size_t length) {
  static const char replacement[] = "\xEF\xBF\xBD";
  while (length >= 3 && memcmp(text + length - 3, replacement, 3) == 0) length -= 3;
  return length;
}

/* Whether token `ids[1]` begins a word behind `ids[0]`; count: of ids that there are, up to 3. Where it adds nothing (a space at the end
 * is trimmed) the token after it shows. */
static ci_status place(const ci_tokenizer *tokenizer, const int32_t *ids, size_t count, ci_word_place *word, ci_error *err) {
  ci_text before = {0}, both = {0};
  ci_status status = ci_tokenizer_decode(tokenizer, ids, 1, false, &before, err);
  size_t length = status ? 0 : without_replacements(before.data, before.length), shared = 0;
  for (size_t n = 2; n <= count && !status; n++) {
    ci_text_free(&both);
    both = (ci_text){0};
    status = ci_tokenizer_decode(tokenizer, ids, n, false, &both, err);
    for (shared = 0; shared < length && shared < both.length && before.data[shared] == both.data[shared];) shared++;
    if (shared < both.length) break;
  }
  if (!status && (before.failed || both.failed)) status = ci_fail_memory(err);
  uint32_t c = ' ';
  if (!status && shared < both.length) ci_utf8_next(both.data, both.length, shared, &c);
  bool only_spaces, after_space = ends_with_space(before.data, length, &only_spaces);
  *word = is_space(c) || (after_space && !only_spaces) ? CI_WORD_BEGINS : CI_WORD_GOES_ON;
  ci_text_free(&before);
  ci_text_free(&both);
  return status;
}

ci_status ci_words_mark(const ci_tokenizer *tokenizer, const int32_t *ids, ci_token *tokens, size_t count, ci_error *err) {
  ci_status status = CI_OK;
  for (size_t i = 0; i < count && !status; i++) {
    tokens[i].word = CI_WORD_BEGINS;
    if (!i || ci_tokenizer_is_special(tokenizer, ids[i]) || ci_tokenizer_is_special(tokenizer, ids[i - 1])) continue;
    size_t known = i + 1 < count && !ci_tokenizer_is_special(tokenizer, ids[i + 1]) ? 3 : 2;
    status = place(tokenizer, ids + i - 1, known, &tokens[i].word, err);
  }
  return status;
}
