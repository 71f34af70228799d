/* Which token of a contrast each attributed token is compared with (spec 6.1). */
#ifndef CI_ATTRIBUTE_ALIGNMENT_H
#define CI_ATTRIBUTE_ALIGNMENT_H
#include "base/error.h"
#include "base/json.h"
#include <stddef.h>

typedef struct {
  size_t text, contrast; /* positions */
} ci_aligned_pair;

typedef struct {
  ci_aligned_pair *items;
  size_t count;
} ci_aligned_pairs;

/* Pairs as a request gives them: an array of [position, contrast position], or one such array for each of `texts`
 * texts, of which the one at `index` is read. Positions lie in texts of `length` and `contrast_length` tokens.
 * ci_free(pairs->items). */
ci_status ci_alignment_read(const json_t *given, size_t index, size_t texts, size_t length, size_t contrast_length,
                            ci_aligned_pairs *pairs, ci_error *err);
/* Pairs of tokens that are each other's nearest by the cosine of their embeddings (SimAlign's "argmax", Jalili Sabet et
 * al. 2020, arXiv:2004.08728, with its distortion: of equally near ones those at the like place win). a: [rows, width],
 * b: [contrast_rows, width]. ci_free(pairs->items). */
ci_status ci_alignment_by_embeddings(const float *a, size_t rows, const float *b, size_t contrast_rows, size_t width,
                                     ci_aligned_pairs *pairs, ci_error *err);
/* aligned[end - start]: for each position of [start, end) the contrast's: of its pairs the first whose partner is not
 * taken yet, else the first; without a pair the token as far from the end, or the last if the contrast is too short for
 * that (*short_of: how many such there are). Sorts the pairs. */
void ci_alignment_fill(ci_aligned_pairs *pairs, size_t start, size_t end, size_t contrast_length, size_t *aligned,
                       size_t *short_of);

#endif
