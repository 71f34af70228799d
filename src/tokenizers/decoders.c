/* The decoders of tokenizer.json: a list of tokens to a list of texts, which are joined at the end. */
#include "base/memory.h"
#include "tokenizers/bpe.h"
#include "tokenizers/parts.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const ci_spans *spans, size_t i) {
  return spans->text.data ? spans->text.data + spans->items[i].start : "";
}

/* ByteLevel: letters back to bytes, ill-formed UTF-8 as U+FFFD. A token with any other character stands for itself. */

static void add_bytes(ci_text *bytes, const char *token, size_t length) {
  size_t before = bytes->length;
  for (size_t at = 0; at < length;) {
    uint32_t c;
    at += ci_utf8_next(token, length, at, &c);
    int byte = ci_letter_byte(c);
    if (byte < 0) {
      bytes->length = before;
      ci_text_add_n(bytes, token, length);
      return;
    }
    ci_text_add_n(bytes, &(char){(char)byte}, 1);
  }
}

static ci_status decode_byte_level(const void *state, const ci_spans *tokens, ci_spans *out, ci_error *err) {
  (void)state;
  ci_text bytes = {0}, text = {0};
  for (size_t i = 0; i < tokens->count; i++) add_bytes(&bytes, text_of(tokens, i), tokens->items[i].length);
  if (bytes.data) ci_text_add_utf8_lossy(&text, bytes.data, bytes.length);
  ci_status status = bytes.failed || text.failed ? ci_fail_memory(err) : CI_OK;
  if (!status) status = ci_spans_add(out, text.data ? text.data : "", text.length, -1, true, err);
  ci_text_free(&bytes);
  ci_text_free(&text);
  return status;
}

const ci_part_kind ci_part_decoder_byte_level = {.type = "ByteLevel", .decode = decode_byte_level};

/* Replace: the normalizer of this name, token by token. */

extern const ci_part_kind ci_part_normalizer_replace;

static ci_status open_replace(void *state, const json_t *settings, const char *where, ci_error *err) {
  ci_part *part = state;
  part->kind = &ci_part_normalizer_replace;
  part->state = ci_alloc_zeroed(1, part->kind->size);
  return part->state ? part->kind->open(part->state, settings, where, err) : ci_fail_memory(err);
}

static void close_replace(void *state) {
  ci_part *part = state;
  if (part->state) part->kind->close(part->state);
  ci_free(part->state);
}

static ci_status decode_replace(const void *state, const ci_spans *tokens, ci_spans *out, ci_error *err) {
  const ci_part *part = state;
  ci_status status = CI_OK;
  for (size_t i = 0; i < tokens->count && !status; i++) {
    size_t before = out->text.length;
    status = ci_spans_add(out, "", 0, -1, i == 0, err);
    if (!status)
      status = part->kind->normalize(part->state, text_of(tokens, i), tokens->items[i].length, &out->text, err);
    if (!status) out->items[out->count - 1].length = out->text.length - before;
  }
  return status;
}

const ci_part_kind ci_part_decoder_replace = {
    .type = "Replace", .size = sizeof(ci_part), .open = open_replace, .close = close_replace, .decode = decode_replace};

/* ByteFallback: a run of <0xXX> is the text of these bytes, or U+FFFD for each when they are no UTF-8. */

static int byte_of(const char *token, size_t length) {
  if (length != 6 || memcmp(token, "<0x", 3) || token[5] != '>') return -1;
  if (!isxdigit((unsigned char)token[3]) || !isxdigit((unsigned char)token[4])) return -1;
  return (int)strtol((char[]){token[3], token[4], 0}, NULL, 16);
}

static ci_status add_run(ci_text *bytes, ci_spans *out, ci_error *err) {
  ci_status status = CI_OK;
  if (bytes->failed) return ci_fail_memory(err);
  if (bytes->length && ci_utf8_valid(bytes->data, bytes->length)) {
    status = ci_spans_add(out, bytes->data, bytes->length, -1, false, err);
  } else {
    for (size_t i = 0; i < bytes->length && !status; i++) status = ci_spans_add(out, "\xEF\xBF\xBD", 3, -1, false, err);
  }
  bytes->length = 0;
  return status;
}

static ci_status decode_byte_fallback(const void *state, const ci_spans *tokens, ci_spans *out, ci_error *err) {
  (void)state;
  ci_text bytes = {0};
  ci_status status = CI_OK;
  for (size_t i = 0; i < tokens->count && !status; i++) {
    int byte = byte_of(text_of(tokens, i), tokens->items[i].length);
    if (byte >= 0) {
      ci_text_add_n(&bytes, &(char){(char)byte}, 1);
      continue;
    }
    status = add_run(&bytes, out, err);
    if (!status) status = ci_spans_add(out, text_of(tokens, i), tokens->items[i].length, -1, false, err);
  }
  if (!status) status = add_run(&bytes, out, err);
  ci_text_free(&bytes);
  return status;
}

const ci_part_kind ci_part_decoder_byte_fallback = {.type = "ByteFallback", .decode = decode_byte_fallback};

