/* Text to token ids and back, as transformers 4.57.6 does it for the same folder. A tokenizer is immutable after
 * opening and may be used from several threads. */
#ifndef CI_TOKENIZERS_TOKENIZER_H
#define CI_TOKENIZERS_TOKENIZER_H
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ci_tokenizer ci_tokenizer;

typedef struct {
  int32_t *items;
  size_t count;
  size_t capacity;
} ci_ids;
ci_status ci_ids_add(ci_ids *ids, int32_t id, ci_error *err);
void ci_ids_free(ci_ids *ids);

/* Finds the tokenizer files of a model folder (rows of tokenizers.def, first that fits) and opens them.
 * config: the model's config.json (may be NULL), for what the tokenizer files do not say. kwargs: tokenizer_kwargs of
 * the request, which override tokenizer_config.json (may be NULL). No file found: an error that lists what was looked
 * for. */
ci_status ci_tokenizer_open(const char *folder, const json_t *config, const json_t *kwargs, ci_tokenizer **tokenizer,
                            ci_error *err);
void ci_tokenizer_close(ci_tokenizer *tokenizer);

enum {
  CI_ENCODE_SPECIAL = 1, /* add_special_tokens=True */
  CI_ENCODE_TARGET = 2,  /* text_target=...: Marian's target.spm */
};
/* Appends the ids of text to *ids. Special tokens inside the text are matched as transformers does. Invalid UTF-8 is
 * replaced by U+FFFD first. No truncation, no padding. */
ci_status ci_tokenizer_encode(const ci_tokenizer *tokenizer, const char *text, size_t length, unsigned flags,
                              ci_ids *ids, ci_error *err);
/* Appends tokenizer.decode(ids, skip_special_tokens=..., clean_up_tokenization_spaces=False). */
ci_status ci_tokenizer_decode(const ci_tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special,
                              ci_text *text, ci_error *err);
/* Appends tokenizer.convert_tokens_to_string([token]). */
ci_status ci_tokenizer_token_to_text(const ci_tokenizer *tokenizer, const char *token, ci_text *text, ci_error *err);

/* The raw vocabulary string of an id (tokenizer.convert_ids_to_tokens), NULL when there is none. Lives as the
 * tokenizer. */
const char *ci_tokenizer_token(const ci_tokenizer *tokenizer, int32_t id);
/* -1 when there is no such token. */
int32_t ci_tokenizer_id(const ci_tokenizer *tokenizer, const char *token);
bool ci_tokenizer_is_special(const ci_tokenizer *tokenizer, int32_t id); /* in all_special_ids */
/* all_special_tokens strings, longest first; *count of them. */
const char *const *ci_tokenizer_specials(const ci_tokenizer *tokenizer, size_t *count);

typedef struct {
  int32_t unk, pad, bos, eos; /* -1: the tokenizer has none */
  size_t vocabulary;          /* number of ids, added tokens included: the largest id + 1 */
  const char *class_name;     /* as AutoTokenizer would report it: "MarianTokenizer", "GPT2TokenizerFast", ... */
  const char *kind;           /* the row of tokenizers.def */
} ci_tokenizer_facts;
const ci_tokenizer_facts *ci_tokenizer_get_facts(const ci_tokenizer *tokenizer);

/* All that a program can ask of transformers' tokenizer object, see cinseq_tokenizer_info. *facts: json_decref. */
ci_status ci_tokenizer_describe(const ci_tokenizer *tokenizer, json_t **facts, ci_error *err);

/* The table's rows for `cinseq_describe("tokenizers")`. */
typedef struct {
  const char *id;
  const char *help;
} ci_tokenizer_row;
const ci_tokenizer_row *ci_tokenizer_rows(size_t *count);

#endif
