/* BioGptTokenizer and FSMTTokenizer, which transformers has as slow classes only: Moses' words, each cut by BPE. FSMT
 * has two vocabularies; which one and whose rules a text needs depends on the side it is on. Follows
 * models/biogpt/tokenization_biogpt.py and models/fsmt/tokenization_fsmt.py of transformers 4.57.6. */
#include "base/memory.h"
#include "tokenizers/bpe.h"
#include "tokenizers/language_ends.h"
#include "tokenizers/merges.h"
#include "tokenizers/moses.h"
#include "tokenizers/scan.h"
#include "tokenizers/slow.h"
#include <string.h>

/* A side's vocabulary and language. */
typedef struct {
  ci_moses moses;
  ci_vocabulary *vocabulary;
  int32_t *ids;    /* [symbols.limit] of the symbols; those without one are unk_token */
  int32_t unknown; /* id */
} side;

typedef struct {
  ci_vocabulary symbols; /* all that merges make, and both vocabularies: merges may make what is in neither */
  ci_bpe bpe;            /* over them */
  ci_trie trie;
  side sides[2]; /* of a text, of a target text and of decoded text */
  size_t count;  /* of the sides */
  ci_vocabulary target_vocabulary;
  bool normalize, lower;
  ci_ends ends;
  char *unknown; /* unk_token */
} moses_bpe;

static ci_status add_word(const moses_bpe *m, const side *s, const char *word, size_t length, ci_ids *symbols,
                          ci_ids *ids, ci_error *err) {
  symbols->count = 0;
  ci_status status = ci_bpe_encode(&m->bpe, word, length, symbols, err);
  for (size_t i = 0; i < symbols->count && !status; i++) {
    int32_t symbol = symbols->items[i];
    status = ci_ids_add(ids, (size_t)symbol < m->symbols.limit ? s->ids[symbol] : s->unknown, err);
  }
  return status;
}

static ci_status part(const ci_tokenizer *t, const void *context, const char *text, size_t length, ci_ids *ids,
                      ci_error *err) {
  const moses_bpe *m = t->state;
  const side *s = context;
  ci_text words = {0};
  ci_ids symbols = {0};
  ci_text_add_n(&words, text, length);
  ci_status status = words.failed ? ci_fail_memory(err) : CI_OK;
  if (!status && m->normalize) status = ci_moses_normalize(&s->moses, &words, err);
  if (!status) status = ci_moses_tokenize(&s->moses, &words, err);
  for (size_t at = 0; at < words.length && !status;) {
    const char *end = memchr(words.data + at, ' ', words.length - at);
    size_t n = end ? (size_t)(end - words.data) - at : words.length - at;
    if (n) status = add_word(m, s, words.data + at, n, &symbols, ids, err);
    at += n + 1;
  }
  ci_ids_free(&symbols);
  ci_text_free(&words);
  return status;
}

static ci_status encode(const ci_tokenizer *t, const char *text, size_t length, unsigned flags, ci_ids *ids,
                        ci_error *err) {
  const moses_bpe *m = t->state;
  const side *s = &m->sides[flags & CI_ENCODE_TARGET && m->count > 1];
  bool special = flags & CI_ENCODE_SPECIAL;
  ci_text lowered = {0};
  ci_status status = special ? ci_ends_add(&m->ends.before[0], ids, err) : CI_OK;
  if (!status && m->lower) {
    ci_text_add(&lowered, "");
    status = ci_slow_lower(t, &m->trie, text, length, &lowered, err);
    text = lowered.data;
    length = lowered.length;
  }
  if (!status) status = ci_slow_encode(t, &m->trie, text, length, part, s, ids, err);
  ci_text_free(&lowered);
  return !status && special ? ci_ends_add(&m->ends.after[0], ids, err) : status;
}

/* convert_tokens_to_string */
static ci_status join(const ci_tokenizer *t, ci_piece *tokens, size_t count, ci_text *text, ci_error *err) {
  static const char suffix[] = "</w>";
  const moses_bpe *m = t->state;
  ci_text joined = {0};
  ci_text_add(&joined, "");
  for (size_t i = 0; i < count; i++) {
    const ci_piece *token = &tokens[i];
    for (size_t at = 0; at < token->length;) {
      bool ends = token->length - at >= 4 && memcmp(token->text + at, suffix, 4) == 0;
      if (ends || token->text[at] != ' ') ci_text_add_n(&joined, ends ? " " : token->text + at, 1);
      at += ends ? 4 : 1;
    }
  }
  ci_status status = joined.failed ? ci_fail_memory(err) : CI_OK;
  if (!status) status = ci_moses_detokenize(&m->sides[m->count - 1].moses, &joined, err);
  if (!status) ci_text_add_n(text, joined.data, joined.length);
  ci_text_free(&joined);
  return status;
}

