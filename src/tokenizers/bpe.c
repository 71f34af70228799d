/* See bpe.h. Follows the BPE model of the tokenizers library 0.22; the heap of candidate merges with a linked list of
 * symbols makes it O(n log n) in the length of a word. */
#include "tokenizers/bpe.h"
#include "base/memory.h"
#include <stdio.h>
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

typedef struct {
  symbol *symbols;
  size_t count, capacity;
  candidate *heap;
  size_t heap_count, heap_capacity;
} work;

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
  for (unsigned i = 0; i < 256; i++) {
    char name[8];
    int length = snprintf(name, sizeof name, "<0x%02X>", i);
    bpe->bytes[i] = bpe->byte_fallback ? ci_vocabulary_id(bpe->vocabulary, name, (size_t)length) : -1;
  }
  if (bpe->vocabulary->count == 0) return ci_fail(err, CI_EFILE, where, "the vocabulary is empty");
  return CI_OK;
}

static int32_t own_id(const ci_bpe *bpe, const char *text, size_t length) {
  int32_t id = ci_vocabulary_id(bpe->vocabulary, text, length);
  return id < bpe->limit ? id : -1;
}

static int add_symbol(work *w, int32_t id) {
  if (ci_reserve((void **)&w->symbols, &w->capacity, w->count + 1, sizeof *w->symbols)) return -1;
  w->symbols[w->count] = (symbol){id, (int32_t)w->count - 1, -1, false};
  if (w->count) w->symbols[w->count - 1].next = (int32_t)w->count;
  w->count++;
  return 0;
}

/* The symbol of the character at word[at..at+n), with the affixes of its place. */
static int32_t symbol_of(const ci_bpe *bpe, const char *word, size_t length, size_t at, size_t n, uint32_t c) {
  bool affixed = (at && bpe->prefix && *bpe->prefix) || (at + n == length && bpe->suffix && *bpe->suffix);
  if (!affixed) return c < CI_BPE_DIRECT ? bpe->direct[c] : own_id(bpe, word + at, n);
  ci_text text = {0};
  if (at && bpe->prefix) ci_text_add(&text, bpe->prefix);
  ci_text_add_n(&text, word + at, n);
  if (at + n == length && bpe->suffix) ci_text_add(&text, bpe->suffix);
  int32_t id = text.failed ? -1 : own_id(bpe, text.data, text.length);
  ci_text_free(&text);
  return id;
}

/* A character without a symbol: its bytes, when all of them have one. */
static int add_bytes(const ci_bpe *bpe, work *w, const char *bytes, size_t n, bool *done) {
  *done = bpe->byte_fallback;
  for (size_t i = 0; i < n && *done; i++) *done = bpe->bytes[(unsigned char)bytes[i]] >= 0;
  for (size_t i = 0; i < n && *done; i++)
    if (add_symbol(w, bpe->bytes[(unsigned char)bytes[i]])) return -1;
  return 0;
}

static int add_characters(const ci_bpe *bpe, work *w, const char *word, size_t length) {
  bool unknown_before = false;
  for (size_t at = 0; at < length;) {
    uint32_t c;
    size_t n = ci_utf8_next(word, length, at, &c);
    int32_t id = symbol_of(bpe, word, length, at, n, c);
    bool done = id >= 0;
    if (done && add_symbol(w, id)) return -1;
    if (!done && add_bytes(bpe, w, word + at, n, &done)) return -1;
    if (!done && bpe->unknown >= 0 && !(unknown_before && bpe->fuse_unknown) && add_symbol(w, bpe->unknown)) return -1;
    unknown_before = !done;
    at += n;
  }
  return 0;
}

static bool comes_before(candidate a, candidate b) {
  return a.rank < b.rank || (a.rank == b.rank && a.position < b.position);
}

/* Puts the merge of the symbol at `position` with the next one on the heap, if there is one. */
static int push(const ci_bpe *bpe, work *w, int32_t position) {
  if (position < 0 || w->symbols[position].next < 0) return 0;
  const ci_bpe_merge *merge = find_merge(bpe, w->symbols[position].id, w->symbols[w->symbols[position].next].id);
  if (!merge) return 0;
  if (ci_reserve((void **)&w->heap, &w->heap_capacity, w->heap_count + 1, sizeof *w->heap)) return -1;
  candidate added = {merge->rank, (uint32_t)position, merge->id};
  size_t at = w->heap_count++;
  for (; at && comes_before(added, w->heap[(at - 1) / 2]); at = (at - 1) / 2) w->heap[at] = w->heap[(at - 1) / 2];
  w->heap[at] = added;
  return 0;
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

static int merge_all(const ci_bpe *bpe, work *w) {
  for (size_t i = 0; i + 1 < w->count; i++)
    if (push(bpe, w, (int32_t)i)) return -1;
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
    if (push(bpe, w, left->previous) || push(bpe, w, (int32_t)top.position)) return -1;
  }
  return 0;
}

ci_status ci_bpe_encode(const ci_bpe *bpe, const char *word, size_t length, ci_ids *ids, ci_error *err) {
  if (bpe->ignore_merges) {
    int32_t whole = own_id(bpe, word, length);
    if (whole >= 0) return ci_ids_add(ids, whole, err);
  }
  if (length >= INT32_MAX) return ci_fail(err, CI_EINVAL, NULL, "a text of %zu bytes is too long to tokenize", length);
  work w = {0};
  ci_status status = add_characters(bpe, &w, word, length) || merge_all(bpe, &w) ? ci_fail_memory(err) : CI_OK;
  for (int32_t i = w.count ? 0 : -1; i >= 0 && !status; i = w.symbols[i].next)
    status = ci_ids_add(ids, w.symbols[i].id, err);
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
