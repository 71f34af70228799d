/* The tokenizer of Moses, the machine translation system, and its way back, as the package sacremoses 0.2 has them and
 * transformers' classes call it. Time is linear in the text. */
#ifndef CI_TOKENIZERS_MOSES_H
#define CI_TOKENIZERS_MOSES_H
#include "tokenizers/rewrite.h"

/* A row of moses_languages.def. */
typedef struct {
  const char *code;
  const char *prefixes;       /* " Mr Mrs ": abbreviations, without the full stop that they keep */
  const char *before_numbers; /* " No ": those that keep it before a digit only */
} ci_moses_language;

/* One language's rules. */
typedef struct {
  const ci_moses_language *language;
  ci_rewriter *punctuation, *split, *finish, *join, *tests;
} ci_moses;

/* CI_EFILE that names the languages when the code is not one of them. where: the file that says the code, for errors.
 */
ci_status ci_moses_open(ci_moses *moses, const char *code, const char *where, ci_error *err);
void ci_moses_close(ci_moses *moses);

/* All of these work in place, on valid UTF-8. */
/* FSMT's pipeline before tokenizing: punctuation to ASCII, MosesPunctNormalizer, no characters that do not print. */
ci_status ci_moses_normalize(const ci_moses *moses, ci_text *text, ci_error *err);
/* MosesTokenizer.tokenize(text, aggressive_dash_splits=True, escape=True): tokens with one space between them. */
ci_status ci_moses_tokenize(const ci_moses *moses, ci_text *text, ci_error *err);
/* MosesDetokenizer.detokenize(text.split()) */
ci_status ci_moses_detokenize(const ci_moses *moses, ci_text *text, ci_error *err);

/* The rules of `tests`. */
enum {
  CI_MOSES_HAS_LETTER,
  CI_MOSES_BEGINS_LOWER,
  CI_MOSES_CURRENCY,
  CI_MOSES_PUNCTUATION,
  CI_MOSES_SHORT_FORM,
  CI_MOSES_QUOTES
};
/* Tables of the files of their names. */
extern const ci_rewrite ci_moses_punctuation_rules[], ci_moses_join_rules[];
extern const size_t ci_moses_punctuation_count, ci_moses_join_count;

#endif