static ci_status decode(const ci_tokenizer *t, const int32_t *ids, size_t count, bool skip_special, ci_text *text,
                        ci_error *err) {
  return ci_slow_decode(t, ids, count, skip_special, true, ((const moses_bpe *)t->state)->unknown, join, text, err);
}

static ci_status to_text(const ci_tokenizer *t, const char *token, ci_text *text, ci_error *err) {
  return ci_slow_to_text(t, token, join, text, err);
}

static const char *token_of(const ci_tokenizer *t, int32_t id, size_t *length) {
  const moses_bpe *m = t->state;
  return ci_slow_target_token(t, m->sides[m->count - 1].vocabulary, id, length);
}

static void close_moses_bpe(void *state) {
  moses_bpe *m = state;
  for (size_t i = 0; i < 2; i++) {
    ci_moses_close(&m->sides[i].moses);
    ci_free(m->sides[i].ids);
  }
  ci_bpe_free(&m->bpe);
  ci_vocabulary_free(&m->symbols);
  ci_vocabulary_free(&m->target_vocabulary);
  ci_trie_free(&m->trie);
  ci_ends_free(&m->ends);
  ci_free(m->unknown);
  ci_free(m);
}

static ci_status add_symbol(ci_vocabulary *symbols, const char *where, const char *text, size_t length, ci_error *err) {
  if (ci_vocabulary_id(symbols, text, length) >= 0) return CI_OK;
  return ci_vocabulary_add(symbols, where, text, length, (int64_t)symbols->count, err);
}

/* Lines with fewer than two words merge nothing, as in the classes. Of equal merges the last counts. */
static ci_status take_merge(void *context, const char *where, size_t line, const ci_piece words[2], size_t count,
                            ci_error *err) {
  moses_bpe *m = context;
  ci_text sum = {0};
  (void)line;
  if (count < 2) return CI_OK;
  ci_text_add_n(&sum, words[0].text, words[0].length);
  ci_text_add_n(&sum, words[1].text, words[1].length);
  ci_status status = sum.failed ? ci_fail_memory(err) : CI_OK;
  for (int i = 0; i < 2 && !status; i++) status = add_symbol(&m->symbols, where, words[i].text, words[i].length, err);
  if (!status) status = add_symbol(&m->symbols, where, sum.data, sum.length, err);
  if (!status)
    status =
        ci_bpe_add_merge(&m->bpe, where, words[0].text, words[0].length, words[1].text, words[1].length, true, err);
  ci_text_free(&sum);
  return status;
}

/* Before tokens are added: they are no symbols. */
static ci_status read_bpe(moses_bpe *m, const ci_tokenizer_source *source, ci_error *err) {
  ci_status status = CI_OK;
  for (size_t i = 0; i < m->count && !status; i++) {
    const ci_vocabulary *v = m->sides[i].vocabulary;
    for (size_t j = 0; j < v->count && !status; j++)
      status = add_symbol(&m->symbols, source->folder, v->bytes + v->entries[j].offset, v->entries[j].length, err);
  }
  m->bpe.vocabulary = &m->symbols;
  m->bpe.suffix = ci_duplicate("</w>");
  if (!m->bpe.suffix) return ci_fail_memory(err);
  if (!status) status = ci_read_merges(source->folder, false, take_merge, m, err);
  m->bpe.unknown = (int32_t)m->symbols.limit; /* no symbol */
  return status ? status : ci_bpe_finish(&m->bpe, source->folder, err);
}

