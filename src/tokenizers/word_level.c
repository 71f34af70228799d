/* WordLevel: a word is a token or unknown.
 *   {"vocab": {"token": id, ...}, "unk_token": "<unk>"} */
#include "tokenizers/token_model.h"
#include <string.h>

typedef struct {
  const ci_vocabulary *vocabulary;
  int32_t unknown, limit; /* unknown -1: unk_token is not in the vocabulary. Ids from limit on are added tokens. */
} word_level;

static ci_status open_word_level(void *state, ci_tokenizer *t, const ci_document *d, ci_error *err) {
  word_level *w = state;
  const char *unknown;
  ci_status status = ci_json_get_text(ci_document_model(d), d->path, "unk_token", "<unk>", &unknown, err);
  if (status) return status;
  ci_scan scan = ci_document_scan(d, d->vocab);
  status = ci_scan_vocabulary(&scan, false, &t->vocabulary, err);
  t->base_size = t->vocabulary.count;
  *w = (word_level){&t->vocabulary, ci_vocabulary_id(&t->vocabulary, unknown, strlen(unknown)),
                    (int32_t)t->vocabulary.limit};
  return status;
}

static void close_word_level(void *state) {
  (void)state;
}

static ci_status encode_word_level(const void *state, const char *word, size_t length, ci_ids *ids, ci_error *err) {
  const word_level *w = state;
  int32_t id = ci_vocabulary_id(w->vocabulary, word, length);
  if (id >= 0 && id < w->limit) return ci_ids_add(ids, id, err);
  if (w->unknown >= 0) return ci_ids_add(ids, w->unknown, err);
  return ci_fail(err, CI_EINVAL, NULL,
                 "the tokenizer has no token for \"%.*s\", and its unk_token is not in its vocabulary",
                 (int)(length < 60 ? length : 60), word);
}

const ci_token_model_kind ci_token_model_word_level = {.type = "WordLevel",
                                                       .keys = {"vocab", "unk_token"},
                                                       .size = sizeof(word_level),
                                                       .open = open_word_level,
                                                       .close = close_word_level,
                                                       .encode = encode_word_level};
