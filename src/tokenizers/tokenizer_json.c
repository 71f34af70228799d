/* tokenizer.json, the one file of a fast tokenizer: added_tokens, normalizer, pre_tokenizer, model, post_processor,
 * decoder. Truncation and padding are not applied, as transformers does not unless it is asked to. */
#include "base/memory.h"
#include "tokenizers/pipeline.h"
#include <string.h>

static ci_status open_added(ci_tokenizer *t, const ci_document *d, ci_error *err) {
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
static ci_status set_prefix_space(const ci_document *d, const ci_tokenizer_source *source, ci_error *err) {
  json_t *part = json_object_get(d->rest, "pre_tokenizer");
  const char *type = json_string_value(json_object_get(part, "type"));
  bool prefix;
  if (!type || strcmp(type, "ByteLevel")) return CI_OK;
  ci_status status = ci_source_flag(source, "add_prefix_space", false, &prefix, err);
  if (status) return status;
  return json_object_set_new(part, "add_prefix_space", json_boolean(prefix)) ? ci_fail_memory(err) : CI_OK;
}

static ci_status open_wrapping(ci_tokenizer *t, const ci_document *d, const ci_tokenizer_source *source,
                               ci_error *err) {
  ci_pipeline *p = t->state;
  p->ends.languages = ci_source_languages(source);
  if (p->ends.languages) return ci_ends_of_languages(t, source, &p->ends, err);
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
    status = stage.items[i].kind->wrap(stage.items[i].state, p->ends.before, p->ends.after, err);
  ci_stage_close(&stage);
  return status;
}

ci_status ci_pipeline_open(ci_tokenizer *t, const ci_document *d, const ci_tokenizer_source *source, ci_error *err) {
  ci_pipeline *p = t->state;
  ci_status status = ci_token_model_open(&p->model, t, d, err);
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
  ci_document d = {0};
  ci_status status = t->state && path ? ci_document_open(&d, path, err) : ci_fail_memory(err);
  if (!status) status = ci_pipeline_open(t, &d, source, err);
  ci_document_close(&d);
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
