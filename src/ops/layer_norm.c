/* y = (x - mean) / sqrt(variance + epsilon) * g + b (Ba et al. 2016). With n = (x - mean) s, s = 1/sqrt(variance + epsilon),
 * and h = dy g:  dx = s (h - mean(h) - n mean(h n)). Statistics are sums in double, over
 * each group (head) of a row apart. */
#include "engine/run.h"
#include "ops/params.h"
#include <math.h>

typedef struct {
  float mean, inverse;
} statistics;

static size_t groups_of(const ci_node *node) { return ((const ci_norm_params *)node->params)->groups; }

static statistics measure(const ci_node *node, const ci_kernels *kernels, const float *x, size_t width) {
  double n = (double)width, mean = kernels->sum(x, width) / n;
  double variance = kernels->sum_squares(x, width, mean) / n;
  return (statistics){(float)mean, (float)(1 / sqrt(variance + ((const ci_norm_params *)node->params)->epsilon))};
}

static void forward_rows(void *context, size_t first, size_t last) {
  const ci_forward_call *call = context;
  const ci_node *node = call->node;
  const ci_kernels *kernels = call->run->compute->kernels;
  size_t n = node->width / groups_of(node);
  for (size_t r = first; r < last; r++)
    for (size_t at = 0; at < node->width; at += n) {
      const float *x = call->in[0] + r * node->width + at;
      statistics s = measure(node, kernels, x, n);
      kernels->norm(x, s.mean, s.inverse, node->scale + at, node->bias ? node->bias + at : NULL,
                    call->out + r * node->width + at, n);
    }
}

static void forward(const ci_forward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 8.0 * (double)call->node->width, forward_rows, (void *)call);
}

static void gradient_group(const ci_backward_call *call, size_t r, size_t at, size_t width) {
  const ci_node *node = call->node;
  const ci_kernels *kernels = call->run->compute->kernels;
  const float *x = ci_run_row(call->run, node->inputs[0], (size_t)call->rows[r]) + at, *scale = node->scale + at;
  const float *dy = call->dy + r * node->width + at;
  float *dx = call->dx[0] + r * node->width + at;
  statistics s = measure(node, kernels, x, width);
  double sum_h, sum_hx, n = (double)width;
  kernels->norm_sums(dy, scale, x, width, &sum_h, &sum_hx);
  double along = (sum_hx - (double)s.mean * sum_h) * (double)s.inverse; /* sum of h times the normalised x */
  kernels->norm_gradient(dy, scale, x, s.mean, s.inverse, (float)(sum_h / n), (float)(along / n), dx, width, call->accumulate[0]);
}

static void gradient_rows(void *context, size_t first, size_t last) {
  const ci_backward_call *call = context;
  size_t n = call->node->width / groups_of(call->node);
  for (size_t r = first; r < last; r++)
    for (size_t at = 0; at < call->node->width; at += n) gradient_group(call, r, at, n);
}

static void vjp(const ci_backward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 16.0 * (double)call->node->width, gradient_rows, (void *)call);
}

const ci_op ci_op_layer_norm = {.id = "layer_norm", .help = "layer normalisation", .vjp_reads = true, .forward = forward, .vjp = vjp, .rescale = vjp};
