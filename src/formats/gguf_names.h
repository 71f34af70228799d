/* What an architecture of llama.cpp is called in the Hugging Face layout: a row of gguf_architectures.c. */
#ifndef CI_FORMATS_GGUF_NAMES_H
#define CI_FORMATS_GGUF_NAMES_H
#include "formats/gguf.h"

/* What convert_hf_to_gguf.py did to a tensor's numbers or shape, and is undone here. `kv`: the key and value heads. */
typedef enum {
  CI_GGUF_SAME,
  CI_GGUF_PAIRS,      /* query's rows: a head's pairs (i, i + d/2) side by side (LlamaModel.permute) */
  CI_GGUF_KV_PAIRS,   /* the same for the key's */
  CI_GGUF_TRANSPOSED, /* Conv1D to Linear */
  CI_GGUF_PLUS_ONE,   /* Gemma's norms */
  CI_GGUF_EXPERTS,    /* one matrix a expert, stacked; the name has two numbers */
  CI_GGUF_INTERLEAVED /* GPT-NeoX' query, key and value: a head's one after another there, all queries first here */
} ci_gguf_change;

typedef struct {
  const char *gguf, *name; /* without .weight, .bias; gguf "blk.N." left out where name has a %d */
  ci_gguf_change change;
} ci_gguf_name;

typedef struct {
  const char *gguf, *key; /* gguf: behind "ARCHITECTURE." */
} ci_gguf_key;

typedef struct {
  const char *gguf, *model_type;
  const char *when; /* the row is for files that have this key with a value over 0; NULL: any */
  const ci_gguf_name *names; /* until gguf is NULL */
  const ci_gguf_key *keys;
  const char *settings; /* what the configuration says where the keys do not, as JSON; NULL: nothing */
  size_t by_width;      /* layers of the size whose queries are scaled by width / heads, not key_length (Gemma 27B) */
} ci_gguf_architecture;

/* The row for the file's general.architecture; an error that lists those that are known. */
ci_status ci_gguf_architecture_of(const ci_gguf *gguf, const ci_gguf_architecture **row, ci_error *err);
/* The value behind "ARCHITECTURE.", NULL: none. */
const ci_gguf_value *ci_gguf_own(const ci_gguf *gguf, const ci_gguf_architecture *row, const char *key);
/* A whole number of 1 or more behind "ARCHITECTURE."; an array's first. 0: absent. */
ci_status ci_gguf_own_count(const ci_gguf *gguf, const ci_gguf_architecture *row, const char *key, size_t *count, ci_error *err);

#endif
