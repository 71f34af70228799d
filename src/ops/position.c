/* y = x + P[position + offset]: learned or sinusoidal positions. dx = dy. */
#include "engine/run.h"
#include "ops/params.h"
#include <string.h>

static void forward(const ci_forward_call *call) {
  const ci_node *node = call->node;
  const ci_position_params *params = node->params;
  const int32_t *positions = call->run->spaces[node->space].positions + call->first;
  const ci_kernels *kernels = call->run->compute->kernels;
  for (size_t r = 0; r < call->count; r++) {
    float *y = call->out + r * node->width;
    node->weight.type->panel(kernels, &node->weight, (size_t)positions[r] + params->offset, 1, 0, node->width, y);
    kernels->axpy(1, call->in[0] + r * node->width, y, node->width);
  }
}

static void vjp(const ci_backward_call *call) {
  size_t n = call->count * call->node->width;
  if (call->accumulate[0]) call->run->compute->kernels->axpy(1, call->dy, call->dx[0], n);
  else memcpy(call->dx[0], call->dy, n * sizeof(float));
}

const ci_op ci_op_position = {.id = "position", .help = "x plus the position's row of a table", .forward = forward, .vjp = vjp, .rescale = vjp};
