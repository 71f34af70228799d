/* An operation: shapes, forward and vector-Jacobian product side by side in one file; a row of ops.def.
 *
 * Row-wise ops compute row r of their output from row r of their inputs; only attention mixes rows. The vjp maps adjoint rows
 * dy to dx for each input that wants it. A missing rule is an error that names the op, never a silent zero. */
#ifndef CI_OPS_OP_H
#define CI_OPS_OP_H
#include "engine/graph.h"

struct ci_run;
struct ci_adjoint;

/* Rows [first, first + count) of the node's space. in[i] points to row `first` of input i (row-wise ops). */
typedef struct {
  struct ci_run *run;
  const ci_node *node;
  size_t first, count;
  const float *in[CI_MOST_INPUTS];
  float *out;
  float *kept; /* row `first` of what the op keeps beside its output */
} ci_forward_call;

/* `count` adjoint rows; rows[i] is the forward row of adjoint row i in the node's space. dx[i] is NULL when input i wants
 * nothing; otherwise it has the same adjoint rows (attention: see there), overwritten or, if accumulate[i], added to. */
typedef struct {
  struct ci_run *run;
  const ci_node *node;
  const struct ci_adjoint *adjoint;
  int set; /* which rows of the adjoint dy has: see adjoint.h */
  size_t count;
  const int32_t *rows;
  const int32_t *reference; /* the same of the reference, for the rescale rule; NULL in the vjp */
  const float *dy;
  float *dx[CI_MOST_INPUTS];
  bool accumulate[CI_MOST_INPUTS];
} ci_backward_call;

struct ci_op {
  const char *id;
  const char *help;
  bool mixes_rows;
  bool vjp_reads; /* the vjp reads the values of the op's inputs */
  bool is_cheap;  /* no plan keeps the value: it is made again from the input, which is kept for the op's own vjp */
  void (*forward)(const ci_forward_call *call);
  void (*vjp)(const ci_backward_call *call); /* NULL: no gradient flows through */
  /* DeepLift's rescale rule (Shrikumar et al. 2017): dx = dy (y - y') / (x - x'), x' and y' being the reference's. What is linear, and
   * what Captum leaves to the gradient, says its vjp here. */
  void (*rescale)(const ci_backward_call *call);
};

#define CI_OP(member) extern const ci_op ci_op_##member;
#include "ops/ops.def"
#undef CI_OP

/* Rows by index, NULL past the end. */
const ci_op *ci_op_at(size_t index);

#endif
