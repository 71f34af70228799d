/* WordPiece: the longest token that begins a word, then the longest that goes on with it, written with a prefix; a word
 * that cannot be cut so, or is too long, is unknown as a whole (BERT).
 *   {"vocab": {"token": id, ...}, "unk_token": "[UNK]", "continuing_subword_prefix": "##",
 *    "max_input_chars_per_word": 100} */
#include "base/memory.h"
#include "tokenizers/token_model.h"
#include "tokenizers/trie.h"
#include <string.h>

typedef struct {
  ci_trie trie;       /* of the tokens; values are ids */
  uint32_t continued; /* the node after the prefix; 0: no token begins with it */
  bool prefixed;      /* the prefix is not empty */
  int32_t unknown;    /* -1: unk_token is not in the vocabulary */
  int64_t longest;    /* in characters */
} word_piece;

static ci_status fill_trie(word_piece *w, const ci_vocabulary *v, const char *prefix, ci_error *err) {
  ci_status status = CI_OK;
  for (size_t i = 0; i < v->count && !status; i++) {
    const ci_vocabulary_entry *e = &v->entries[i];
    status = ci_trie_add(&w->trie, v->bytes + e->offset, e->length, (uint32_t)e->id, err);
  }
  w->prefixed = *prefix != 0;
  for (const char *c = prefix; *c; c++) {
    w->continued = ci_trie_step(&w->trie, w->continued, (unsigned char)*c);
    if (!w->continued) break;
  }
  return status;
}

static ci_status open_word_piece(void *state, ci_tokenizer *t, const ci_document *d, ci_error *err) {
  word_piece *w = state;
  const json_t *model = ci_document_model(d);
  const char *unknown, *prefix;
  ci_status status = ci_json_get_text(model, d->path, "unk_token", "[UNK]", &unknown, err);
  if (!status) status = ci_json_get_text(model, d->path, "continuing_subword_prefix", "##", &prefix, err);
  if (!status)
    status = ci_json_get_int(model, d->path, "max_input_chars_per_word", 100, 0, INT64_MAX, &w->longest, err);
  if (status) return status;
  ci_scan scan = ci_document_scan(d, d->vocab);
  status = ci_scan_vocabulary(&scan, false, &t->vocabulary, err);
  t->base_size = t->vocabulary.count;
  w->unknown = ci_vocabulary_id(&t->vocabulary, unknown, strlen(unknown));
  return status ? status : fill_trie(w, &t->vocabulary, prefix, err);
}

static void close_word_piece(void *state) {
  ci_trie_free(&((word_piece *)state)->trie);
}

static bool is_longer(const char *word, size_t length, int64_t most) {
  int64_t characters = 0;
  for (size_t i = 0; i < length && characters <= most; i++) characters += ((unsigned char)word[i] & 0xC0) != 0x80;
  return characters > most;
}

/* The longest token at word[at..length), after the prefix when at > 0; -1: none. */
static int32_t longest_token(const word_piece *w, const char *word, size_t length, size_t at, size_t *end) {
  int32_t id = -1;
  uint32_t node = at ? w->continued : 0;
  if (at && w->prefixed && !node) return -1;
  for (size_t i = at; i < length && (node = ci_trie_step(&w->trie, node, (unsigned char)word[i])); i++) {
    if (!w->trie.nodes[node].value) continue;
    id = (int32_t)(w->trie.nodes[node].value - 1);
    *end = i + 1;
  }
  return id;
}

static ci_status encode_word_piece(const void *state, const char *word, size_t length, ci_ids *ids, ci_error *err) {
  const word_piece *w = state;
  size_t before = ids->count;
  bool unknown = is_longer(word, length, w->longest);
  ci_status status = CI_OK;
  for (size_t at = 0; at < length && !unknown && !status;) {
    int32_t id = longest_token(w, word, length, at, &at);
    unknown = id < 0;
    if (!unknown) status = ci_ids_add(ids, id, err);
  }
  if (!unknown || status) return status;
  ids->count = before;
  if (w->unknown >= 0) return ci_ids_add(ids, w->unknown, err);
  return ci_fail(err, CI_EINVAL, NULL,
                 "the tokenizer has no token for \"%.*s\", and its unk_token is not in its vocabulary",
                 (int)(length < 60 ? length : 60), word);
}

const ci_token_model_kind ci_token_model_word_piece = {
    .type = "WordPiece",
    .keys = {"unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"},
    .size = sizeof(word_piece),
    .open = open_word_piece,
    .close = close_word_piece,
    .encode = encode_word_piece};
