/* tokenizer.json, the one file of a fast tokenizer: added_tokens, normalizer, pre_tokenizer, model, post_processor,
 * decoder. Truncation and padding are not applied, as transformers does not unless it is asked to. */
#include "base/file.h"
#include "base/memory.h"
#include "tokenizers/pipeline.h"
#include "tokenizers/scan.h"
#include <string.h>

typedef struct {
  const char *path;
  ci_mapping file;
  json_t *rest; /* the file without what the scanner reads */
} document;

/* Hands everything but the vocabulary and the merges to jansson: in a copy these are blank, so that the bytes it names in
 * errors are those of the file. */
static ci_status parse_rest(document *d, ci_error *err) {
  ci_scan scan = {d->path, (const char *)d->file.bytes, d->file.length, 0};
  char *copy = ci_duplicate_n(scan.bytes, scan.length);
  if (!copy) return ci_fail_memory(err);
  static const char *const blank[] = {"vocab", "merges"};
  ci_status status = CI_OK;
  for (size_t i = 0; i < 2 && !status; i++) {
    bool found;
    size_t begin, end;
    status = ci_scan_locate(&scan, "model", blank[i], &found, &begin, &end, err);
    if (status || !found) continue;
    while (begin < end && copy[begin] != '{' && copy[begin] != '[') begin++;
    if (end - begin >= 2) memset(copy + begin + 1, ' ', end - begin - 2);
  }
  if (!status) status = ci_json_parse(d->path, copy, scan.length, &d->rest, err);
  if (!status && !json_is_object(d->rest)) status = ci_fail(err, CI_EFILE, d->path, "is not an object");
  ci_free(copy);
  return status;
}

static ci_status take_merge(void *context, const char *a, size_t a_length, const char *b, size_t b_length, ci_error *err) {
  return ci_bpe_add_merge(context, "tokenizer.json", a, a_length, b, b_length, true, err);
}

static ci_status copy_text(const json_t *model, const char *where, const char *key, char **out, ci_error *err) {
  const char *text;
  ci_status status = ci_json_get_text(model, where, key, NULL, &text, err);
  if (status || !text) return status;
  *out = ci_duplicate(text);
  return *out ? CI_OK : ci_fail_memory(err);
}

static ci_status read_flags(ci_bpe *bpe, const json_t *model, const char *where, ci_error *err) {
  double dropout;
  ci_status status = ci_json_get_bool(model, where, "fuse_unk", false, &bpe->fuse_unknown, err);
  if (!status) status = ci_json_get_bool(model, where, "byte_fallback", false, &bpe->byte_fallback, err);
  if (!status) status = ci_json_get_bool(model, where, "ignore_merges", false, &bpe->ignore_merges, err);
  if (!status) status = ci_json_get_real(model, where, "dropout", 0, &dropout, err);
  if (!status && dropout != 0) status = ci_fail(err, CI_EFILE, where, "the BPE model has dropout, which is not supported");
  if (!status) status = copy_text(model, where, "continuing_subword_prefix", &bpe->prefix, err);
  if (!status) status = copy_text(model, where, "end_of_word_suffix", &bpe->suffix, err);
  return status;
}

/* One of the two long members of "model". */
static ci_status locate(const document *d, const char *name, ci_scan *scan, ci_error *err) {
  *scan = (ci_scan){d->path, (const char *)d->file.bytes, d->file.length, 0};
  bool found;
  size_t begin, end;
  ci_status status = ci_scan_locate(scan, "model", name, &found, &begin, &end, err);
  if (!status && !found) status = ci_fail(err, CI_EFILE, d->path, "the model has no \"%s\"", name);
  scan->at = status ? 0 : begin;
  return status;
}

static ci_status open_model(ci_tokenizer *t, const document *d, ci_error *err) {
  ci_pipeline *p = t->state;
  const json_t *model = json_object_get(d->rest, "model");
  const char *type, *unknown;
  if (!json_is_object(model)) return ci_fail(err, CI_EFILE, d->path, "has no object \"model\"");
  ci_status status = ci_json_get_text(model, d->path, "type", "BPE", &type, err);
  if (!status && strcmp(type, "BPE"))
    status = ci_fail(err, CI_EFILE, d->path, "the model type \"%s\" is not supported (known: BPE)", type);
  ci_scan scan;
  if (!status) status = read_flags(&p->bpe, model, d->path, err);
  if (!status) status = locate(d, "vocab", &scan, err);
  if (!status) status = ci_scan_vocabulary(&scan, false, &t->vocabulary, err);
  t->base_size = t->vocabulary.count;
  p->bpe.vocabulary = &t->vocabulary;
  if (!status) status = locate(d, "merges", &scan, err);
  if (!status) status = ci_scan_pairs(&scan, take_merge, &p->bpe, err);
  if (!status) status = ci_json_get_text(model, d->path, "unk_token", NULL, &unknown, err);
  if (status) return status;
  p->bpe.unknown = unknown ? ci_vocabulary_id(&t->vocabulary, unknown, strlen(unknown)) : -1;
  if (unknown && p->bpe.unknown < 0)
    return ci_fail(err, CI_EFILE, d->path, "the model's unk_token \"%.60s\" is not in its vocabulary", unknown);
  return ci_bpe_finish(&p->bpe, d->path, err);
}

