/* y = c tanh(x / c): logits that cannot grow beyond c (Gemma 2, 2024). dx = dy (1 - (y / c)^2). */
#include "engine/run.h"
#include "ops/params.h"

static float cap(const ci_node *node) { return ((const ci_soft_cap_params *)node->params)->cap; }

static void forward_rows(void *context, size_t first, size_t last) {
  const ci_forward_call *call = context;
  size_t width = call->node->width;
  call->run->compute->kernels->soft_cap(call->in[0] + first * width, call->out + first * width, (last - first) * width, 1,
                                        cap(call->node));
}

static void forward(const ci_forward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 8.0 * (double)call->node->width, forward_rows, (void *)call);
}

static void gradient_rows(void *context, size_t first, size_t last) {
  const ci_backward_call *call = context;
  const ci_kernels *kernels = call->run->compute->kernels;
  enum { PIECE = 1024 };
  float t[PIECE]; /* tanh(x / c) */
  size_t width = call->node->width;
  for (size_t r = first; r < last; r++) {
    const float *x = ci_run_row(call->run, call->node->inputs[0], (size_t)call->rows[r]), *dy = call->dy + r * width;
    float *dx = call->dx[0] + r * width;
    for (size_t i = 0; i < width; i += PIECE) {
      size_t n = width - i < PIECE ? width - i : PIECE;
      kernels->soft_cap(x + i, t, n, 1 / cap(call->node), 1);
      for (size_t k = 0; k < n; k++) {
        float d = dy[i + k] * (1 - t[k] * t[k]);
        dx[i + k] = call->accumulate[0] ? dx[i + k] + d : d;
      }
    }
  }
}

static void vjp(const ci_backward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 12.0 * (double)call->node->width, gradient_rows, (void *)call);
}

const ci_op ci_op_soft_cap = {
    .id = "soft_cap", .help = "c tanh(x / c)", .vjp_reads = true, .forward = forward, .vjp = vjp, .rescale = vjp};
