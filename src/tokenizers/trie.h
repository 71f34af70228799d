/* Which of a set of strings begin at a place of a text: a trie over bytes. What only one string has lies in one piece:
 * the first child of a node stands behind it; other edges lie in a hash table. So a vocabulary of 250,000 tokens takes
 * about 50 milliseconds to build and a step is one look-up. */
#ifndef CI_TOKENIZERS_TRIE_H
#define CI_TOKENIZERS_TRIE_H
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint32_t key;   /* parent << 8 | byte */
  uint32_t child; /* 0: the slot is free */
} ci_trie_edge;

typedef struct {
  uint32_t value; /* value + 1 of the string that ends here; 0: none */
  uint32_t next;  /* byte + 1, along which the node behind this one is its child; 0: it is not */
} ci_trie_node;

typedef struct {
  ci_trie_node *nodes; /* [count] node 0 is the root */
  size_t count, capacity;
  ci_trie_edge *edges; /* [slots] open addressing, at most half full */
  size_t slots, edge_count;
  uint32_t first[256]; /* children of the root; 0: none */
} ci_trie;

/* A string that is there already gets the new value. Empty strings are left out: they would match everywhere. */
ci_status ci_trie_add(ci_trie *trie, const char *text, size_t length, uint32_t value, ci_error *err);
/* The child of a node (0: the root) along a byte; 0: none. */
uint32_t ci_trie_step(const ci_trie *trie, uint32_t node, unsigned char byte);
/* The value of the longest string at text[at..length); false: none. */
bool ci_trie_match(const ci_trie *trie, const char *text, size_t length, size_t at, uint32_t *value, size_t *end);
void ci_trie_free(ci_trie *trie);

#endif
