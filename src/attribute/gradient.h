/* What methods that work by gradients share: where gradients are taken, along which points, and what becomes of them.
 */
#ifndef CI_ATTRIBUTE_GRADIENT_H
#define CI_ATTRIBUTE_GRADIENT_H
#include "attribute/attribution.h"
#include "engine/walk.h"

/* What becomes of a gradient g [n] at an input x with baseline b (NULL when there is none): in place. */
typedef void ci_reduction(const float *x, const float *b, float *g, size_t n);
ci_reduction ci_as_it_is, ci_times_difference, ci_times_input; /* g; g (x - b); g x */

/* The nodes that are attributed, by space; -1: none. */
typedef struct {
  int nodes[CI_SPACES];
  float *text[CI_SPACES], *baseline[CI_SPACES]; /* [rows, width] values that ci_leaf_values was asked for */
} ci_leaves;
/* layer -1: the input nodes of the spaces that are wanted. */
void ci_leaves_open(const ci_attribution *a, int layer, ci_leaves *leaves);
void ci_leaves_close(ci_leaves *leaves);
/* values[rows, width] of a leaf for the text or for the baseline, computed once; the leaves' own. */
ci_status ci_leaf_values(ci_attribution *a, ci_leaves *leaves, ci_space_id space, bool baseline, const float **values,
                         ci_error *err);
/* values[i][rows, width] of nodes for the text, or for the baseline in the spaces that are wanted; the caller's (NULL
 * before), also after an error. */
ci_status ci_node_values(ci_attribution *a, const int *nodes, size_t count, bool baseline, float **values,
                         ci_error *err);

/* The array that granular scores of a node go to, [row, target, width]: zeros where a target sees the row, else NaN.
 * Once made it stays. */
ci_status ci_open_scores(ci_attribution *a, int node, float **data, ci_error *err);

typedef struct {
  const ci_point *points; /* of the straight line from the baseline; NULL: the text itself */
  size_t point_count;
  const double *weights; /* [point_count, targets] instead of the points': 0 where a point is not for a target; NULL */
  bool rescale;          /* by the rescale rule, against the baseline */
  ci_reduction *reduce;
  const bool *skip; /* [targets] whose scores are there already; NULL: none */
} ci_gradient_request;

/* Gradients by the leaves, summed over the points and reduced, as granular scores of the result. */
ci_status ci_attribute_leaves(ci_attribution *a, ci_leaves *leaves, const ci_gradient_request *request, ci_error *err);
/* The same of leaves that nothing else is asked about. */
ci_status ci_attribute_by_gradient(ci_attribution *a, int layer, const ci_gradient_request *request, ci_error *err);

#endif
