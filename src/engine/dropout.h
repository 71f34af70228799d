/* Dropout (Srivastava et al. 2014), as in training: a number becomes 0 with the node's chance p, else 1 / (1 - p) times
 * itself. Whether it does is a function of the seed, the pass, the node, the position and the column (attention: the
 * position, head and key), so that passes are the same for every number of threads and cut of the work. */
#ifndef CI_ENGINE_DROPOUT_H
#define CI_ENGINE_DROPOUT_H
#include "engine/run.h"

/* x[count], the numbers from column `first` on of a row of a node. v->stream: the pass. */
void ci_drop(const ci_intervention *v, const ci_node *node, size_t row, size_t first, size_t count, float *x);
/* Rows [first, first + count) of a node's value, of those branches that are under dropout. What attention drops is its
 * own. */
void ci_drop_rows(ci_run *run, int node, size_t first, size_t count);
/* Whether passes of this graph can differ. */
bool ci_graph_drops(const ci_graph *graph);

#endif