static ci_status open_added(ci_tokenizer *t, const document *d, ci_error *err) {
  const json_t *list = json_object_get(d->rest, "added_tokens");
  ci_status status = CI_OK;
  for (size_t i = 0; i < json_array_size(list) && !status; i++) {
    ci_added_token token;
    status = ci_added_read(json_array_get(list, i), d->path, false, &token, err);
    if (!status) status = ci_tokenizer_add_token(t, d->path, token, false, err);
  }
  return status;
}

/* A pre-tokenizer that stands alone and has add_prefix_space gets tokenizer_config.json's (default false); one in a
 * Sequence keeps its own. So does PreTrainedTokenizerFast. */
static ci_status set_prefix_space(const document *d, const ci_tokenizer_source *source, ci_error *err) {
  json_t *part = json_object_get(d->rest, "pre_tokenizer");
  bool prefix;
  if (!json_object_get(part, "add_prefix_space")) return CI_OK;
  ci_status status = ci_source_flag(source, "add_prefix_space", false, &prefix, err);
  if (status) return status;
  return json_object_set_new(part, "add_prefix_space", json_boolean(prefix)) ? ci_fail_memory(err) : CI_OK;
}

static ci_status open_wrapping(ci_tokenizer *t, const document *d, const ci_tokenizer_source *source, ci_error *err) {
  ci_pipeline *p = t->state;
  if (source->row.template) {
    bool bos, eos;
    ci_status status = ci_source_flag(source, "add_bos_token", source->row.add_bos, &bos, err);
    if (!status) status = ci_source_flag(source, "add_eos_token", false, &eos, err);
    return status ? status : ci_pipeline_wrap(t, source, bos, eos, err);
  }
  ci_stage stage = {0};
  ci_status status = ci_stage_open(&stage, &ci_post_processors, json_object_get(d->rest, "post_processor"), d->path, err);
  for (size_t i = 0; i < stage.count && !status; i++)
    status = stage.items[i].kind->wrap(stage.items[i].state, &p->before, &p->after, err);
  ci_stage_close(&stage);
  return status;
}

static ci_status open_document(ci_tokenizer *t, document *d, const ci_tokenizer_source *source, ci_error *err) {
  ci_pipeline *p = t->state;
  ci_status status = parse_rest(d, err);
  if (!status) status = open_model(t, d, err);
  if (!status) status = open_added(t, d, err);
  if (!status) status = ci_tokenizer_add_tokens(t, source, false, err);
  if (!status) status = set_prefix_space(d, source, err);
  const struct {
    ci_stage *stage;
    const ci_stage_kind *kind;
  } stages[] = {{&p->normalizers, &ci_normalizers}, {&p->pre_tokenizers, &ci_pre_tokenizers}, {&p->decoders, &ci_decoders}};
  for (size_t i = 0; i < 3 && !status; i++)
    status = ci_stage_open(stages[i].stage, stages[i].kind, json_object_get(d->rest, stages[i].kind->key), d->path, err);
  if (!status) status = open_wrapping(t, d, source, err);
  return status ? status : ci_pipeline_finish(t, err);
}

static ci_status open_tokenizer_json(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  t->state = ci_alloc_zeroed(1, sizeof(ci_pipeline));
  char *path = ci_join_path(source->folder, "tokenizer.json");
  document d = {.path = path};
  ci_status status = t->state && path ? ci_map_file(path, &d.file, err) : ci_fail_memory(err);
  if (!status) {
    status = open_document(t, &d, source, err);
    ci_unmap_file(&d.file);
  }
  json_decref(d.rest);
  ci_free(path);
  return status;
}

const ci_tokenizer_kind ci_tokenizer_tokenizer_json = {
    .files = {"tokenizer.json"},
    .fallback_class = "PreTrainedTokenizer",
    .open = open_tokenizer_json,
    .close = ci_pipeline_close,
    .encode = ci_pipeline_encode,
    .decode = ci_pipeline_decode,
    .to_text = ci_pipeline_to_text,
};
