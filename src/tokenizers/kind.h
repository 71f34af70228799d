/* What a kind of tokenizer implements, and what all kinds share. A row of tokenizers.def is a file. */
#ifndef CI_TOKENIZERS_KIND_H
#define CI_TOKENIZERS_KIND_H
#include "tokenizers/added.h"
#include "tokenizers/chat.h"
#include "tokenizers/source.h"
#include "tokenizers/tokenizer.h"
#include "tokenizers/vocabulary.h"

typedef struct {
  const char *files[4];       /* all of them must be in the folder; NULL-terminated, none: any folder of its classes */
  const char *file_ending;    /* instead: of the one file that stands for the folder; NULL: none */
  ci_source_settings *settings; /* of that file */
  const char *classes;        /* " LlamaTokenizer ": the only ones it is for; NULL: any */
  const char *fallback_class; /* when neither tokenizer_config.json nor config.json tells the class */
  /* Fills vocabulary and state, and calls ci_tokenizer_add_tokens; what was allocated before an error is closed by
   * close. */
  ci_status (*open)(ci_tokenizer *tokenizer, const ci_tokenizer_source *source, ci_error *err);
  void (*close)(void *state);
  /* text: valid UTF-8 */
  ci_status (*encode)(const ci_tokenizer *tokenizer, const char *text, size_t length, unsigned flags, ci_ids *ids,
                      ci_error *err);
  ci_status (*decode)(const ci_tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special, ci_text *text,
                      ci_error *err);
  ci_status (*to_text)(const ci_tokenizer *tokenizer, const char *token, ci_text *text, ci_error *err);
  /* The token of an id. NULL: the vocabulary's. */
  const char *(*token)(const ci_tokenizer *tokenizer, int32_t id, size_t *length);
} ci_tokenizer_kind;

struct ci_tokenizer {
  const ci_tokenizer_kind *kind;
  void *state;              /* the kind's own */
  ci_vocabulary vocabulary; /* added tokens included */
  size_t base_size;         /* tokens before any was added: transformers' vocab_size */
  ci_added added;
  ci_added specials;      /* all_special_tokens, in transformers' order */
  size_t role_count;      /* of the specials: those that have a role; the rest are additional_special_tokens */
  bool *special_ids;      /* [vocabulary.limit] */
  const char **by_length; /* [specials.count] longest first */
  ci_tokenizer_facts facts;
  ci_chat chat;
  char *class_name;
  json_t *settings;                  /* those of tokenizer_config.json that say how it is called, see describe.c */
  const ci_language_rule *languages; /* NULL: its texts have none */
};

/* Adds added_tokens_decoder and the special tokens to tokenizer->added, and to the vocabulary those that it lacks.
 * Numbers as transformers' slow classes (number of tokens) or as the tokenizers library (after the largest added id).
 */
ci_status ci_tokenizer_add_tokens(ci_tokenizer *tokenizer, const ci_tokenizer_source *source, bool slow, ci_error *err);
/* One added token. id < 0: the vocabulary's, or the next free one by the rule above. */
ci_status ci_tokenizer_add_token(ci_tokenizer *tokenizer, const char *where, ci_added_token token, bool slow,
                                 ci_error *err);
/* The token of an id and its length; NULL: none. */
const char *ci_tokenizer_text(const ci_tokenizer *tokenizer, int32_t id, size_t *length);
/* The id of a special token's role ("bos_token", ...), -1: none. */
int32_t ci_tokenizer_role(const ci_tokenizer *tokenizer, const ci_tokenizer_source *source, const char *role);

#endif
