/* What transformers' slow (Python) tokenizers share: cutting added tokens out of a text, and joining decoded parts. */
#ifndef CI_TOKENIZERS_SLOW_H
#define CI_TOKENIZERS_SLOW_H
#include "tokenizers/kind.h"
#include "tokenizers/sentencepiece.h"
#include "tokenizers/trie.h"

/* Tokenizes one part of a text that holds no added token. */
typedef ci_status ci_slow_part(const ci_tokenizer *tokenizer, const void *context, const char *text, size_t length,
                               ci_ids *ids, ci_error *err);
/* convert_tokens_to_string. tokens may be changed; count > 0. */
typedef ci_status ci_slow_join(const ci_tokenizer *tokenizer, ci_piece *tokens, size_t count, ci_text *text,
                               ci_error *err);

/* A trie of the contents of tokenizer->added, for ci_slow_encode. */
ci_status ci_slow_trie(const ci_tokenizer *tokenizer, ci_trie *trie, ci_error *err);
/* PreTrainedTokenizer.tokenize, without what is added at the ends. */
ci_status ci_slow_encode(const ci_tokenizer *tokenizer, const ci_trie *trie, const char *text, size_t length,
                         ci_slow_part *part, const void *context, ci_ids *ids, ci_error *err);
/* PreTrainedTokenizer._decode with spaces_between_special_tokens; unknown ids read as `unknown` (NULL: an error). */
ci_status ci_slow_decode(const ci_tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special,
                         bool spaces, const char *unknown, ci_slow_join *join, ci_text *text, ci_error *err);
/* The token of an id where decoded text has a vocabulary of its own, which every id is looked up in but those of added
 * tokens. */
const char *ci_slow_target_token(const ci_tokenizer *tokenizer, const ci_vocabulary *vocabulary, int32_t id,
                                 size_t *length);
/* Appends text in lower case, but for the special tokens in it, as PreTrainedTokenizer.tokenize with do_lower_case. */
ci_status ci_slow_lower(const ci_tokenizer *tokenizer, const ci_trie *trie, const char *text, size_t length,
                        ci_text *out, ci_error *err);
/* Appends text without the white space at its ends. */
void ci_slow_add_stripped(ci_text *out, const char *text, size_t length);
/* convert_tokens_to_string([token]). */
ci_status ci_slow_to_text(const ci_tokenizer *tokenizer, const char *token, ci_slow_join *join, ci_text *text, ci_error *err);
/* In all_special_tokens? */
bool ci_slow_is_special(const ci_tokenizer *tokenizer, ci_piece token);

#endif
