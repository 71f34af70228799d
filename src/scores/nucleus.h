/* Which tokens of a distribution are kept by top_p and top_k, as Inseq (and transformers) choose them. */
#ifndef CI_SCORES_NUCLEUS_H
#define CI_SCORES_NUCLEUS_H
#include <stddef.h>
#include <stdint.h>

/* sorted[n] logits are sorted in descending order. How many of them stay: all whose probability together with that of
 * all smaller ones is above 1 - top_p, at least `least`; of these the top_k largest (0: all) and their equals. 1 <=
 * least <= n. */
size_t ci_nucleus(float *sorted, size_t n, double top_p, size_t top_k, size_t least);

#endif
