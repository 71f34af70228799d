/* Which tokens may stand in a token's place: those of its kind (does it begin a word; does its first letter look like a
 * small or capital letter, a digit, punctuation or something else) that are nearest to it in rank. Vocabularies are
 * ordered by merges or by probability, so near ranks are tokens of like frequency. Special tokens, and tokens without a
 * neighbour, have no replacement. */
#ifndef CI_ATTRIBUTE_REPLACEMENTS_H
#define CI_ATTRIBUTE_REPLACEMENTS_H
#include "base/error.h"
#include "models/model.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ci_replacements ci_replacements;

/* most: candidates for a token, itself not among them; 0: all of its kind. */
ci_status ci_replacements_open(const ci_model *model, size_t most, ci_replacements **replacements, ci_error *err);
void ci_replacements_close(ci_replacements *replacements);
/* The candidate that a uniform number u in [0, 1) stands for; the id itself when there is none. */
int32_t ci_replacements_draw(const ci_replacements *replacements, int32_t id, double u);

#endif
