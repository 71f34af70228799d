/* Tokens and their ids, both ways: one byte arena, one table of entries, one open-addressing index. */
#ifndef CI_TOKENIZERS_VOCABULARY_H
#define CI_TOKENIZERS_VOCABULARY_H
#include "base/error.h"
#include "base/json.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  size_t offset; /* of the terminated text in bytes */
  uint32_t length;
  int32_t id;
} ci_vocabulary_entry;

typedef struct {
  uint32_t hash, entry; /* of the text; entry + 1, 0: free */
} ci_vocabulary_slot;

typedef struct {
  char *bytes;
  size_t used, bytes_capacity;
  ci_vocabulary_entry *entries; /* in the order in which they came */
  size_t count, entries_capacity;
  ci_vocabulary_slot *slots; /* a power of two of them, at most half full */
  size_t slot_count;
  uint32_t *by_id;              /* [limit] entry + 1; 0: no token has this id */
  size_t limit, by_id_capacity; /* limit: the largest id + 1 */
} ci_vocabulary;

/* A text that is there already gets the new id. Two texts may have one id: the later one is that id's token.
 * Ids outside [0, 2^24) are an error. */
ci_status ci_vocabulary_add(ci_vocabulary *vocabulary, const char *where, const char *text, size_t length, int64_t id,
                            ci_error *err);
/* All members of {"token": id, ...}. */
ci_status ci_vocabulary_add_object(ci_vocabulary *vocabulary, const char *where, const json_t *object, ci_error *err);
int32_t ci_vocabulary_id(const ci_vocabulary *vocabulary, const char *text, size_t length); /* -1: none */
/* The ids of <0x00> to <0xFF>, -1 for those that are not there; all -1 when they are not wanted. */
void ci_vocabulary_bytes(const ci_vocabulary *vocabulary, bool wanted, int32_t ids[256]);
/* NULL: none. Borrowed, terminated; moves when something is added. */
const char *ci_vocabulary_text(const ci_vocabulary *vocabulary, int32_t id, size_t *length);
void ci_vocabulary_free(ci_vocabulary *vocabulary);

#endif
