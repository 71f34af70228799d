/* y[r] = x[decoder row that output row r asks for]: only rows whose logits are wanted go on to the head. The adjoint rows of
 * both sides are one a group, in the same order, so dx = dy. */
#include "engine/run.h"
#include "ops/op.h"
#include <string.h>

static void forward(const ci_forward_call *call) {
  const ci_node *node = call->node;
  const int32_t *rows = call->run->spaces[CI_OUTPUT].ids + call->first;
  for (size_t r = 0; r < call->count; r++)
    memcpy(call->out + r * node->width, ci_run_row(call->run, node->inputs[0], (size_t)rows[r]), node->width * sizeof(float));
}

static void vjp(const ci_backward_call *call) {
  size_t n = call->count * call->node->width;
  if (call->accumulate[0]) call->run->compute->kernels->axpy(1, call->dy, call->dx[0], n);
  else memcpy(call->dx[0], call->dy, n * sizeof(float));
}

const ci_op ci_op_select = {
    .id = "select", .help = "the rows whose logits are wanted", .mixes_rows = true, .forward = forward, .vjp = vjp, .rescale = vjp};
