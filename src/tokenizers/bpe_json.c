/* BPE as tokenizer.json has it:
 *   {"vocab": {"token": id, ...}, "merges": ["a b", ...] or [["a", "b"], ...], "unk_token": null, "fuse_unk": false,
 *    "byte_fallback": false, "ignore_merges": false, "continuing_subword_prefix": null, "end_of_word_suffix": null,
 *    "dropout": null} */
#include "base/memory.h"
#include "tokenizers/bpe.h"
#include "tokenizers/token_model.h"
#include <string.h>

typedef struct {
  ci_bpe *bpe;
  const char *where;
} reading;

static ci_status take_merge(void *context, const char *a, size_t a_length, const char *b, size_t b_length,
                            ci_error *err) {
  const reading *r = context;
  return ci_bpe_add_merge(r->bpe, r->where, a, a_length, b, b_length, true, err);
}

/* An empty affix is none. */
static ci_status read_affix(const json_t *model, const char *where, const char *key, char **out, ci_error *err) {
  const char *text;
  ci_status status = ci_json_get_text(model, where, key, NULL, &text, err);
  if (status || !text || !*text) return status;
  *out = ci_duplicate(text);
  return *out ? CI_OK : ci_fail_memory(err);
}

static ci_status read_flags(ci_bpe *bpe, const json_t *model, const char *where, ci_error *err) {
  double dropout;
  ci_status status = ci_json_get_bool(model, where, "fuse_unk", false, &bpe->fuse_unknown, err);
  if (!status) status = ci_json_get_bool(model, where, "byte_fallback", false, &bpe->byte_fallback, err);
  if (!status) status = ci_json_get_bool(model, where, "ignore_merges", false, &bpe->ignore_merges, err);
  if (!status) status = ci_json_get_real(model, where, "dropout", 0, &dropout, err);
  if (!status && dropout != 0)
    status = ci_fail(err, CI_EFILE, where, "the BPE model has dropout, which is not supported");
  if (!status) status = read_affix(model, where, "continuing_subword_prefix", &bpe->prefix, err);
  if (!status) status = read_affix(model, where, "end_of_word_suffix", &bpe->suffix, err);
  return status;
}

static ci_status open_bpe(void *state, ci_tokenizer *t, const ci_document *d, ci_error *err) {
  ci_bpe *bpe = state;
  const json_t *model = ci_document_model(d);
  const char *unknown;
  bpe->vocabulary = &t->vocabulary;
  ci_status status = read_flags(bpe, model, d->path, err);
  if (!status && !d->merges.end) status = ci_fail(err, CI_EFILE, d->path, "the BPE model's \"merges\" is not an array");
  ci_scan scan = ci_document_scan(d, d->vocab);
  if (!status) status = ci_scan_vocabulary(&scan, false, &t->vocabulary, err);
  t->base_size = t->vocabulary.count;
  scan = ci_document_scan(d, d->merges);
  if (!status) status = ci_scan_pairs(&scan, take_merge, &(reading){bpe, d->path}, err);
  if (!status) status = ci_json_get_text(model, d->path, "unk_token", NULL, &unknown, err);
  if (status) return status;
  bpe->unknown = unknown ? ci_vocabulary_id(&t->vocabulary, unknown, strlen(unknown)) : CI_BPE_DROP;
  if (unknown && bpe->unknown < 0) bpe->unknown = CI_BPE_MISSING;
  return ci_bpe_finish(bpe, d->path, err);
}

static void close_bpe(void *state) {
  ci_bpe_free(state);
}

static ci_status encode_bpe(const void *state, const char *word, size_t length, ci_ids *ids, ci_error *err) {
  return ci_bpe_encode(state, word, length, ids, err);
}

const ci_token_model_kind ci_token_model_bpe = {.type = "BPE",
                                                .keys = {"vocab", "merges"},
                                                .size = sizeof(ci_bpe),
                                                .open = open_bpe,
                                                .close = close_bpe,
                                                .encode = encode_bpe};
