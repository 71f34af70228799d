/* What happens to attention scores between the product of queries and keys and the softmax. */
#ifndef CI_OPS_ATTENTION_SCORES_H
#define CI_OPS_ATTENTION_SCORES_H
#include "ops/params.h"

/* s[n]: products q.k of the query at `position` with keys first.. of one head. Caps and biases them in place and returns the
 * factor that is still to be applied: params->scale when there is nothing to do, else 1. slopes[n]: the cap's derivative at each
 * score, if not NULL (params->soft_cap > 0). */
float ci_attention_adjust(const ci_kernels *kernels, const ci_attention_params *params, size_t head, size_t position,
                          size_t first, size_t n, float *s, float *slopes);

#endif
