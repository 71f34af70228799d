/* The tokens whose embeddings are nearest to a token's, found when asked for: one product of the asked tokens'
 * embeddings with the table, instead of a graph of the whole vocabulary. */
#ifndef CI_ATTRIBUTE_NEIGHBOURS_H
#define CI_ATTRIBUTE_NEIGHBOURS_H
#include "engine/graph.h"

typedef struct {
  ci_compute *compute;
  const ci_weight *table; /* [vocabulary, width] */
  size_t vocabulary, width, count;
  double *squares; /* [vocabulary] squared lengths of the rows */
  int32_t **of;    /* [vocabulary] NULL: not asked for yet; else [count], nearest first */
} ci_neighbours;

/* count: of each token, at most vocabulary - 1. ci_neighbours_close also after a failure. */
ci_status ci_neighbours_open(ci_neighbours *n, ci_compute *compute, const ci_weight *table, size_t count,
                             ci_error *err);
void ci_neighbours_close(ci_neighbours *n);
/* Finds the neighbours of these tokens: n->of[id] is there afterwards. */
ci_status ci_neighbours_find(ci_neighbours *n, const int32_t *ids, size_t count, ci_error *err);
/* out[width] = the row of a token */
void ci_neighbours_row(const ci_neighbours *n, int32_t id, float *out);

#endif
