/* y[R,O] = x[R,I] W[O,I]^T + b[O]. dx[R,I] = dy[R,O] W: weights are constants, so nothing of the forward is needed. */
#include "engine/run.h"
#include "ops/op.h"

static void forward(const ci_forward_call *call) {
  const ci_node *node = call->node;
  ci_weight_forward(call->run->compute, &node->weight, call->count, call->in[0], ci_weight_inputs(&node->weight), call->out,
                    node->width, node->bias);
}

static void vjp(const ci_backward_call *call) {
  const ci_node *node = call->node;
  ci_weight_backward(call->run->compute, &node->weight, call->count, call->dy, node->width, call->dx[0],
                     ci_weight_inputs(&node->weight), call->accumulate[0]);
}

const ci_op ci_op_linear = {.id = "linear", .help = "x W^T + b", .forward = forward, .vjp = vjp, .rescale = vjp};
