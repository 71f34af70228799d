/* merges.txt: "left right" a line, the earliest merge first. */
#ifndef CI_TOKENIZERS_MERGES_H
#define CI_TOKENIZERS_MERGES_H
#include "base/error.h"
#include "tokenizers/bpe.h"
#include "tokenizers/sentencepiece.h"

/* A line's first two words, of count that it has. where: the file, for errors. */
typedef ci_status ci_take_merge(void *context, const char *where, size_t line, const ci_piece words[2], size_t count,
                                ci_error *err);
/* Reads folder/merges.txt as Python's read().split("\n")[:-1]: what follows the last newline does not count.
 * heading: nor does the first line. */
ci_status ci_read_merges(const char *folder, bool heading, ci_take_merge *take, void *context, ci_error *err);
/* GPT's: behind a heading, two words a line, all of them in the vocabulary. */
ci_status ci_read_gpt_merges(const char *folder, ci_bpe *bpe, ci_error *err);

#endif
