/* Which tokens begin a word of their text. */
#ifndef CI_ATTRIBUTE_WORDS_H
#define CI_ATTRIBUTE_WORDS_H
#include "aggregate/result.h"
#include "tokenizers/tokenizer.h"

/* Fills tokens[count].word by where the text that ids stand for has white space: what a token adds to the text of the one before it
 * begins with it, or that text ends with it. Special tokens are words of their own. */
ci_status ci_words_mark(const ci_tokenizer *tokenizer, const int32_t *ids, ci_token *tokens, size_t count, ci_error *err);

#endif
