/* The pre-tokenizers that look at one character at a time: Digits, WhitespaceSplit, Punctuation, BertPreTokenizer,
 * CharDelimiterSplit, FixedLength. Semantics: the tokenizers library 0.22. */
#include "base/memory.h"
#include "tokenizers/added.h"
#include "tokenizers/parts.h"
#include <string.h>
#include <utf8proc.h>

/* Digits, WhitespaceSplit, Punctuation: every character of a kind is a match. */

typedef bool is_kind(uint32_t codepoint);

static ci_status split_at_characters(is_kind *is, ci_behavior behavior, const char *text, size_t length, bool first,
                                     ci_spans *out, ci_error *err) {
  ci_matches matches = {0};
  ci_status status = CI_OK;
  size_t done = 0;
  for (size_t at = 0; at < length && !status;) {
    uint32_t c;
    size_t n = ci_utf8_next(text, length, at, &c);
    if (is(c)) {
      if (done < at) status = ci_matches_add(&matches, done, at, false, err);
      if (!status) status = ci_matches_add(&matches, at, at + n, true, err);
      done = at + n;
    }
    at += n;
  }
  if (!status && done < length) status = ci_matches_add(&matches, done, length, false, err);
  if (!status) status = ci_split_by(&matches, behavior, text, first, out, err);
  ci_free(matches.items);
  return status;
}

typedef struct {
  ci_behavior behavior;
} characters;

static bool is_number(uint32_t c) {
  utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
  return category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_NO;
}

static bool is_punctuation(uint32_t c) {
  if (c < 0x80)
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
  utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

static ci_status open_digits(void *state, const json_t *settings, const char *where, ci_error *err) {
  characters *c = state;
  bool individual;
  ci_status status = ci_json_get_bool(settings, where, "individual_digits", false, &individual, err);
  return status ? status : ci_behavior_named(NULL, individual ? "Isolated" : "Contiguous", where, &c->behavior, err);
}

static ci_status split_digits(const void *state, const char *text, size_t length, bool first, ci_spans *out,
                              ci_error *err) {
  return split_at_characters(is_number, ((const characters *)state)->behavior, text, length, first, out, err);
}

const ci_part_kind ci_part_pre_tokenizer_digits = {
    .type = "Digits", .size = sizeof(characters), .open = open_digits, .split = split_digits};

static ci_status open_whitespace_split(void *state, const json_t *settings, const char *where, ci_error *err) {
  (void)settings;
  return ci_behavior_named(NULL, "Removed", where, &((characters *)state)->behavior, err);
}

static ci_status split_whitespace_split(const void *state, const char *text, size_t length, bool first, ci_spans *out,
                                        ci_error *err) {
  return split_at_characters(ci_is_rust_space, ((const characters *)state)->behavior, text, length, first, out, err);
}

const ci_part_kind ci_part_pre_tokenizer_whitespace_split = {.type = "WhitespaceSplit",
                                                             .size = sizeof(characters),
                                                             .open = open_whitespace_split,
                                                             .split = split_whitespace_split};

static ci_status open_punctuation(void *state, const json_t *settings, const char *where, ci_error *err) {
  return ci_behavior_named(settings, "Isolated", where, &((characters *)state)->behavior, err);
}

static ci_status split_punctuation(const void *state, const char *text, size_t length, bool first, ci_spans *out,
                                   ci_error *err) {
  return split_at_characters(is_punctuation, ((const characters *)state)->behavior, text, length, first, out, err);
}

const ci_part_kind ci_part_pre_tokenizer_punctuation = {
    .type = "Punctuation", .size = sizeof(characters), .open = open_punctuation, .split = split_punctuation};

/* BertPreTokenizer: white space drops out, punctuation stands alone. */

static ci_status split_bert(const void *state, const char *text, size_t length, bool first, ci_spans *out,
                            ci_error *err) {
  (void)state;
  size_t done = 0;
  ci_status status = CI_OK;
  for (size_t at = 0, n; at < length && !status; at += n) {
    uint32_t c;
    n = ci_utf8_next(text, length, at, &c);
    bool space = ci_is_rust_space(c);
    if (!space && !is_punctuation(c)) continue;
    if (done < at) status = ci_spans_add(out, text + done, at - done, -1, first && !done, err);
    if (!status && !space) status = ci_spans_add(out, text + at, n, -1, first && !at, err);
    done = at + n;
  }
  return !status && done < length ? ci_spans_add(out, text + done, length - done, -1, first && !done, err) : status;
}

const ci_part_kind ci_part_pre_tokenizer_bert = {.type = "BertPreTokenizer", .split = split_bert};

/* CharDelimiterSplit: one character drops out. */

typedef struct {
  ci_behavior behavior;
  ci_regex *delimiter;
} char_delimiter;

static ci_status open_char_delimiter(void *state, const json_t *settings, const char *where, ci_error *err) {
  char_delimiter *d = state;
  const json_t *value = json_object_get(settings, "delimiter");
  const char *text = json_is_string(value) ? json_string_value(value) : "";
  size_t length = json_is_string(value) ? json_string_length(value) : 0;
  uint32_t c;
  if (!length || ci_utf8_next(text, length, 0, &c) != length)
    return ci_fail(err, CI_EFILE, where, "CharDelimiterSplit has no \"delimiter\" of one character");
  ci_status status = ci_behavior_named(NULL, "Removed", where, &d->behavior, err);
  return status ? status : ci_regex_open(text, length, true, where, &d->delimiter, err);
}

static void close_char_delimiter(void *state) {
  ci_regex_close(((char_delimiter *)state)->delimiter);
}

static ci_status split_char_delimiter(const void *state, const char *text, size_t length, bool first, ci_spans *out,
                                      ci_error *err) {
  const char_delimiter *d = state;
  ci_matches matches = {0};
  ci_status status = ci_regex_cut(d->delimiter, text, length, &matches, err);
  if (!status) status = ci_split_by(&matches, d->behavior, text, first, out, err);
  ci_free(matches.items);
  return status;
}

const ci_part_kind ci_part_pre_tokenizer_char_delimiter = {.type = "CharDelimiterSplit",
                                                           .size = sizeof(char_delimiter),
                                                           .open = open_char_delimiter,
                                                           .close = close_char_delimiter,
                                                           .split = split_char_delimiter};

/* FixedLength: so many characters at a time. */

typedef struct {
  int64_t length;
} fixed_length;

static ci_status open_fixed_length(void *state, const json_t *settings, const char *where, ci_error *err) {
  return ci_json_get_int(settings, where, "length", 5, 1, INT64_MAX, &((fixed_length *)state)->length, err);
}

static ci_status split_fixed_length(const void *state, const char *text, size_t length, bool first, ci_spans *out,
                                    ci_error *err) {
  const fixed_length *f = state;
  ci_status status = CI_OK;
  size_t start = 0;
  int64_t count = 0;
  for (size_t at = 0; at < length && !status;) {
    uint32_t c;
    at += ci_utf8_next(text, length, at, &c);
    if (++count < f->length && at < length) continue;
    status = ci_spans_add(out, text + start, at - start, -1, first && !start, err);
    start = at;
    count = 0;
  }
  return status;
}

const ci_part_kind ci_part_pre_tokenizer_fixed_length = {
    .type = "FixedLength", .size = sizeof(fixed_length), .open = open_fixed_length, .split = split_fixed_length};
