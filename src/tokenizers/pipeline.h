/* A fast tokenizer of transformers: added tokens cut out, text normalized, cut into words, words into tokens, special
 * tokens around; and tokens back to text. tokenizer.json is one way to fill it, GPT-2's two files are another. */
#ifndef CI_TOKENIZERS_PIPELINE_H
#define CI_TOKENIZERS_PIPELINE_H
#include "tokenizers/document.h"
#include "tokenizers/kind.h"
#include "tokenizers/language_ends.h"
#include "tokenizers/parts.h"
#include "tokenizers/token_model.h"
#include "tokenizers/trie.h"

typedef struct {
  ci_stage normalizers, pre_tokenizers, decoders;
  ci_ends ends;
  ci_token_model model;
  ci_trie raw, normalized; /* of the added tokens that are looked for before and after normalization */
} ci_pipeline;

/* Fills the pipeline, tokenizer->state, from a tokenizer.json that is open, and finishes it. */
ci_status ci_pipeline_open(ci_tokenizer *tokenizer, const ci_document *document, const ci_tokenizer_source *source, ci_error *err);
/* Builds the tries from tokenizer->added: the last step of opening. */
ci_status ci_pipeline_finish(ci_tokenizer *tokenizer, ci_error *err);
/* bos before and eos after every text, as the classes with add_bos_token and add_eos_token do. */
ci_status ci_pipeline_wrap(ci_tokenizer *tokenizer, const ci_tokenizer_source *source, bool bos, bool eos,
                           ci_error *err);
/* Members of ci_tokenizer_kind; the state is a ci_pipeline. */
void ci_pipeline_close(void *state);
ci_status ci_pipeline_encode(const ci_tokenizer *tokenizer, const char *text, size_t length, unsigned flags,
                             ci_ids *ids, ci_error *err);
ci_status ci_pipeline_decode(const ci_tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special,
                             ci_text *text, ci_error *err);
ci_status ci_pipeline_to_text(const ci_tokenizer *tokenizer, const char *token, ci_text *text, ci_error *err);

#endif
