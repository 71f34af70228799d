/* y[r,:] = g[r] x[r,:]: a row times a number of its own. dx = g dy, dg = dy.x. Inputs: x[R,D], g[R,1]. */
#include "engine/run.h"
#include "ops/op.h"

static void forward_rows(void *context, size_t first, size_t last) {
  const ci_forward_call *call = context;
  size_t width = call->node->width;
  for (size_t r = first; r < last; r++)
    for (size_t i = 0; i < width; i++) call->out[r * width + i] = call->in[1][r] * call->in[0][r * width + i];
}

static void forward(const ci_forward_call *call) {
  ci_compute_rows(call->run->compute, call->count, (double)call->node->width, forward_rows, (void *)call);
}

static void gradient_rows(void *context, size_t first, size_t last) {
  const ci_backward_call *call = context;
  const ci_node *node = call->node;
  const ci_kernels *kernels = call->run->compute->kernels;
  size_t width = node->width;
  for (size_t r = first; r < last; r++) {
    const float *x = ci_run_row(call->run, node->inputs[0], (size_t)call->rows[r]), *dy = call->dy + r * width;
    float g = *ci_run_row(call->run, node->inputs[1], (size_t)call->rows[r]);
    float *dx = call->dx[0] ? call->dx[0] + r * width : NULL, *dg = call->dx[1] ? call->dx[1] + r : NULL;
    if (dg) *dg = (float)kernels->sum_products(dy, x, width) + (call->accumulate[1] ? *dg : 0);
    if (dx && call->accumulate[0])
      kernels->axpy(g, dy, dx, width);
    else if (dx)
      for (size_t i = 0; i < width; i++) dx[i] = g * dy[i];
  }
}

static void vjp(const ci_backward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 3.0 * (double)call->node->width, gradient_rows, (void *)call);
}

const ci_op ci_op_gate = {
    .id = "gate", .help = "each row times a number of its own", .vjp_reads = true, .forward = forward, .vjp = vjp, .rescale = vjp};
