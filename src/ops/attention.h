/* Reading attention probabilities of a run. */
#ifndef CI_OPS_ATTENTION_H
#define CI_OPS_ATTENTION_H
#include "engine/run.h"

/* out[keys] = probabilities with which `position` of `branch` looks at each key, in one head of an attention node; keys:
 * position + 1 when causal, else all of the key branch. Needs kept queries and keys. */
void ci_attention_weights(const ci_run *run, int node, int branch, size_t position, size_t head, float *out);

/* out[width], the attention node's value at `position` of `branch`: takes away P[position, key] v[key] in the heads for which
 * heads[head] is not 0, which is what stays when that value is zero. */
void ci_attention_without(const ci_run *run, int node, int branch, size_t position, size_t key, const unsigned char *heads,
                          float *out);

#endif
