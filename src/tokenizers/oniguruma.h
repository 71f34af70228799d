/* Patterns of tokenizer.json (Oniguruma, Ruby's syntax) as PCRE2 has them. */
#ifndef CI_TOKENIZERS_ONIGURUMA_H
#define CI_TOKENIZERS_ONIGURUMA_H
#include "base/error.h"
#include "base/text.h"

/* Members of a class: Unicode's White_Space; and what Oniguruma and Rust hold for a word's characters, which differ in
 * a few signs. */
#define CI_SPACE_MEMBERS                                                                                               \
  "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
#define CI_WORD_MEMBERS "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"

/* Appends the pattern for PCRE2 with UTF, UCP and MULTILINE. What the two cannot be made to agree in is refused by
 * name. The pattern is terminated too. */
ci_status ci_oniguruma_translate(const char *pattern, size_t length, ci_text *out, const char *where, ci_error *err);

#endif
