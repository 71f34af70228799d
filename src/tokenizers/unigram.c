/* Unigram: the segmentation of a word with the largest sum of scores (Kudo 2018, "Subword regularization"), found from
 * left to right over the bytes of the word. Follows the tokenizers library 0.22: a character without a token of its own
 * scores 10 below the lowest score, runs of them are one unknown token or, with byte_fallback, their bytes.
 *   {"vocab": [["token", score], ...], "unk_id": n or null, "byte_fallback": false} */
#include "base/memory.h"
#include "tokenizers/token_model.h"
#include "tokenizers/trie.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double unknown_penalty = 10;

typedef struct {
  const ci_vocabulary *vocabulary;
  ci_trie trie;   /* of the tokens; values are ids */
  double *scores; /* [count] by id */
  size_t count, capacity;
  double unknown_score;
  int32_t unknown;    /* -1: there is none */
  int32_t bytes[256]; /* <0x00> ...; all -1 without byte_fallback */
} unigram;

typedef struct {
  unigram *model;
  ci_vocabulary *vocabulary;
  const char *where;
} reading;

/* The best way to the byte before which it stands. */
typedef struct {
  double score;
  int32_t id;
  uint32_t start; /* of the way's last token; UNREACHED */
} step;

enum { ON_STACK = 256 };
static const uint32_t UNREACHED = UINT32_MAX;

static ci_status take(void *context, const char *token, size_t length, double score, ci_error *err) {
  const reading *r = context;
  unigram *u = r->model;
  if (ci_reserve((void **)&u->scores, &u->capacity, u->count + 1, sizeof *u->scores)) return ci_fail_memory(err);
  u->scores[u->count] = score;
  if (score - unknown_penalty < u->unknown_score) u->unknown_score = score - unknown_penalty;
  ci_status status = ci_vocabulary_add(r->vocabulary, r->where, token, length, (int64_t)u->count, err);
  if (!status) status = ci_trie_add(&u->trie, token, length, (uint32_t)u->count, err);
  u->count++;
  return status;
}

static ci_status open_unigram(void *state, ci_tokenizer *t, const ci_document *d, ci_error *err) {
  unigram *u = state;
  *u = (unigram){.vocabulary = &t->vocabulary, .unknown_score = INFINITY};
  const json_t *model = ci_document_model(d);
  bool byte_fallback;
  int64_t unknown;
  ci_scan scan = ci_document_scan(d, d->vocab);
  ci_status status = ci_scan_scores(&scan, take, &(reading){u, &t->vocabulary, d->path}, err);
  t->base_size = u->count;
  if (!status) status = ci_json_get_bool(model, d->path, "byte_fallback", false, &byte_fallback, err);
  if (!status)
    status = ci_json_get_int(model, d->path, "unk_id", -1, u->count ? -1 : 0, (int64_t)u->count - 1, &unknown, err);
  if (status) return status;
  u->unknown = (int32_t)unknown;
  ci_vocabulary_bytes(&t->vocabulary, byte_fallback, u->bytes);
  return CI_OK;
}

static void close_unigram(void *state) {
  unigram *u = state;
  ci_trie_free(&u->trie);
  ci_free(u->scores);
}

static size_t character_length(const char *word, size_t at, size_t length) {
  size_t n = 1;
  while (at + n < length && ((unsigned char)word[at + n] & 0xC0) == 0x80) n++;
  return n;
}

static void improve(step *to, double score, int32_t id, size_t start) {
  if (to->start == UNREACHED || score > to->score) *to = (step){score, id, (uint32_t)start};
}

/* best[i]: the best way over word[0..i). */
static ci_status find_best(const unigram *u, const char *word, size_t length, step *best, ci_error *err) {
  for (size_t i = 0; i <= length; i++) best[i] = (step){0, -1, UNREACHED};
  for (size_t at = 0; at < length;) {
    size_t next = at + character_length(word, at, length);
    double score = best[at].score;
    bool single = false;
    uint32_t node = 0;
    for (size_t i = at; i < length && (node = ci_trie_step(&u->trie, node, (unsigned char)word[i])); i++) {
      if (!u->trie.nodes[node].value) continue;
      uint32_t id = u->trie.nodes[node].value - 1;
      improve(&best[i + 1], u->scores[id] + score, (int32_t)id, at);
      single = single || i + 1 == next;
    }
    if (!single) {
      improve(&best[next], u->unknown_score + score, u->unknown, at);
      if (best[next].start == at && best[next].id < 0)
        return ci_fail(err, CI_EINVAL, NULL, "the tokenizer has no token for \"%.*s\", and none for what is unknown",
                       (int)(next - at), word + at);
    }
    at = next;
  }
  return CI_OK;
}

/* A run of unknown characters: the token that it is by chance, its bytes, or the unknown token. */
static ci_status add_unknown(const unigram *u, const char *text, size_t length, ci_ids *ids, ci_error *err) {
  int32_t id = ci_vocabulary_id(u->vocabulary, text, length);
  if (id >= 0 && (size_t)id < u->count) return ci_ids_add(ids, id, err);
  bool bytes = true;
  for (size_t i = 0; i < length && bytes; i++) bytes = u->bytes[(unsigned char)text[i]] >= 0;
  if (!bytes) return ci_ids_add(ids, u->unknown, err);
  ci_status status = CI_OK;
  for (size_t i = 0; i < length && !status; i++) status = ci_ids_add(ids, u->bytes[(unsigned char)text[i]], err);
  return status;
}

/* The way back from the end is turned round in place: best[start] becomes the step that begins there. */
static ci_status add_way(const unigram *u, const char *word, size_t length, step *best, ci_ids *ids, ci_error *err) {
  step now = best[length];
  for (size_t end = length; end > 0;) {
    size_t start = now.start;
    step before = best[start];
    best[start] = (step){0, now.id, (uint32_t)end};
    now = before;
    end = start;
  }
  ci_status status = CI_OK;
  for (size_t at = 0, end; at < length && !status; at = end) {
    int32_t id = best[at].id;
    end = best[at].start;
    while (id == u->unknown && end < length && best[end].id == u->unknown) end = best[end].start;
    status = id == u->unknown ? add_unknown(u, word + at, end - at, ids, err) : ci_ids_add(ids, id, err);
  }
  return status;
}

static ci_status encode_unigram(const void *state, const char *word, size_t length, ci_ids *ids, ci_error *err) {
  const unigram *u = state;
  step stack[ON_STACK], *best = stack;
  if (length >= INT32_MAX) return ci_fail(err, CI_EINVAL, NULL, "a text of %zu bytes is too long to tokenize", length);
  if (length >= ON_STACK && !(best = ci_alloc(length + 1, sizeof *best))) return ci_fail_memory(err);
  ci_status status = find_best(u, word, length, best, err);
  if (!status) status = add_way(u, word, length, best, ids, err);
  if (best != stack) ci_free(best);
  return status;
}

const ci_token_model_kind ci_token_model_unigram = {.type = "Unigram",
                                                    .keys = {"vocab"},
                                                    .size = sizeof(unigram),
                                                    .open = open_unigram,
                                                    .close = close_unigram,
                                                    .encode = encode_unigram};
