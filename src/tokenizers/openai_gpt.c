/* The first GPT's layout: vocab.json and merges.txt (with a heading), words as BERT has them in lower case, the last
 * symbol of a word marked </w>. transformers turns it into a fast tokenizer of these parts; so does this. */
#include "base/memory.h"
#include "tokenizers/bpe.h"
#include "tokenizers/merges.h"
#include "tokenizers/pipeline.h"
#include "tokenizers/scan.h"
#include <string.h>

static ci_status open_stage(ci_stage *stage, const ci_stage_kind *kind, const char *type, const char *where,
                            ci_error *err) {
  json_t *settings = json_pack("{s:s}", "type", type);
  if (!settings) return ci_fail_memory(err);
  ci_status status = ci_stage_open(stage, kind, settings, where, err);
  json_decref(settings);
  return status;
}

static ci_status open_openai_gpt(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  ci_added_token unknown;
  bool found;
  ci_pipeline *p = t->state = ci_alloc_zeroed(1, sizeof *p);
  ci_bpe *bpe = p ? ci_alloc_zeroed(1, sizeof *bpe) : NULL;
  if (!bpe) return ci_fail_memory(err);
  p->model = (ci_token_model){&ci_token_model_bpe, bpe};
  bpe->vocabulary = &t->vocabulary;
  bpe->suffix = ci_duplicate("</w>");
  ci_status status = bpe->suffix ? CI_OK : ci_fail_memory(err);
  if (!status) status = ci_scan_vocabulary_file(source->folder, "vocab.json", &t->vocabulary, err);
  if (!status) status = ci_read_gpt_merges(source->folder, bpe, err);
  if (!status) status = ci_source_special(source, "unk_token", &found, &unknown, err);
  if (status) return status;
  bpe->unknown = found ? ci_vocabulary_id(&t->vocabulary, unknown.content, unknown.length) : CI_BPE_DROP;
  if (found && bpe->unknown < 0) bpe->unknown = CI_BPE_MISSING;
  status = ci_bpe_finish(bpe, source->folder, err);
  t->base_size = t->vocabulary.count;
  if (!status) status = ci_tokenizer_add_tokens(t, source, true, err);
  if (!status) status = open_stage(&p->normalizers, &ci_normalizers, "BertNormalizer", source->folder, err);
  if (!status) status = open_stage(&p->pre_tokenizers, &ci_pre_tokenizers, "BertPreTokenizer", source->folder, err);
  if (!status) status = open_stage(&p->decoders, &ci_decoders, "BPEDecoder", source->folder, err);
  return status ? status : ci_pipeline_finish(t, err);
}

const ci_tokenizer_kind ci_tokenizer_openai_gpt = {
    .files = {"vocab.json", "merges.txt"},
    .classes = " OpenAIGPTTokenizer ",
    .fallback_class = "",
    .open = open_openai_gpt,
    .close = ci_pipeline_close,
    .encode = ci_pipeline_encode,
    .decode = ci_pipeline_decode,
    .to_text = ci_pipeline_to_text,
};
