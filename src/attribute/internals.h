/* What methods that look into the model share: its attention nodes, which of their layers and heads are asked for, and
 * scores that belong to a whole sequence. */
#ifndef CI_ATTRIBUTE_INTERNALS_H
#define CI_ATTRIBUTE_INTERNALS_H
#include "attribute/attribution.h"

/* Attention nodes of one kind, by layer. */
typedef struct {
  int nodes[CI_MOST_LAYERS];
  size_t layers, heads;
} ci_attention_nodes;

/* Those whose queries are rows of one space and whose keys are rows of the other. */
void ci_find_attention(const ci_graph *graph, ci_space_id query, ci_space_id key, ci_attention_nodes *out);

/* Which of `count` things an option asks for: null all, an integer one, [1, 3] those, "1:3" those from 1 up to but
 * without 3; negative numbers count from the end. chosen[count]: 0 or 1. Errors name the option and the range. */
ci_status ci_choose(const char *option, const json_t *value, size_t count, unsigned char *chosen, ci_error *err);
size_t ci_count_chosen(const unsigned char *chosen, size_t count);

/* A new sequence score; shape[rank], zeroed. */
ci_status ci_attribution_sequence_score(ci_attribution *a, const char *name, int rank, const size_t *shape,
                                        ci_array **array, ci_error *err);

#endif