/* Fuse: all tokens become one. */

static ci_status decode_fuse(const void *state, const ci_spans *tokens, ci_spans *out, ci_error *err) {
  (void)state;
  ci_status status = ci_spans_add(out, "", 0, -1, true, err);
  for (size_t i = 0; i < tokens->count; i++) ci_text_add_n(&out->text, text_of(tokens, i), tokens->items[i].length);
  if (!status) out->items[out->count - 1].length = out->text.length - out->items[out->count - 1].start;
  return status;
}

const ci_part_kind ci_part_decoder_fuse = {.type = "Fuse", .decode = decode_fuse};

/* Strip: up to so many of one character at the start and at the end of each token. */

typedef struct {
  char content[8];
  size_t length;
  int64_t start, stop;
} strip;

static ci_status open_strip(void *state, const json_t *settings, const char *where, ci_error *err) {
  strip *s = state;
  const char *content;
  ci_status status = ci_json_get_text(settings, where, "content", " ", &content, err);
  if (!status) status = ci_json_get_int(settings, where, "start", 0, 0, INT32_MAX, &s->start, err);
  if (!status) status = ci_json_get_int(settings, where, "stop", 0, 0, INT32_MAX, &s->stop, err);
  if (status) return status;
  s->length = strlen(content);
  uint32_t c;
  if (!s->length || ci_utf8_next(content, s->length, 0, &c) != s->length)
    return ci_fail(err, CI_EFILE, where, "the decoder Strip has the content \"%.20s\", expected one character",
                   content);
  memcpy(s->content, content, s->length);
  return CI_OK;
}

static ci_status decode_strip(const void *state, const ci_spans *tokens, ci_spans *out, ci_error *err) {
  const strip *s = state;
  ci_status status = CI_OK;
  for (size_t i = 0; i < tokens->count && !status; i++) {
    const char *token = text_of(tokens, i);
    size_t start = 0, end = tokens->items[i].length;
    for (int64_t k = 0; k < s->start && end - start >= s->length && memcmp(token + start, s->content, s->length) == 0;
         k++)
      start += s->length;
    for (int64_t k = 0;
         k < s->stop && end - start >= s->length && memcmp(token + end - s->length, s->content, s->length) == 0; k++)
      end -= s->length;
    status = ci_spans_add(out, token + start, end - start, -1, i == 0, err);
  }
  return status;
}

const ci_part_kind ci_part_decoder_strip = {
    .type = "Strip", .size = sizeof(strip), .open = open_strip, .decode = decode_strip};

/* Metaspace: marks become spaces; in the first token they vanish, unless nothing is ever prepended. */

typedef struct {
  char mark[8];
  size_t length;
  bool never;
} metaspace;

static ci_status open_metaspace(void *state, const json_t *settings, const char *where, ci_error *err) {
  metaspace *m = state;
  const char *mark, *scheme;
  bool add;
  ci_status status = ci_json_get_text(settings, where, "replacement", "\xE2\x96\x81", &mark, err);
  if (!status) status = ci_json_get_text(settings, where, "prepend_scheme", NULL, &scheme, err);
  if (!status) status = ci_json_get_bool(settings, where, "add_prefix_space", true, &add, err);
  if (status) return status;
  m->never = scheme ? strcmp(scheme, "never") == 0 : !add;
  m->length = strlen(mark);
  uint32_t c;
  if (!m->length || ci_utf8_next(mark, m->length, 0, &c) != m->length)
    return ci_fail(err, CI_EFILE, where, "Metaspace has the replacement \"%.20s\", expected one character", mark);
  memcpy(m->mark, mark, m->length);
  return CI_OK;
}

static ci_status decode_metaspace(const void *state, const ci_spans *tokens, ci_spans *out, ci_error *err) {
  const metaspace *m = state;
  ci_status status = CI_OK;
  for (size_t i = 0; i < tokens->count && !status; i++) {
    const char *token = text_of(tokens, i);
    size_t length = tokens->items[i].length, before = out->text.length;
    status = ci_spans_add(out, "", 0, -1, i == 0, err);
    for (size_t at = 0; at < length && !status;) {
      uint32_t c;
      size_t n = ci_utf8_next(token, length, at, &c);
      bool mark = n == m->length && memcmp(token + at, m->mark, n) == 0;
      if (!mark) ci_text_add_n(&out->text, token + at, n);
      if (mark && (i || m->never)) ci_text_add(&out->text, " ");
      at += n;
    }
    if (!status) out->items[out->count - 1].length = out->text.length - before;
  }
  return status;
}

const ci_part_kind ci_part_decoder_metaspace = {
    .type = "Metaspace", .size = sizeof(metaspace), .open = open_metaspace, .decode = decode_metaspace};

#define CI_PART(member) extern const ci_part_kind ci_part_##member;
#include "tokenizers/decoders.def"
#undef CI_PART

static const ci_part_kind *const kinds[] = {
#define CI_PART(member) &ci_part_##member,
#include "tokenizers/decoders.def"
#undef CI_PART
    NULL};

const ci_stage_kind ci_decoders = {"decoder", "decoders", kinds};
