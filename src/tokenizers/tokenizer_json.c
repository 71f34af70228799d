/* tokenizer.json, the one file of a fast tokenizer: added_tokens, normalizer, pre_tokenizer, model, post_processor,
 * decoder. Truncation and padding are not applied, as transformers does not unless it is asked to. */
#include "base/file.h"
#include "base/memory.h"
#include "tokenizers/pipeline.h"
#include "tokenizers/scan.h"
#include <string.h>

typedef struct {
  size_t begin, end; /* bytes of the file; end 0: it is not there */
} extent;

typedef struct {
  const char *path;
  ci_mapping file;
  extent vocab, merges; /* the two long members of "model" */
  json_t *rest;         /* the file without what stands in them */
} document;

static ci_scan scan_of(const document *d) {
  return (ci_scan){d->path, (const char *)d->file.bytes, d->file.length, 0};
}

static ci_status locate(const document *d, const char *name, extent *e, ci_error *err) {
  ci_scan scan = scan_of(d);
  bool found;
  ci_status status = ci_scan_locate(&scan, "model", name, &found, &e->begin, &e->end, err);
  while (!status && found && strchr(" \t\r\n", scan.bytes[e->begin])) e->begin++;
  if (status || !found || e->end - e->begin < 2) *e = (extent){0, 0};
  return status;
}

/* Jansson reads the file without the insides of the two long members; when it finds a fault it reads it again with
 * blanks in their place, so that the byte it names is the file's. */
static ci_status parse_rest(document *d, bool blank, ci_error *err) {
  const char *bytes = (const char *)d->file.bytes;
  const extent *first = d->vocab.begin <= d->merges.begin ? &d->vocab : &d->merges;
  const extent *long_members[2] = {first, first == &d->vocab ? &d->merges : &d->vocab};
  ci_text text = {0};
  size_t done = 0;
  for (int i = 0; i < 2; i++) {
    if (!long_members[i]->end) continue;
    size_t from = long_members[i]->begin + 1, to = long_members[i]->end - 1;
    ci_text_add_n(&text, bytes + done, from - done);
    for (size_t k = from; blank && k < to; k++) ci_text_add_n(&text, " ", 1);
    done = to;
  }
  ci_text_add_n(&text, bytes + done, d->file.length - done);
  ci_status status = text.failed ? ci_fail_memory(err) : ci_json_parse(d->path, text.data, text.length, &d->rest, err);
  ci_text_free(&text);
  if (status && !blank) return parse_rest(d, true, err);
  if (!status && !json_is_object(d->rest)) return ci_fail(err, CI_EFILE, d->path, "is not an object");
  return status;
}

static ci_status take_merge(void *context, const char *a, size_t a_length, const char *b, size_t b_length,
                            ci_error *err) {
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
  if (!status && dropout != 0)
    status = ci_fail(err, CI_EFILE, where, "the BPE model has dropout, which is not supported");
  if (!status) status = copy_text(model, where, "continuing_subword_prefix", &bpe->prefix, err);
  if (!status) status = copy_text(model, where, "end_of_word_suffix", &bpe->suffix, err);
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
  if (!status) status = read_flags(&p->bpe, model, d->path, err);
  if (!status && !(d->vocab.end && d->merges.end))
    status = ci_fail(err, CI_EFILE, d->path, "the model has no \"%s\"", d->vocab.end ? "merges" : "vocab");
  ci_scan scan = scan_of(d);
  scan.at = d->vocab.begin;
  if (!status) status = ci_scan_vocabulary(&scan, false, &t->vocabulary, err);
  t->base_size = t->vocabulary.count;
  p->bpe.vocabulary = &t->vocabulary;
  scan.at = d->merges.begin;
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

/* A ByteLevel that stands alone gets tokenizer_config.json's add_prefix_space (default false); one in a Sequence keeps
 * its own. So PreTrainedTokenizerFast does it. */
static ci_status set_prefix_space(const document *d, const ci_tokenizer_source *source, ci_error *err) {
  json_t *part = json_object_get(d->rest, "pre_tokenizer");
  const char *type = json_string_value(json_object_get(part, "type"));
  bool prefix;
  if (!type || strcmp(type, "ByteLevel")) return CI_OK;
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
  ci_status status =
      ci_stage_open(&stage, &ci_post_processors, json_object_get(d->rest, "post_processor"), d->path, err);
  for (size_t i = 0; i < stage.count && !status; i++)
    status = stage.items[i].kind->wrap(stage.items[i].state, &p->before, &p->after, err);
  ci_stage_close(&stage);
  return status;
}

static ci_status open_document(ci_tokenizer *t, document *d, const ci_tokenizer_source *source, ci_error *err) {
  ci_pipeline *p = t->state;
  ci_status status = locate(d, "vocab", &d->vocab, err);
  if (!status) status = locate(d, "merges", &d->merges, err);
  if (!status) status = parse_rest(d, false, err);
  if (!status) status = open_model(t, d, err);
  if (!status) status = open_added(t, d, err);
  if (!status) status = ci_tokenizer_add_tokens(t, source, false, err);
  if (!status) status = set_prefix_space(d, source, err);
  const struct {
    ci_stage *stage;
    const ci_stage_kind *kind;
  } stages[] = {
      {&p->normalizers, &ci_normalizers}, {&p->pre_tokenizers, &ci_pre_tokenizers}, {&p->decoders, &ci_decoders}};
  for (size_t i = 0; i < 3 && !status; i++)
    status =
        ci_stage_open(stages[i].stage, stages[i].kind, json_object_get(d->rest, stages[i].kind->key), d->path, err);
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