/* What symbols are on each side. */
static ci_status number_symbols(moses_bpe *m, const ci_tokenizer_source *source, ci_error *err) {
  ci_added_token unknown;
  bool found;
  ci_status status = ci_source_special(source, "unk_token", &found, &unknown, err);
  if (!status && !found)
    status = ci_fail(err, CI_EFILE, source->config_path, "\"unk_token\" is null, expected a token");
  if (status) return status;
  m->unknown = ci_duplicate_n(unknown.content, unknown.length);
  if (!m->unknown) return ci_fail_memory(err);
  for (size_t i = 0; i < m->count; i++) {
    side *s = &m->sides[i];
    s->unknown = ci_vocabulary_id(s->vocabulary, unknown.content, unknown.length);
    if (s->unknown < 0)
      return ci_fail(err, CI_EFILE, source->folder, "the vocabulary lacks %.40s, the unk_token", unknown.content);
    s->ids = ci_alloc(m->symbols.limit, sizeof *s->ids);
    if (!s->ids) return ci_fail_memory(err);
    for (size_t symbol = 0; symbol < m->symbols.limit; symbol++) {
      size_t length;
      const char *text = ci_vocabulary_text(&m->symbols, (int32_t)symbol, &length);
      int32_t id = ci_vocabulary_id(s->vocabulary, text, length);
      s->ids[symbol] = id < 0 ? s->unknown : id;
    }
  }
  return CI_OK;
}

/* After the files' vocabularies are read. ends: sep_token goes before a text (0) or after it (1). */
static ci_status complete(ci_tokenizer *t, const ci_tokenizer_source *source, bool after, ci_error *err) {
  moses_bpe *m = t->state;
  ci_status status = read_bpe(m, source, err);
  if (!status) status = number_symbols(m, source, err);
  t->base_size = t->vocabulary.count;
  if (!status) status = ci_tokenizer_add_tokens(t, source, true, err);
  if (status) return status;
  int32_t id = ci_tokenizer_role(t, source, "sep_token");
  if (id < 0) return ci_fail(err, CI_EFILE, source->config_path, "there is no sep_token, which every text gets");
  status = ci_ids_add(after ? &m->ends.after[0] : &m->ends.before[0], id, err);
  return status ? status : ci_slow_trie(t, &m->trie, err);
}

static ci_status open_biogpt(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  moses_bpe *m = t->state = ci_alloc_zeroed(1, sizeof *m);
  if (!m) return ci_fail_memory(err);
  m->count = 1;
  m->sides[0].vocabulary = &t->vocabulary;
  ci_status status = ci_moses_open(&m->sides[0].moses, "en", source->folder, err);
  if (!status) status = ci_scan_vocabulary_file(source->folder, "vocab.json", &t->vocabulary, err);
  return status ? status : complete(t, source, false, err);
}

static ci_status open_fsmt(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  const json_t *langs = json_object_get(source->settings, "langs");
  moses_bpe *m = t->state = ci_alloc_zeroed(1, sizeof *m);
  if (!m) return ci_fail_memory(err);
  m->count = 2;
  m->normalize = true;
  m->sides[0].vocabulary = &t->vocabulary;
  m->sides[1].vocabulary = &m->target_vocabulary;
  if (json_array_size(langs) != 2 || !json_is_string(json_array_get(langs, 0)) ||
      !json_is_string(json_array_get(langs, 1)))
    return ci_fail(err, CI_EFILE, source->config_path,
                   "\"langs\" is not a list of two languages, such as [\"en\", \"ru\"]");
  ci_status status = ci_source_flag(source, "do_lower_case", false, &m->lower, err);
  for (size_t i = 0; i < 2 && !status; i++)
    status = ci_moses_open(&m->sides[i].moses, json_string_value(json_array_get(langs, i)), source->config_path, err);
  if (!status) status = ci_scan_vocabulary_file(source->folder, "vocab-src.json", &t->vocabulary, err);
  if (!status) status = ci_scan_vocabulary_file(source->folder, "vocab-tgt.json", &m->target_vocabulary, err);
  return status ? status : complete(t, source, true, err);
}

const ci_tokenizer_kind ci_tokenizer_biogpt = {
    .files = {"vocab.json", "merges.txt"},
    .classes = " BioGptTokenizer ",
    .fallback_class = "",
    .open = open_biogpt,
    .close = close_moses_bpe,
    .encode = encode,
    .decode = decode,
    .to_text = to_text,
};

const ci_tokenizer_kind ci_tokenizer_fsmt = {
    .files = {"vocab-src.json", "vocab-tgt.json", "merges.txt"},
    .classes = " FSMTTokenizer ",
    .fallback_class = "FSMTTokenizer",
    .open = open_fsmt,
    .close = close_moses_bpe,
    .encode = encode,
    .decode = decode,
    .to_text = to_text,
    .token = token_of,
};
