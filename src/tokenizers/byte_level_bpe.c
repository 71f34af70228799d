/* GPT-2's layout: vocab.json ({"token": id}) and merges.txt (a heading, then "left right" a line, the earliest first).
 * transformers turns it into a fast tokenizer with the ByteLevel parts; so does this. */
#include "base/file.h"
#include "base/memory.h"
#include "tokenizers/bpe.h"
#include "tokenizers/pipeline.h"
#include "tokenizers/scan.h"
#include <string.h>

static bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* One line, [at, end): two words. */
static ci_status add_line(ci_bpe *bpe, const char *path, const char *at, const char *end, size_t line, ci_error *err) {
  const char *words[2] = {0}, *ends[2] = {0};
  size_t count = 0;
  while (at < end) {
    while (at < end && is_blank(*at)) at++;
    if (at == end) break;
    const char *start = at;
    while (at < end && !is_blank(*at)) at++;
    if (count < 2) {
      words[count] = start;
      ends[count] = at;
    }
    count++;
  }
  if (count != 2) return ci_fail(err, CI_EFILE, path, "line %zu has %zu words, expected 2", line, count);
  return ci_bpe_add_merge(bpe, path, words[0], (size_t)(ends[0] - words[0]), words[1], (size_t)(ends[1] - words[1]),
                          false, err);
}

/* As Python's read().split("\n")[1:-1]: the first line is the heading, and what follows the last newline does not
 * count. */
static ci_status read_merges(ci_bpe *bpe, const char *path, ci_error *err) {
  ci_mapping file;
  ci_status status = ci_map_file(path, &file, err);
  if (status) return status;
  const char *bytes = (const char *)file.bytes;
  if (file.length && !ci_utf8_valid(bytes, file.length)) status = ci_fail(err, CI_EFILE, path, "is not UTF-8");
  size_t line = 0;
  for (size_t at = 0; at < file.length && !status; line++) {
    const char *end = memchr(bytes + at, '\n', file.length - at);
    if (!end) break;
    if (line) status = add_line(bpe, path, bytes + at, end, line + 1, err);
    at = (size_t)(end - bytes) + 1;
  }
  ci_unmap_file(&file);
  return status;
}

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
  char *merges = ci_join_path(source->folder, "merges.txt");
  if (!status) status = merges ? read_merges(bpe, merges, err) : ci_fail_memory(err);
  ci_free(merges);
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
