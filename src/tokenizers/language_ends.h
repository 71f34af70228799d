/* What goes around a text of a multilingual class: its language's token, eos. */
#ifndef CI_TOKENIZERS_LANGUAGE_ENDS_H
#define CI_TOKENIZERS_LANGUAGE_ENDS_H
#include "tokenizers/kind.h"

/* [0]: around a text; [1]: around a target text, where languages differ. */
typedef struct {
  const ci_language_rule *languages; /* NULL: texts have no language */
  ci_ids before[2], after[2];
} ci_ends;

/* The tokens of src_lang and tgt_lang as ends->languages has them. */
ci_status ci_ends_of_languages(const ci_tokenizer *tokenizer, const ci_tokenizer_source *source, ci_ends *ends,
                               ci_error *err);
/* The side for these flags of ci_tokenizer_encode, or an error when it needs a language that is not set. */
ci_status ci_ends_side(const ci_ends *ends, unsigned flags, int *side, ci_error *err);
ci_status ci_ends_add(const ci_ids *from, ci_ids *ids, ci_error *err);
void ci_ends_free(ci_ends *ends);

#endif
