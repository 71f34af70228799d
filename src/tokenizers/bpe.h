/* Byte-pair encoding: merges of neighbouring symbols, the earliest in the list first. */
#ifndef CI_TOKENIZERS_BPE_H
#define CI_TOKENIZERS_BPE_H
#include "tokenizers/tokenizer.h"
#include "tokenizers/vocabulary.h"

enum {
  CI_BPE_DIRECT = 0x200, /* code points whose symbol is looked up in a table: GPT-2's byte letters and Latin */
  CI_BPE_DROP = -1,      /* characters without a symbol are dropped, as the tokenizers library does */
  CI_BPE_MISSING = -2,   /* unk_token is not in the vocabulary: such characters are an error */
};

typedef struct {
  uint64_t key; /* left id << 32 | right id */
  uint32_t rank;
  int32_t id; /* of the merged symbol; -1: the slot is free */
} ci_bpe_merge;

typedef struct {
  const ci_vocabulary *vocabulary;
  int32_t limit;        /* ids from here on are added tokens: not this model's */
  ci_bpe_merge *merges; /* [slots] open addressing, at most half full */
  size_t slots, merge_count;
  uint32_t next_rank;
  int32_t direct[CI_BPE_DIRECT]; /* symbol of a code point, -1: none */
  int32_t bytes[256];            /* <0x00> ...; all -1 without byte_fallback */
  int32_t unknown; /* CI_BPE_DROP, CI_BPE_MISSING or the id of what stands for characters without a symbol */
  bool byte_fallback, fuse_unknown, ignore_merges;
  char *prefix, *suffix; /* continuing_subword_prefix, end_of_word_suffix; NULL or empty: none */
} ci_bpe;

/* Adds the merge of two tokens, which with their sum must be in the vocabulary. replace: a merge that is there already
 * gets the new rank (tokenizer.json), else it keeps the old one (merges.txt). */
ci_status ci_bpe_add_merge(ci_bpe *bpe, const char *where, const char *a, size_t a_length, const char *b,
                           size_t b_length, bool replace, ci_error *err);
/* Call when the vocabulary, the flags and the merges are complete and before tokens are added. */
ci_status ci_bpe_finish(ci_bpe *bpe, const char *where, ci_error *err);
/* Appends the ids of one word (n bytes of UTF-8) in O(n log n). */
ci_status ci_bpe_encode(const ci_bpe *bpe, const char *word, size_t length, ci_ids *ids, ci_error *err);
void ci_bpe_free(ci_bpe *bpe);

/* GPT-2's letters: every byte has a printable code point below CI_BPE_DIRECT. */
uint32_t ci_byte_letter(unsigned char byte);
int ci_letter_byte(uint32_t codepoint); /* -1: no byte's letter */

#endif
