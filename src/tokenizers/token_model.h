/* "model" of tokenizer.json: a word to token ids. A model is a descriptor in a file and a row in token_models.def. */
#ifndef CI_TOKENIZERS_TOKEN_MODEL_H
#define CI_TOKENIZERS_TOKEN_MODEL_H
#include "tokenizers/document.h"
#include "tokenizers/kind.h"

typedef struct {
  const char *type;    /* "type" in tokenizer.json */
  const char *keys[5]; /* that it must have; a model without "type" is the first row that has all of its keys */
  size_t size;         /* of the state, which is zeroed before open */
  /* Fills the state, tokenizer->vocabulary and tokenizer->base_size. */
  ci_status (*open)(void *state, ci_tokenizer *tokenizer, const ci_document *document, ci_error *err);
  void (*close)(void *state); /* of what open allocated */
  /* Appends the ids of a word, which is valid UTF-8 and not empty. */
  ci_status (*encode)(const void *state, const char *word, size_t length, ci_ids *ids, ci_error *err);
} ci_token_model_kind;

typedef struct {
  const ci_token_model_kind *kind;
  void *state;
} ci_token_model;

extern const ci_token_model_kind ci_token_model_bpe;

/* The one that the document names or looks like. Close it whatever the status. */
ci_status ci_token_model_open(ci_token_model *model, ci_tokenizer *tokenizer, const ci_document *document,
                              ci_error *err);
void ci_token_model_close(ci_token_model *model);

#endif
