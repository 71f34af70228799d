/* GPT-2's layout: vocab.json ({"token": id}) and merges.txt (a heading, then "left right" a line, the earliest first).
 * transformers turns it into a fast tokenizer with the ByteLevel parts; so does this. */
#include "base/memory.h"
#include "tokenizers/bpe.h"
#include "tokenizers/merges.h"
#include "tokenizers/pipeline.h"
#include "tokenizers/scan.h"

static ci_status open_parts(ci_pipeline *p, const ci_tokenizer_source *source, ci_error *err) {
  bool prefix;
  ci_status status = ci_source_flag(source, "add_prefix_space", false, &prefix, err);
  if (status) return status;
  json_t *settings = json_pack("{s:s, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", prefix, "use_regex", 1);
  if (!settings) return ci_fail_memory(err);
  status = ci_stage_open(&p->pre_tokenizers, &ci_pre_tokenizers, settings, source->folder, err);
  if (!status) status = ci_stage_open(&p->decoders, &ci_decoders, settings, source->folder, err);
  json_decref(settings);
  return status;
}

static ci_status open_byte_level_bpe(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  if (!source->row.byte_level)
    return ci_fail(
        err, CI_EFILE, source->folder,
        "vocab.json and merges.txt of a %s cannot be read; a tokenizer.json (save_pretrained of its fast class) can",
        source->class_name);
  ci_pipeline *p = t->state = ci_alloc_zeroed(1, sizeof *p);
  if (!p) return ci_fail_memory(err);
  ci_bpe *bpe = ci_alloc_zeroed(1, sizeof *bpe);
  if (!bpe) return ci_fail_memory(err);
  p->model = (ci_token_model){&ci_token_model_bpe, bpe};
  bpe->vocabulary = &t->vocabulary;
  bpe->unknown = CI_BPE_DROP;
  ci_status status = ci_scan_vocabulary_file(source->folder, "vocab.json", &t->vocabulary, err);
  if (!status) status = ci_read_gpt_merges(source->folder, bpe, err);
  if (!status) status = ci_bpe_finish(bpe, source->folder, err);
  t->base_size = t->vocabulary.count;
  bool bos = false;
  if (!status) status = ci_tokenizer_add_tokens(t, source, true, err);
  if (!status) status = open_parts(p, source, err);
  if (!status) status = ci_source_flag(source, "add_bos_token", false, &bos, err);
  if (!status) status = ci_pipeline_wrap(t, source, bos, false, err);
  return status ? status : ci_pipeline_finish(t, err);
}

const ci_tokenizer_kind ci_tokenizer_byte_level_bpe = {
    .files = {"vocab.json", "merges.txt"},
    .fallback_class = "GPT2Tokenizer",
    .open = open_byte_level_bpe,
    .close = ci_pipeline_close,
    .encode = ci_pipeline_encode,
    .decode = ci_pipeline_decode,
    .to_text = ci_pipeline_to_text,
};
