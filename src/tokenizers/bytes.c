/* ByT5Tokenizer: a token for each byte, its id the byte plus 3, behind pad, eos and unk; then 125 <extra_id_...>. There
 * are no files but the settings. Follows models/byt5/tokenization_byt5.py of transformers 4.57.6. */
#include "base/memory.h"
#include "tokenizers/slow.h"
#include <string.h>

enum { OFFSET = 3, BYTES = 256, EXTRA_IDS = 125 };

typedef struct {
  ci_trie trie;
} bytes;

static ci_status part(const ci_tokenizer *t, const void *context, const char *text, size_t length, ci_ids *ids,
                      ci_error *err) {
  (void)t, (void)context;
  ci_status status = CI_OK;
  for (size_t i = 0; i < length && !status; i++) status = ci_ids_add(ids, (unsigned char)text[i] + OFFSET, err);
  return status;
}

static ci_status encode(const ci_tokenizer *t, const char *text, size_t length, unsigned flags, ci_ids *ids,
                        ci_error *err) {
  size_t before = ids->count;
  ci_status status = ci_slow_encode(t, &((const bytes *)t->state)->trie, text, length, part, NULL, ids, err);
  bool ended = ids->count > before && ids->items[ids->count - 1] == t->facts.eos;
  return !status && flags & CI_ENCODE_SPECIAL && !ended ? ci_ids_add(ids, t->facts.eos, err) : status;
}

/* Bytes that are no UTF-8 are left out: errors="ignore". */
static void add_valid(ci_text *text, const char *from, size_t length) {
  for (size_t at = 0, n; at < length; at += n) {
    uint32_t c;
    n = ci_utf8_next(from, length, at, &c);
    if (ci_utf8_valid(from + at, n)) ci_text_add_n(text, from + at, n);
  }
}

static ci_status join(const ci_tokenizer *t, ci_piece *tokens, size_t count, ci_text *text, ci_error *err) {
  ci_text joined = {0};
  (void)err;
  for (size_t i = 0; i < count; i++) {
    uint32_t c = 0;
    size_t n = tokens[i].length ? ci_utf8_next(tokens[i].text, tokens[i].length, 0, &c) : 0;
    bool added = ci_added_find(&t->added, tokens[i].text, tokens[i].length) != NULL;
    char byte = (char)(unsigned char)c;
    if (!added && n == tokens[i].length && n && c < BYTES)
      ci_text_add_n(&joined, &byte, 1);
    else
      ci_text_add_n(&joined, tokens[i].text, tokens[i].length);
  }
  if (joined.data) add_valid(text, joined.data, joined.length);
  if (joined.failed) text->failed = true;
  ci_text_free(&joined);
  return CI_OK;
}

static ci_status decode(const ci_tokenizer *t, const int32_t *ids, size_t count, bool skip_special, ci_text *text,
                        ci_error *err) {
  return ci_slow_decode(t, ids, count, skip_special, true, NULL, join, text, err);
}

static ci_status to_text(const ci_tokenizer *t, const char *token, ci_text *text, ci_error *err) {
  return ci_slow_to_text(t, token, join, text, err);
}

static void close_bytes(void *state) {
  ci_trie_free(&((bytes *)state)->trie);
  ci_free(state);
}

static ci_status add_byte(ci_tokenizer *t, const char *where, unsigned byte, ci_error *err) {
  ci_text token = {0};
  ci_text_add_codepoint(&token, byte);
  ci_status status = token.failed
                         ? ci_fail_memory(err)
                         : ci_vocabulary_add(&t->vocabulary, where, token.data, token.length, byte + OFFSET, err);
  ci_text_free(&token);
  return status;
}

/* pad, eos and unk are 0, 1 and 2 whatever they are called, and take the white space around them along. */
static ci_status add_first(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  static const char *const roles[OFFSET] = {"pad_token", "eos_token", "unk_token"};
  ci_status status = CI_OK;
  for (int32_t i = 0; i < OFFSET && !status; i++) {
    ci_added_token token;
    bool found;
    status = ci_source_special(source, roles[i], &found, &token, err);
    if (!status && !found)
      status = ci_fail(err, CI_EFILE, source->config_path, "\"%s\" is null, expected a token", roles[i]);
    if (!status && token.plain) token.lstrip = token.rstrip = true;
    token.id = i;
    token.special = true;
    if (!status) status = ci_tokenizer_add_token(t, source->config_path, token, true, err);
  }
  return status;
}

static ci_status name_extra_ids(const ci_tokenizer_source *source, ci_error *err) {
  if (json_is_array(json_object_get(source->settings, "additional_special_tokens"))) return CI_OK;
  json_t *list = json_array();
  int failed = !list;
  for (int i = 0; i < EXTRA_IDS && !failed; i++) failed = json_array_append_new(list, json_sprintf("<extra_id_%d>", i));
  failed = failed || json_object_set(source->settings, "additional_special_tokens", list);
  json_decref(list);
  return failed ? ci_fail_memory(err) : CI_OK;
}

static ci_status open_bytes(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  bytes *b = t->state = ci_alloc_zeroed(1, sizeof *b);
  ci_status status = b ? CI_OK : ci_fail_memory(err);
  for (unsigned i = 0; i < BYTES && !status; i++) status = add_byte(t, source->folder, i, err);
  t->base_size = BYTES; /* the class's vocab_size */
  if (!status) status = add_first(t, source, err);
  if (!status) status = name_extra_ids(source, err);
  if (!status) status = ci_tokenizer_add_tokens(t, source, true, err);
  return status ? status : ci_slow_trie(t, &b->trie, err);
}

const ci_tokenizer_kind ci_tokenizer_bytes = {
    .classes = " ByT5Tokenizer ",
    .fallback_class = "",
    .open = open_bytes,
    .close = close_bytes,
    .encode = encode,
    .decode = decode,
    .to_text = to_text,
};
