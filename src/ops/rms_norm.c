/* y = x / sqrt(mean(x^2) + epsilon) * g (Zhang & Sennrich 2019). With s = 1/sqrt(mean(x^2) + epsilon) and h = dy g:
 * dx = s (h - x s^2 mean(h x)). Statistics are sums in double. */
#include "engine/run.h"
#include "ops/params.h"
#include <math.h>

static float inverse_root(const ci_node *node, const ci_kernels *kernels, const float *x) {
  double square = kernels->sum_squares(x, node->width, 0) / (double)node->width;
  return (float)(1 / sqrt(square + ((const ci_norm_params *)node->params)->epsilon));
}

static void forward_rows(void *context, size_t first, size_t last) {
  const ci_forward_call *call = context;
  const ci_node *node = call->node;
  for (size_t r = first; r < last; r++) {
    const float *x = call->in[0] + r * node->width;
    float *y = call->out + r * node->width, s = inverse_root(node, call->run->compute->kernels, x);
    for (size_t i = 0; i < node->width; i++) y[i] = x[i] * s * node->scale[i];
  }
}

static void forward(const ci_forward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 6.0 * (double)call->node->width, forward_rows, (void *)call);
}

static void gradient_rows(void *context, size_t first, size_t last) {
  const ci_backward_call *call = context;
  const ci_node *node = call->node;
  size_t width = node->width;
  for (size_t r = first; r < last; r++) {
    const float *x = ci_run_row(call->run, node->inputs[0], (size_t)call->rows[r]), *dy = call->dy + r * width;
    float *dx = call->dx[0] + r * width, s = inverse_root(node, call->run->compute->kernels, x);
    double along = 0;
    for (size_t i = 0; i < width; i++) along += (double)(dy[i] * node->scale[i] * x[i]);
    float b = (float)(along / (double)width) * s * s;
    for (size_t i = 0; i < width; i++) {
      float d = s * (dy[i] * node->scale[i] - x[i] * b);
      dx[i] = call->accumulate[0] ? dx[i] + d : d;
    }
  }
}

static void vjp(const ci_backward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 12.0 * (double)call->node->width, gradient_rows, (void *)call);
}

const ci_op ci_op_rms_norm = {.id = "rms_norm", .help = "root mean square normalisation", .vjp_reads = true, .forward = forward, .vjp = vjp};
