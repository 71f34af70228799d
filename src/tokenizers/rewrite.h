/* Substitutions by patterns (PCRE2), one after the other over a whole text: what Perl's and Python's tokenizers are
 * made of. */
#ifndef CI_TOKENIZERS_REWRITE_H
#define CI_TOKENIZERS_REWRITE_H
#include "base/error.h"
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct {
  const char *languages; /* " en ": the only ones it is for; NULL: all */
  const char *pattern;   /* PCRE2's, in UTF-8, \d and the like as Unicode has them. Must be linear in the text. */
  const char *by;        /* $1: what the first group matched */
} ci_rewrite;

typedef struct ci_rewriter ci_rewriter;

/* The rules for a language (a code between spaces). Rows stay the caller's and must live as long. Two names may stand
 * in patterns: {alpha} and the other rows of moses_characters.def, inside a class, and {s}, Python's white space. */
ci_status ci_rewriter_open(const ci_rewrite *rules, size_t count, const char *language, ci_rewriter **rewriter,
                           ci_error *err);
/* Every match of every rule, in place. text: valid UTF-8. */
ci_status ci_rewriter_run(const ci_rewriter *rewriter, ci_text *text, ci_error *err);
/* Does the rule with this number match in the text? What it would put there does not count. */
ci_status ci_rewriter_matches(const ci_rewriter *rewriter, size_t rule, const char *text, size_t length, bool *matches,
                              ci_error *err);
void ci_rewriter_close(ci_rewriter *rewriter);

#endif
