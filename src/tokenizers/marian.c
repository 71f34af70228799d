/* MarianTokenizer (transformers has only a slow one): two SentencePiece models cut source and target into pieces, whose
 * ids stand in vocab.json. A text may begin with a language code, `>>fra<<`, which is one token.
 * The Moses punctuation normaliser that the class sets up is never applied by it when encoding, so there is none here.
 */
#define _GNU_SOURCE /* memmem */
#include "base/file.h"
#include "base/memory.h"
#include "base/threads.h"
#include "tokenizers/scan.h"
#include "tokenizers/slow.h"
#include <string.h>

typedef struct {
  ci_spm *source, *target;
  ci_trie trie;
  ci_vocabulary target_vocabulary; /* with separate_vocabs: target_vocab.json; else empty */
  bool separate;
  char *unknown; /* unk_token */
} marian;

/* One side: where its pieces are looked up. */
typedef struct {
  const ci_spm *spm;
  const ci_vocabulary *vocabulary;
  int32_t unknown;
} side;

typedef struct {
  const side *side;
  ci_ids *ids;
  ci_error *err;
} sink;

static ci_status add_piece(const side *s, const char *text, size_t length, ci_ids *ids, ci_error *err) {
  int32_t id = ci_vocabulary_id(s->vocabulary, text, length);
  return ci_ids_add(ids, id < 0 ? s->unknown : id, err);
}

static ci_status take(void *context, ci_piece piece) {
  sink *to = context;
  return add_piece(to->side, piece.text, piece.length, to->ids, to->err);
}

static ci_status part(const ci_tokenizer *t, const void *context, const char *text, size_t length, ci_ids *ids,
                      ci_error *err) {
  (void)t;
  const side *s = context;
  if (length >= 2 && memcmp(text, ">>", 2) == 0) {
    const char *end = memmem(text, length, "<<", 2);
    if (end) {
      size_t code = (size_t)(end - text) + 2;
      ci_status status = add_piece(s, text, code, ids, err);
      if (status) return status;
      text += code;
      length -= code;
    }
  }
  sink to = {s, ids, err};
  return ci_spm_encode(s->spm, text, length, take, &to, err);
}

static ci_status encode(const ci_tokenizer *t, const char *text, size_t length, unsigned flags, ci_ids *ids,
                        ci_error *err) {
  const marian *m = t->state;
  side s = {m->source, &t->vocabulary, t->facts.unk};
  if (flags & CI_ENCODE_TARGET) {
    s.spm = m->target;
    if (m->separate) {
      s.vocabulary = &m->target_vocabulary;
      s.unknown = ci_vocabulary_id(s.vocabulary, m->unknown, strlen(m->unknown));
    }
  }
  ci_status status = ci_slow_encode(t, &m->trie, text, length, part, &s, ids, err);
  return !status && flags & CI_ENCODE_SPECIAL ? ci_ids_add(ids, t->facts.eos, err) : status;
}

/* Appends text with Marian's word mark as a space. */
static void add_with_spaces(ci_text *out, const char *text, size_t length) {
  static const char mark[] = "\xE2\x96\x81";
  for (size_t at = 0; at < length;) {
    const char *found = memmem(text + at, length - at, mark, 3);
    size_t end = found ? (size_t)(found - text) : length;
    ci_text_add_n(out, text + at, end - at);
    if (found) ci_text_add(out, " ");
    at = found ? end + 3 : length;
  }
}

/* convert_tokens_to_string: special tokens stand apart, the rest is the target model's to decode. */
static ci_status join(const ci_tokenizer *t, ci_piece *tokens, size_t count, ci_text *text, ci_error *err) {
  const marian *m = t->state;
  ci_text joined = {0}, spaced = {0};
  ci_status status = CI_OK;
  for (size_t start = 0, end; start < count && !status; start = end + 1) {
    for (end = start; end < count && !ci_slow_is_special(t, tokens[end]);) end++;
    status = ci_spm_decode(m->target, tokens + start, end - start, &joined, err);
    if (end == count) break;
    ci_text_add_n(&joined, tokens[end].text, tokens[end].length);
    ci_text_add(&joined, " ");
  }
  if (joined.data) add_with_spaces(&spaced, joined.data, joined.length);
  if (spaced.data) ci_slow_add_stripped(text, spaced.data, spaced.length);
  if (joined.failed || spaced.failed) text->failed = true;
  ci_text_free(&joined);
  ci_text_free(&spaced);
  return status;
}

/* With separate_vocabs every id that is no added token's reads as the target's token, as in the class. */
static const char *token_of(const ci_tokenizer *t, int32_t id, size_t *length) {
  const marian *m = t->state;
  if (!m->separate) return ci_vocabulary_text(&t->vocabulary, id, length);
  return ci_slow_target_token(t, &m->target_vocabulary, id, length);
}

