/* The decoders WordPiece, BPEDecoder and CTC: tokens to words with spaces between them. */
#include "base/memory.h"
#include "tokenizers/parts.h"
#include <string.h>

typedef struct {
  const char *what, *by;
} replacement;

/* Appends the text with every occurrence of `what`, left to right. An empty `what` occurs nowhere. */
static void add_replaced(ci_text *out, const char *text, size_t length, const char *what, const char *by) {
  size_t n = strlen(what);
  for (size_t at = 0; at < length;) {
    if (n && length - at >= n && memcmp(text + at, what, n) == 0) {
      ci_text_add(out, by);
      at += n;
    } else {
      ci_text_add_n(out, text + at++, 1);
    }
  }
}

/* In place, one replacement after the other. */
static ci_status replace_all(ci_text *text, const replacement *list, size_t count, ci_error *err) {
  ci_text next = {0};
  for (size_t i = 0; i < count; i++) {
    next.length = 0;
    ci_text_add(&next, "");
    add_replaced(&next, text->data ? text->data : "", text->length, list[i].what, list[i].by);
    ci_text swap = *text;
    *text = next;
    next = swap;
  }
  bool failed = text->failed || next.failed;
  ci_text_free(&next);
  return failed ? ci_fail_memory(err) : CI_OK;
}

/* "cleanup": English punctuation and short forms. */
static ci_status clean_up(ci_text *text, ci_error *err) {
  static const replacement list[] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                                     {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                                     {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  return replace_all(text, list, sizeof list / sizeof *list, err);
}

static const char *text_of(const ci_spans *spans, size_t i) {
  return spans->text.data ? spans->text.data + spans->items[i].start : "";
}

static ci_status read_text(const json_t *settings, const char *where, const char *key, const char *fallback, char **out,
                           ci_error *err) {
  const char *text;
  ci_status status = ci_json_get_text(settings, where, key, fallback, &text, err);
  if (status) return status;
  *out = ci_duplicate(text);
  return *out ? CI_OK : ci_fail_memory(err);
}

/* WordPiece: a token that begins with the prefix goes on with the word before. */

typedef struct {
  char *prefix;
  bool cleanup;
} word_piece;

static ci_status open_word_piece(void *state, const json_t *settings, const char *where, ci_error *err) {
  word_piece *w = state;
  ci_status status = read_text(settings, where, "prefix", "##", &w->prefix, err);
  return status ? status : ci_json_get_bool(settings, where, "cleanup", true, &w->cleanup, err);
}

static void close_word_piece(void *state) {
  ci_free(((word_piece *)state)->prefix);
}

static ci_status decode_word_piece(const void *state, const ci_spans *tokens, ci_spans *out, ci_error *err) {
  const word_piece *w = state;
  size_t prefix = strlen(w->prefix);
  ci_text text = {0};
  ci_status status = CI_OK;
  for (size_t i = 0; i < tokens->count && !status; i++) {
    const char *token = text_of(tokens, i);
    size_t length = tokens->items[i].length;
    bool goes_on = i && length >= prefix && memcmp(token, w->prefix, prefix) == 0;
    text.length = 0;
    ci_text_add(&text, i && !goes_on ? " " : "");
    ci_text_add_n(&text, token + (goes_on ? prefix : 0), length - (goes_on ? prefix : 0));
    if (w->cleanup) status = clean_up(&text, err);
    if (!status && text.failed) status = ci_fail_memory(err);
    if (!status) status = ci_spans_add(out, text.data, text.length, -1, i == 0, err);
  }
  ci_text_free(&text);
  return status;
}

const ci_part_kind ci_part_decoder_word_piece = {.type = "WordPiece",
                                                 .size = sizeof(word_piece),
                                                 .open = open_word_piece,
                                                 .close = close_word_piece,
                                                 .decode = decode_word_piece};

/* BPEDecoder: the suffix that ends a word is a space, but for the last token. */

typedef struct {
  char *suffix;
} bpe;

static ci_status open_bpe(void *state, const json_t *settings, const char *where, ci_error *err) {
  return read_text(settings, where, "suffix", "</w>", &((bpe *)state)->suffix, err);
}

static void close_bpe(void *state) {
  ci_free(((bpe *)state)->suffix);
}

static ci_status decode_bpe(const void *state, const ci_spans *tokens, ci_spans *out, ci_error *err) {
  const bpe *b = state;
  ci_status status = CI_OK;
  for (size_t i = 0; i < tokens->count && !status; i++) {
    size_t before = out->text.length;
    status = ci_spans_add(out, "", 0, -1, i == 0, err);
    if (status) break;
    add_replaced(&out->text, text_of(tokens, i), tokens->items[i].length, b->suffix, i + 1 < tokens->count ? " " : "");
    out->items[out->count - 1].length = out->text.length - before;
  }
  return status;
}

const ci_part_kind ci_part_decoder_bpe = {
    .type = "BPEDecoder", .size = sizeof(bpe), .open = open_bpe, .close = close_bpe, .decode = decode_bpe};

/* CTC: a token that repeats the one before is dropped, and so is the padding. */

typedef struct {
  char *pad, *delimiter;
  bool cleanup;
} ctc;

static ci_status open_ctc(void *state, const json_t *settings, const char *where, ci_error *err) {
  ctc *c = state;
  ci_status status = read_text(settings, where, "pad_token", "<pad>", &c->pad, err);
  if (!status) status = read_text(settings, where, "word_delimiter_token", "|", &c->delimiter, err);
  return status ? status : ci_json_get_bool(settings, where, "cleanup", true, &c->cleanup, err);
}

static void close_ctc(void *state) {
  ctc *c = state;
  ci_free(c->pad);
  ci_free(c->delimiter);
}

static bool repeats(const ci_spans *tokens, size_t i) {
  return i && tokens->items[i].length == tokens->items[i - 1].length &&
         memcmp(text_of(tokens, i), text_of(tokens, i - 1), tokens->items[i].length) == 0;
}

static ci_status decode_ctc(const void *state, const ci_spans *tokens, ci_spans *out, ci_error *err) {
  const ctc *c = state;
  ci_text text = {0};
  ci_status status = CI_OK;
  for (size_t i = 0; i < tokens->count && !status; i++) {
    if (repeats(tokens, i)) continue;
    text.length = 0;
    ci_text_add(&text, "");
    add_replaced(&text, text_of(tokens, i), tokens->items[i].length, c->pad, "");
    if (c->cleanup) status = clean_up(&text, err);
    if (c->cleanup && !status) status = replace_all(&text, &(replacement){c->delimiter, " "}, 1, err);
    if (!status && text.failed) status = ci_fail_memory(err);
    if (!status && text.length) status = ci_spans_add(out, text.data, text.length, -1, false, err);
  }
  ci_text_free(&text);
  return status;
}

const ci_part_kind ci_part_decoder_ctc = {
    .type = "CTC", .size = sizeof(ctc), .open = open_ctc, .close = close_ctc, .decode = decode_ctc};
