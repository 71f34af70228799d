/* See trie.h. */
#include "tokenizers/trie.h"
#include "base/memory.h"

enum { MOST_NODES = 1 << 24, FIRST_SLOTS = 256 };

static size_t slot_of(const ci_trie_edge *edges, size_t slots, uint32_t key) {
  size_t slot = (size_t)((key * 0x9E3779B97F4A7C15u) >> 32) & (slots - 1);
  while (edges[slot].child && edges[slot].key != key) slot = (slot + 1) & (slots - 1);
  return slot;
}

static int add_edge(ci_trie *trie, uint32_t node, unsigned char byte, uint32_t child) {
  if (trie->edge_count * 2 >= trie->slots) {
    size_t slots = trie->slots ? trie->slots * 2 : FIRST_SLOTS;
    ci_trie_edge *edges = ci_alloc_zeroed(slots, sizeof *edges);
    if (!edges) return -1;
    for (size_t i = 0; i < trie->slots; i++)
      if (trie->edges[i].child) edges[slot_of(edges, slots, trie->edges[i].key)] = trie->edges[i];
    ci_free(trie->edges);
    trie->edges = edges;
    trie->slots = slots;
  }
  uint32_t key = node << 8 | byte;
  trie->edges[slot_of(trie->edges, trie->slots, key)] = (ci_trie_edge){key, child};
  trie->edge_count++;
  return 0;
}

static int add_child(ci_trie *trie, uint32_t node, unsigned char byte, uint32_t child) {
  if (!node) {
    trie->first[byte] = child;
  } else if (child == node + 1) {
    trie->nodes[node].next = byte + 1u;
  } else {
    return add_edge(trie, node, byte, child);
  }
  return 0;
}

uint32_t ci_trie_step(const ci_trie *trie, uint32_t node, unsigned char byte) {
  if (!node) return trie->first[byte];
  if (trie->nodes[node].next == byte + 1u) return node + 1;
  return trie->slots ? trie->edges[slot_of(trie->edges, trie->slots, node << 8 | byte)].child : 0;
}

ci_status ci_trie_add(ci_trie *trie, const char *text, size_t length, uint32_t value, ci_error *err) {
  if (!length) return CI_OK;
  uint32_t node = 0, child;
  size_t at = 0;
  for (; at < length && (child = ci_trie_step(trie, node, (unsigned char)text[at])); at++) node = child;
  size_t more = length - at + 1; /* and the root */
  if (more > MOST_NODES - trie->count)
    return ci_fail(err, CI_EFILE, NULL, "the tokens of the vocabulary are too long: over %d different prefixes",
                   MOST_NODES);
  if (ci_reserve((void **)&trie->nodes, &trie->capacity, trie->count + more, sizeof *trie->nodes))
    return ci_fail_memory(err);
  if (!trie->count) trie->nodes[trie->count++] = (ci_trie_node){0};
  for (; at < length; at++, node = child) {
    child = (uint32_t)trie->count++;
    trie->nodes[child] = (ci_trie_node){0};
    if (add_child(trie, node, (unsigned char)text[at], child)) return ci_fail_memory(err);
  }
  trie->nodes[node].value = value + 1;
  return CI_OK;
}

bool ci_trie_match(const ci_trie *trie, const char *text, size_t length, size_t at, uint32_t *value, size_t *end) {
  bool found = false;
  uint32_t node = 0;
  for (size_t i = at; i < length && (node = ci_trie_step(trie, node, (unsigned char)text[i])); i++) {
    if (!trie->nodes[node].value) continue;
    found = true;
    *value = trie->nodes[node].value - 1;
    *end = i + 1;
  }
  return found;
}

void ci_trie_free(ci_trie *trie) {
  ci_free(trie->edges);
  ci_free(trie->nodes);
  *trie = (ci_trie){0};
}