static ci_status decode(const ci_tokenizer *t, const int32_t *ids, size_t count, bool skip_special, ci_text *text,
                        ci_error *err) {
  const marian *m = t->state;
  return ci_slow_decode(t, ids, count, skip_special, true, m->unknown, join, text, err);
}

static ci_status to_text(const ci_tokenizer *t, const char *token, ci_text *text, ci_error *err) {
  return ci_slow_to_text(t, token, join, text, err);
}

static void close_marian(void *state) {
  marian *m = state;
  ci_spm_close(m->source);
  ci_spm_close(m->target);
  ci_trie_free(&m->trie);
  ci_vocabulary_free(&m->target_vocabulary);
  ci_free(m->unknown);
  ci_free(m);
}

/* The three long reads: the source's model, the target's, the vocabulary. */
typedef struct {
  const ci_tokenizer_source *source;
  ci_tokenizer *tokenizer;
  ci_status status[3];
  ci_error errors[3];
} reading;

static ci_status open_side(const ci_tokenizer_source *source, const char *name, ci_spm **spm, ci_error *err) {
  char *path = ci_join_path(source->folder, name);
  ci_status status = path ? ci_spm_open(path, true, spm, err) : ci_fail_memory(err);
  ci_free(path);
  return status;
}

static void read_one(void *context, size_t which, int thread) {
  (void)thread;
  reading *r = context;
  marian *m = r->tokenizer->state;
  ci_error *err = &r->errors[which];
  if (which == 0) r->status[0] = open_side(r->source, "source.spm", &m->source, err);
  if (which == 1) r->status[1] = open_side(r->source, "target.spm", &m->target, err);
  if (which == 2)
    r->status[2] = ci_scan_vocabulary_file(r->source->folder, "vocab.json", &r->tokenizer->vocabulary, err);
}

/* At the same time: libsentencepiece takes 25 ms for a model of 32,000 pieces. */
static ci_status read_files(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  reading r = {.source = source, .tokenizer = t};
  ci_pool *pool;
  ci_status status = ci_pool_create(2, &pool, err);
  if (status) return status;
  ci_pool_run(pool, 3, read_one, &r);
  ci_pool_close(pool);
  for (int i = 0; i < 3; i++) {
    if (!r.status[i]) continue;
    if (err) *err = r.errors[i];
    return r.status[i];
  }
  return CI_OK;
}

/* The class insists on these two, and so does encoding. */
static ci_status require_token(const ci_tokenizer *t, const ci_tokenizer_source *source, const char *role,
                               ci_error *err) {
  ci_added_token token;
  bool found;
  ci_status status = ci_source_special(source, role, &found, &token, err);
  if (status) return status;
  if (!found) return ci_fail(err, CI_EFILE, source->config_path, "\"%s\" is null, expected a token", role);
  if (ci_vocabulary_id(&t->vocabulary, token.content, token.length) < 0)
    return ci_fail(err, CI_EFILE, source->folder, "vocab.json lacks %s, the %s", token.content, role);
  return CI_OK;
}

static ci_status open_marian(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  marian *m = t->state = ci_alloc_zeroed(1, sizeof *m);
  if (!m) return ci_fail_memory(err);
  ci_status status = read_files(t, source, err);
  t->base_size = t->vocabulary.count;
  if (!status) status = ci_source_flag(source, "separate_vocabs", false, &m->separate, err);
  if (!status && m->separate)
    status = ci_scan_vocabulary_file(source->folder, "target_vocab.json", &m->target_vocabulary, err);
  if (!status) status = require_token(t, source, "unk_token", err);
  if (!status) status = require_token(t, source, "pad_token", err);
  if (!status) status = ci_tokenizer_add_tokens(t, source, true, err);
  if (!status) status = require_token(t, source, "eos_token", err);
  if (!status) status = ci_slow_trie(t, &m->trie, err);
  if (status) return status;
  ci_added_token unknown;
  bool found;
  status = ci_source_special(source, "unk_token", &found, &unknown, err);
  if (status) return status;
  m->unknown = ci_duplicate_n(unknown.content, unknown.length);
  if (!m->unknown) return ci_fail_memory(err);
  if (m->separate && ci_vocabulary_id(&m->target_vocabulary, m->unknown, strlen(m->unknown)) < 0)
    return ci_fail(err, CI_EFILE, source->folder, "target_vocab.json lacks %s, the unk_token", m->unknown);
  return CI_OK;
}

const ci_tokenizer_kind ci_tokenizer_marian = {
    .files = {"source.spm", "target.spm", "vocab.json"},
    .fallback_class = "MarianTokenizer",
    .open = open_marian,
    .close = close_marian,
    .encode = encode,
    .decode = decode,
    .to_text = to_text,
    .token = token_of,
};
