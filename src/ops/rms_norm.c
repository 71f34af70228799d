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
    call->run->compute->kernels->norm(x, 0, s, node->scale, NULL, y, node->width);
  }
}

static void forward(const ci_forward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 6.0 * (double)call->node->width, forward_rows, (void *)call);
}

static void gradient_rows(void *context, size_t first, size_t last) {
  const ci_backward_call *call = context;
  const ci_node *node = call->node;
  const ci_kernels *kernels = call->run->compute->kernels;
  size_t width = node->width;
  for (size_t r = first; r < last; r++) {
    const float *x = ci_run_row(call->run, node->inputs[0], (size_t)call->rows[r]), *dy = call->dy + r * width;
    float *dx = call->dx[0] + r * width, s = inverse_root(node, kernels, x);
    double sum_h, sum_hx;
    kernels->norm_sums(dy, node->scale, x, width, &sum_h, &sum_hx);
    kernels->norm_gradient(dy, node->scale, x, 0, s, 0, (float)(sum_hx / (double)width) * s, dx, width, call->accumulate[0]);
  }
}

static void vjp(const ci_backward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 12.0 * (double)call->node->width, gradient_rows, (void *)call);
}

const ci_op ci_op_rms_norm = {.id = "rms_norm", .help = "root mean square normalisation", .vjp_reads = true, .forward = forward, .vjp = vjp};
