/* See bpe.h. Follows the BPE model of the tokenizers library 0.22; the heap of candidate merges with a linked list of
 * symbols makes it O(n log n) in the length of a word. */
#include "tokenizers/bpe.h"
#include "base/memory.h"
#include <string.h>

typedef struct {
  int32_t id;
  int32_t previous, next; /* -1: none */
  bool gone;              /* merged into the one before */
} symbol;

typedef struct {
  uint32_t rank, position;
  int32_t id; /* what the merge makes: a candidate is stale when its neighbours have changed */
} candidate;

/* One word. Its memory is on the stack when it is short. */
typedef struct {
  symbol *symbols; /* [capacity] */
  size_t count, capacity;
  candidate *heap; /* [3 * capacity]: a pair of neighbours at first, and two for every merge */
  size_t heap_count;
} work;

enum { SHORT_WORD = 48 };

uint32_t ci_byte_letter(unsigned char byte) {
  if ((byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE) return byte;
  /* The others follow from U+0100 on, in order: 0x00-0x20, 0x7F-0xA0, 0xAD. */
  if (byte <= 0x20) return 0x100u + byte;
  return byte == 0xAD ? 0x143 : 0x100u + 33 + (byte - 0x7Fu);
}

int ci_letter_byte(uint32_t c) {
  if (c < 0x100) return ci_byte_letter((unsigned char)c) == c ? (int)c : -1;
  if (c <= 0x120) return (int)(c - 0x100);
  if (c < 0x143) return (int)(c - 0x121 + 0x7F);
  return c == 0x143 ? 0xAD : -1;
}

static size_t slot_of(const ci_bpe_merge *merges, size_t slots, uint64_t key) {
  size_t slot = (size_t)((key * 0x9E3779B97F4A7C15u) >> 32) & (slots - 1);
  while (merges[slot].id >= 0 && merges[slot].key != key) slot = (slot + 1) & (slots - 1);
  return slot;
}

static int grow(ci_bpe *bpe) {
  if (bpe->merge_count * 2 < bpe->slots) return 0;
  size_t slots = bpe->slots ? bpe->slots * 2 : 4096;
  ci_bpe_merge *merges = ci_alloc(slots, sizeof *merges);
  if (!merges) return -1;
  for (size_t i = 0; i < slots; i++) merges[i].id = -1;
  for (size_t i = 0; i < bpe->slots; i++)
    if (bpe->merges[i].id >= 0) merges[slot_of(merges, slots, bpe->merges[i].key)] = bpe->merges[i];
  ci_free(bpe->merges);
  bpe->merges = merges;
  bpe->slots = slots;
  return 0;
}

static const ci_bpe_merge *find_merge(const ci_bpe *bpe, int32_t a, int32_t b) {
  if (!bpe->slots || a < 0 || b < 0) return NULL;
  const ci_bpe_merge *found = &bpe->merges[slot_of(bpe->merges, bpe->slots, (uint64_t)a << 32 | (uint32_t)b)];
  return found->id >= 0 ? found : NULL;
}

/* The id of a + b, the continuing prefix of b left out; -1: not in the vocabulary. */
static int32_t id_of_sum(const ci_bpe *bpe, const char *a, size_t a_length, const char *b, size_t b_length) {
  size_t drop = bpe->prefix ? strlen(bpe->prefix) : 0;
  if (drop > b_length) return -1;
  char small[256], *sum = small;
  size_t length = a_length + b_length - drop;
  if (length > sizeof small && !(sum = ci_alloc(length, 1))) return -1;
  memcpy(sum, a, a_length);
  memcpy(sum + a_length, b + drop, b_length - drop);
  int32_t id = ci_vocabulary_id(bpe->vocabulary, sum, length);
  if (sum != small) ci_free(sum);
  return id;
}

ci_status ci_bpe_add_merge(ci_bpe *bpe, const char *where, const char *a, size_t a_length, const char *b,
                           size_t b_length, bool replace, ci_error *err) {
  int32_t left = ci_vocabulary_id(bpe->vocabulary, a, a_length), right = ci_vocabulary_id(bpe->vocabulary, b, b_length);
  int32_t sum = id_of_sum(bpe, a, a_length, b, b_length);
  if (left < 0 || right < 0 || sum < 0)
    return ci_fail(err, CI_EFILE, where, "merge %u, \"%.*s\" with \"%.*s\": %s is not in the vocabulary",
                   bpe->next_rank + 1, (int)(a_length < 40 ? a_length : 40), a, (int)(b_length < 40 ? b_length : 40), b,
                   left < 0    ? "the first"
                   : right < 0 ? "the second"
                               : "what they make");
  if (grow(bpe)) return ci_fail_memory(err);
  uint64_t key = (uint64_t)left << 32 | (uint32_t)right;
  ci_bpe_merge *merge = &bpe->merges[slot_of(bpe->merges, bpe->slots, key)];
  if (merge->id >= 0 && !replace) return CI_OK;
  if (merge->id < 0) bpe->merge_count++;
  *merge = (ci_bpe_merge){key, bpe->next_rank++, sum};
  return CI_OK;
}

ci_status ci_bpe_finish(ci_bpe *bpe, const char *where, ci_error *err) {
  bpe->limit = (int32_t)bpe->vocabulary->limit;
  for (uint32_t c = 0; c < CI_BPE_DIRECT; c++) {
    ci_text letter = {0};
    ci_text_add_codepoint(&letter, c);
    if (letter.failed) return ci_fail_memory(err);
    bpe->direct[c] = ci_vocabulary_id(bpe->vocabulary, letter.data, letter.length);
    ci_text_free(&letter);
  }
  ci_vocabulary_bytes(bpe->vocabulary, bpe->byte_fallback, bpe->bytes);
  if (bpe->vocabulary->count == 0) return ci_fail(err, CI_EFILE, where, "the vocabulary is empty");
  return CI_OK;
}

static int32_t own_id(const ci_bpe *bpe, const char *text, size_t length) {
  int32_t id = ci_vocabulary_id(bpe->vocabulary, text, length);
  return id < bpe->limit ? id : -1;
}

static void add_symbol(work *w, int32_t id) {
  w->symbols[w->count] = (symbol){id, (int32_t)w->count - 1, -1, false};
  if (w->count) w->symbols[w->count - 1].next = (int32_t)w->count;
  w->count++;
}

/* A character without a symbol: its bytes, when all of them have one. */
static bool add_bytes(const ci_bpe *bpe, work *w, const char *bytes, size_t n) {
  if (!bpe->byte_fallback) return false;
  for (size_t i = 0; i < n; i++)
    if (bpe->bytes[(unsigned char)bytes[i]] < 0) return false;
  for (size_t i = 0; i < n; i++) add_symbol(w, bpe->bytes[(unsigned char)bytes[i]]);
  return true;
}

/* The symbol of the character at word[at..at+n). *text: the character with the affixes of its place, in the buffer when
 * it has any. */
static int32_t symbol_of(const ci_bpe *bpe, const char *word, size_t length, size_t at, size_t n, uint32_t c,
                         ci_text *buffer, const char **text, size_t *text_length) {
  bool prefixed = at && bpe->prefix, suffixed = at + n == length && bpe->suffix;
  *text = word + at;
  *text_length = n;
  if (!prefixed && !suffixed) return c < CI_BPE_DIRECT ? bpe->direct[c] : own_id(bpe, word + at, n);
  buffer->length = 0;
  if (prefixed) ci_text_add(buffer, bpe->prefix);
  ci_text_add_n(buffer, word + at, n);
  if (suffixed) ci_text_add(buffer, bpe->suffix);
  if (buffer->failed) return -1;
  *text = buffer->data;
  *text_length = buffer->length;
  return own_id(bpe, *text, *text_length);
}

/* An unknown token waits until the next known character: bytes go before it, and what is unknown after them is fused
 * with it. So the tokenizers library has it. */
static ci_status add_characters(const ci_bpe *bpe, work *w, const char *word, size_t length, ci_error *err) {
  ci_text buffer = {0};
  bool waiting = false;
  ci_status status = CI_OK;
  for (size_t at = 0, n; at < length && !status; at += n) {
    uint32_t c;
    const char *text;
    size_t text_length;
    n = ci_utf8_next(word, length, at, &c);
    int32_t id = symbol_of(bpe, word, length, at, n, c, &buffer, &text, &text_length);
    if (buffer.failed) status = ci_fail_memory(err);
    if (id < 0 && (add_bytes(bpe, w, text, text_length) || bpe->unknown == CI_BPE_DROP)) continue;
    if (id < 0 && bpe->unknown == CI_BPE_MISSING)
      status = ci_fail(err, CI_EINVAL, NULL,
                       "the tokenizer has no token for \"%.*s\", and its unk_token is not in its vocabulary", (int)n,
                       word + at);
    if (waiting && (id >= 0 || !bpe->fuse_unknown)) add_symbol(w, bpe->unknown);
    waiting = id < 0;
    if (id >= 0) add_symbol(w, id);
  }
  if (waiting && !status) add_symbol(w, bpe->unknown);
  ci_text_free(&buffer);
  return status;
}

static bool comes_before(candidate a, candidate b) {
  return a.rank < b.rank || (a.rank == b.rank && a.position < b.position);
}

/* Puts the merge of the symbol at `position` with the next one on the heap, if there is one. */
static void push(const ci_bpe *bpe, work *w, int32_t position) {
  if (position < 0 || w->symbols[position].next < 0) return;
  const ci_bpe_merge *merge = find_merge(bpe, w->symbols[position].id, w->symbols[w->symbols[position].next].id);
  if (!merge) return;
  candidate added = {merge->rank, (uint32_t)position, merge->id};
  size_t at = w->heap_count++;
  for (; at && comes_before(added, w->heap[(at - 1) / 2]); at = (at - 1) / 2) w->heap[at] = w->heap[(at - 1) / 2];
  w->heap[at] = added;
}

static candidate pop(work *w) {
  candidate top = w->heap[0], last = w->heap[--w->heap_count];
  size_t at = 0;
  for (size_t child; (child = 2 * at + 1) < w->heap_count; at = child) {
    if (child + 1 < w->heap_count && comes_before(w->heap[child + 1], w->heap[child])) child++;
    if (!comes_before(w->heap[child], last)) break;
    w->heap[at] = w->heap[child];
  }
  w->heap[at] = last;
  return top;
}

static void merge_all(const ci_bpe *bpe, work *w) {
  for (size_t i = 0; i + 1 < w->count; i++) push(bpe, w, (int32_t)i);
  while (w->heap_count) {
    candidate top = pop(w);
    symbol *left = &w->symbols[top.position];
    if (left->gone || left->next < 0) continue;
    symbol *right = &w->symbols[left->next];
    const ci_bpe_merge *merge = find_merge(bpe, left->id, right->id);
    if (!merge || merge->id != top.id) continue;
    left->id = top.id;
    left->next = right->next;
    right->gone = true;
    if (right->next >= 0) w->symbols[right->next].previous = (int32_t)top.position;
    push(bpe, w, left->previous);
    push(bpe, w, (int32_t)top.position);
  }
}

static ci_status encode_with(const ci_bpe *bpe, work *w, const char *word, size_t length, ci_ids *ids, ci_error *err) {
  ci_status status = add_characters(bpe, w, word, length, err);
  if (status) return status;
  merge_all(bpe, w);
  for (int32_t i = w->count ? 0 : -1; i >= 0 && !status; i = w->symbols[i].next)
    status = ci_ids_add(ids, w->symbols[i].id, err);
  return status;
}

ci_status ci_bpe_encode(const ci_bpe *bpe, const char *word, size_t length, ci_ids *ids, ci_error *err) {
  if (bpe->ignore_merges) {
    int32_t whole = own_id(bpe, word, length);
    if (whole >= 0) return ci_ids_add(ids, whole, err);
  }
  /* At most as many symbols as bytes, those of the affixes included, and one for what is unknown. */
  size_t affixes = (bpe->prefix ? strlen(bpe->prefix) : 0) + (bpe->suffix ? strlen(bpe->suffix) : 0), capacity;
  if (__builtin_mul_overflow(length, affixes + 1, &capacity) || capacity >= INT32_MAX)
    return ci_fail(err, CI_EINVAL, NULL, "a text of %zu bytes is too long to tokenize", length);
  capacity++;
  if (capacity <= SHORT_WORD) {
    symbol symbols[SHORT_WORD];
    candidate heap[3 * SHORT_WORD];
    return encode_with(bpe, &(work){symbols, 0, capacity, heap, 0}, word, length, ids, err);
  }
  work w = {ci_alloc(capacity, sizeof *w.symbols), 0, capacity, ci_alloc(capacity, 3 * sizeof *w.heap), 0};
  ci_status status = w.symbols && w.heap ? encode_with(bpe, &w, word, length, ids, err) : ci_fail_memory(err);
  ci_free(w.symbols);
  ci_free(w.heap);
  return status;
}

void ci_bpe_free(ci_bpe *bpe) {
  ci_free(bpe->merges);
  ci_free(bpe->prefix);
  ci_free(bpe->suffix);
  *bpe = (ci_bpe){0};
}
