/* Value zeroing (Mohebbi et al. 2023): what the rows of a block become when the value of one key is zero in its
 * attention, the block's input being that of the text itself. */
#ifndef CI_ENGINE_ZEROING_H
#define CI_ENGINE_ZEROING_H
#include "engine/subject.h"

typedef struct {
  int attention;              /* the node whose values become zero, one key at a time */
  const unsigned char *heads; /* [its heads] not 0: those whose values do */
  int output;                 /* the node that is compared: what follows from the attention, row by row */
  size_t first, count;        /* positions that are compared, of the attention's queries */
  double (*distance)(const ci_kernels *kernels, const float *clean, const float *changed, size_t width);
} ci_zeroing;

/* out[keys, count]: distance of the output's rows from those of the text; NaN where a query stands before the key. Only
 * what follows from the attention is computed, and only rows that see the key. The run must keep queries
 * (CI_KEEP_BOUNDARIES). */
ci_status ci_subject_zero_values(ci_subject *subject, const ci_zeroing *zeroing, double *out, ci_error *err);

/* The node that holds what a layer gives to whoever comes after it: the last of the attention's block, after the last
 * block what the head (decoder) or cross-attention (encoder) reads, final norm included: transformers' hidden_states.
 */
int ci_layer_output(const ci_graph *graph, int attention);

#endif
