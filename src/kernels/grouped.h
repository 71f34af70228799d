/* Products in which each row has a matrix of its own out of several of one shape: the experts of a mixture. Rows are
 * grouped by matrix, so that each matrix is read once for all its rows. */
#ifndef CI_KERNELS_GROUPED_H
#define CI_KERNELS_GROUPED_H
#include "kernels/compute.h"

/* Row `in` of x goes through the group's matrix into row `out` of y. */
typedef struct {
  size_t in, out;
  float factor;
} ci_group_item;

/* items[begin[g] .. begin[g + 1]) are those of matrix g. */
typedef struct {
  size_t count;
  const size_t *begin; /* [count + 1] */
  const ci_group_item *items;
} ci_groups;

typedef struct {
  const ci_weight *weights; /* [groups->count], of one shape */
  const float *bias;        /* [groups->count, width of y], added before the factor; NULL: none */
  const ci_groups *groups;
  bool forward; /* x W^T, else x W */
  const float *x;
  size_t ldx;
  float *y;
  size_t ldy;
  /* false: y[out] = product of the one item that has this `out`, factors are not read. true: y[out] += factor x
   * product, in ascending order of matrices. */
  bool add;
} ci_grouped_product;

/* Parts are columns of y: no two write the same place, and sums have one order for any number of threads. */
void ci_grouped_run(ci_compute *compute, const ci_grouped_product *product);

#endif
