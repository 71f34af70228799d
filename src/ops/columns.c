/* y = blocks of columns of x: a query, key or value out of one product, where they stand in turns (GPT-NeoX: each head's three
 * beside each other). dx is dy in those columns and 0 elsewhere. */
#include "engine/run.h"
#include "ops/params.h"
#include <string.h>

static void forward_rows(void *context, size_t first, size_t last) {
  const ci_forward_call *call = context;
  const ci_columns_params *params = call->node->params;
  size_t width = call->node->width, inputs = call->run->graph->nodes[call->node->inputs[0]].width;
  for (size_t r = first; r < last; r++)
    for (size_t i = 0; i < params->count; i++)
      memcpy(call->out + r * width + i * params->block, call->in[0] + r * inputs + params->first + i * params->stride,
             params->block * sizeof(float));
}

static void forward(const ci_forward_call *call) {
  ci_compute_rows(call->run->compute, call->count, (double)call->node->width, forward_rows, (void *)call);
}

static void gradient_rows(void *context, size_t first, size_t last) {
  const ci_backward_call *call = context;
  const ci_columns_params *params = call->node->params;
  size_t width = call->node->width, inputs = call->run->graph->nodes[call->node->inputs[0]].width;
  for (size_t r = first; r < last; r++) {
    float *dx = call->dx[0] + r * inputs;
    if (!call->accumulate[0]) memset(dx, 0, inputs * sizeof(float));
    for (size_t i = 0; i < params->count; i++)
      call->run->compute->kernels->axpy(1, call->dy + r * width + i * params->block, dx + params->first + i * params->stride,
                                        params->block);
  }
}

static void vjp(const ci_backward_call *call) {
  double inputs = (double)call->run->graph->nodes[call->node->inputs[0]].width;
  ci_compute_rows(call->run->compute, call->count, inputs, gradient_rows, (void *)call);
}

const ci_op ci_op_columns = {.id = "columns", .help = "some of the columns of x", .forward = forward, .vjp = vjp, .rescale = vjp};
