/* y = x / sqrt(mean(x^2) + epsilon) * g (Zhang & Sennrich 2019). With s = 1/sqrt(mean(x^2) + epsilon) and h = dy g:
 * dx = s (h - x s^2 mean(h x)). Statistics are sums in double, over each group (head) of a row apart. */
#include "engine/run.h"
#include "ops/params.h"
#include <math.h>

static size_t groups_of(const ci_node *node) { return ((const ci_norm_params *)node->params)->groups; }

static float inverse_root(const ci_node *node, const ci_kernels *kernels, const float *x, size_t n) {
  double square = kernels->sum_squares(x, n, 0) / (double)n;
  return (float)(1 / sqrt(square + ((const ci_norm_params *)node->params)->epsilon));
}

static void forward_rows(void *context, size_t first, size_t last) {
  const ci_forward_call *call = context;
  const ci_node *node = call->node;
  const ci_kernels *kernels = call->run->compute->kernels;
  size_t n = node->width / groups_of(node);
  for (size_t r = first; r < last; r++)
    for (size_t at = 0; at < node->width; at += n) {
      const float *x = call->in[0] + r * node->width + at;
      kernels->norm(x, 0, inverse_root(node, kernels, x, n), node->scale + at, NULL, call->out + r * node->width + at, n);
    }
}

static void forward(const ci_forward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 6.0 * (double)call->node->width, forward_rows, (void *)call);
}

static void gradient_rows(void *context, size_t first, size_t last) {
  const ci_backward_call *call = context;
  const ci_node *node = call->node;
  const ci_kernels *kernels = call->run->compute->kernels;
  size_t width = node->width, n = width / groups_of(node);
  for (size_t r = first; r < last; r++)
    for (size_t at = 0; at < width; at += n) {
      const float *x = ci_run_row(call->run, node->inputs[0], (size_t)call->rows[r]) + at, *dy = call->dy + r * width + at;
      float *dx = call->dx[0] + r * width + at, s = inverse_root(node, kernels, x, n);
      double sum_h, sum_hx;
      kernels->norm_sums(dy, node->scale + at, x, n, &sum_h, &sum_hx);
      kernels->norm_gradient(dy, node->scale + at, x, 0, s, 0, (float)(sum_hx / (double)n) * s, dx, n, call->accumulate[0]);
    }
}

static void vjp(const ci_backward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 12.0 * (double)call->node->width, gradient_rows, (void *)call);
}

const ci_op ci_op_rms_norm = {.id = "rms_norm", .help = "root mean square normalisation", .vjp_reads = true, .forward = forward, .vjp = vjp, .rescale = vjp};
