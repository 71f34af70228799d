/* Adjoint rows: (branch, target step t, position p < t), p = t-1 being the row that predicts t. The vector-Jacobian products
 * of all targets of a block run as one ragged matrix. Four sets of rows occur:
 *   CI_SET_OUTPUT  one row a group: the logits row of its target
 *   CI_SET_TOP     one row a group: the decoder row that predicts (what the last block's outputs have)
 *   CI_SET_FULL    decoder rows first..predictor of each group
 *   CI_SET_SOURCE  all source rows of each group's source branch */
#ifndef CI_ENGINE_ADJOINT_H
#define CI_ENGINE_ADJOINT_H
#include "engine/graph.h"

enum { CI_SET_NONE = -1, CI_SET_OUTPUT, CI_SET_TOP, CI_SET_FULL, CI_SET_SOURCE, CI_SETS };

/* One target of one branch. */
typedef struct {
  int branch;           /* in CI_DECODER */
  size_t target;        /* the caller's number of the target */
  size_t point;         /* the caller's number of what the branch is */
  size_t predictor;     /* position of the row that predicts it */
  size_t first;         /* lowest position whose gradient is wanted */
  size_t output_row;    /* row of CI_OUTPUT with its logits */
  size_t full;          /* where its rows begin in CI_SET_FULL; predictor - first + 1 of them */
  size_t source, source_count; /* the same in CI_SET_SOURCE */
  int source_branch;    /* in CI_ENCODER, -1: none */
  bool rescales;        /* by the rescale rule, against the rows of another branch; the same for all groups of a block */
  int reference;        /* that branch */
  size_t reference_output_row;
} ci_adjoint_group;

typedef struct ci_adjoint {
  ci_adjoint_group *groups; /* in ascending order of branch */
  size_t count;
  size_t rows[CI_SETS];          /* how many rows a set has */
  int32_t *forward[CI_SETS];     /* the forward row of each */
  int32_t *reference[CI_SETS];   /* the forward row of its reference; NULL: the rule is the gradient */
  int32_t *top_in_full;          /* [count] row of CI_SET_FULL that is the group's row of CI_SET_TOP */
} ci_adjoint;

#endif
