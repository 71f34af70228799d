/* See trie.h. */
#include "tokenizers/trie.h"
#include "base/memory.h"

enum { MOST_NODES = 1 << 24, FIRST_SLOTS = 256 };

static size_t slot_of(const ci_trie_edge *edges, size_t slots, uint32_t key) {
  size_t slot = (size_t)((key * 0x9E3779B97F4A7C15u) >> 32) & (slots - 1);
  while (edges[slot].child && edges[slot].key != key) slot = (slot + 1) & (slots - 1);
  return slot;
}

static int grow(ci_trie *trie) {
  if (trie->count * 2 < trie->slots) return 0;
  size_t slots = trie->slots ? trie->slots * 4 : FIRST_SLOTS;
  ci_trie_edge *edges = ci_alloc_zeroed(slots, sizeof *edges);
  if (!edges) return -1;
  for (size_t i = 0; i < trie->slots; i++)
    if (trie->edges[i].child) edges[slot_of(edges, slots, trie->edges[i].key)] = trie->edges[i];
  ci_free(trie->edges);
  trie->edges = edges;
  trie->slots = slots;
  return 0;
}

static int add_node(ci_trie *trie, uint32_t *node) {
  if (grow(trie) || ci_reserve((void **)&trie->values, &trie->capacity, trie->count + 1, sizeof *trie->values))
    return -1;
  *node = (uint32_t)trie->count++;
  trie->values[*node] = 0;
  return 0;
}

uint32_t ci_trie_step(const ci_trie *trie, uint32_t node, unsigned char byte) {
  if (!node) return trie->first[byte];
  const ci_trie_edge *edge = &trie->edges[slot_of(trie->edges, trie->slots, node << 8 | byte)];
  return edge->child;
}

ci_status ci_trie_add(ci_trie *trie, const char *text, size_t length, uint32_t value, ci_error *err) {
  if (!length) return CI_OK;
  uint32_t node = 0, child;
  if (!trie->count && add_node(trie, &node)) return ci_fail_memory(err);
  for (size_t i = 0; i < length; i++, node = child) {
    unsigned char byte = (unsigned char)text[i];
    child = ci_trie_step(trie, node, byte);
    if (child) continue;
    if (trie->count == MOST_NODES)
      return ci_fail(err, CI_EFILE, NULL, "the tokens of the vocabulary are too long: over %d different prefixes",
                     MOST_NODES);
    if (add_node(trie, &child)) return ci_fail_memory(err);
    if (node) {
      uint32_t key = node << 8 | byte;
      trie->edges[slot_of(trie->edges, trie->slots, key)] = (ci_trie_edge){key, child};
    } else {
      trie->first[byte] = child;
    }
  }
  trie->values[node] = value + 1;
  return CI_OK;
}

bool ci_trie_match(const ci_trie *trie, const char *text, size_t length, size_t at, uint32_t *value, size_t *end) {
  bool found = false;
  uint32_t node = 0;
  for (size_t i = at; i < length && (node = ci_trie_step(trie, node, (unsigned char)text[i])); i++) {
    if (!trie->values[node]) continue;
    found = true;
    *value = trie->values[node] - 1;
    *end = i + 1;
  }
  return found;
}

void ci_trie_free(ci_trie *trie) {
  ci_free(trie->edges);
  ci_free(trie->values);
  *trie = (ci_trie){0};
}
