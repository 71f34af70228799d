/* Pairs (g, u) of neighbouring columns become one: y = (u' + 1) g' sigmoid(slope g'), g' = min(g, limit),
 * u' = u moved into [-limit, limit] (the gated unit of gpt-oss). Nothing passes to what was moved. */
#include "engine/run.h"
#include "ops/params.h"
#include <math.h>

static float between(float x, float low, float high) {
  return x < low ? low : x > high ? high : x; /* NaN stays */
}

static float sigmoid(float x) {
  return 1 / (1 + expf(-x));
}

static void forward_rows(void *context, size_t first, size_t last) {
  const ci_forward_call *call = context;
  const ci_pair_gate_params *p = call->node->params;
  for (size_t i = first * call->node->width; i < last * call->node->width; i++) {
    float g = between(call->in[0][2 * i], -INFINITY, p->limit),
          u = between(call->in[0][2 * i + 1], -p->limit, p->limit);
    call->out[i] = (u + 1) * g * sigmoid(p->slope * g);
  }
}

static void forward(const ci_forward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 12.0 * (double)call->node->width, forward_rows, (void *)call);
}

static void gradient_rows(void *context, size_t first, size_t last) {
  const ci_backward_call *call = context;
  const ci_pair_gate_params *p = call->node->params;
  size_t width = call->node->width;
  for (size_t r = first; r < last; r++) {
    const float *x = ci_run_row(call->run, call->node->inputs[0], (size_t)call->rows[r]), *dy = call->dy + r * width;
    float *dx = call->dx[0] + r * 2 * width;
    for (size_t i = 0; i < width; i++) {
      float g = between(x[2 * i], -INFINITY, p->limit), u = between(x[2 * i + 1], -p->limit, p->limit);
      float s = sigmoid(p->slope * g), dg = dy[i] * (u + 1) * s * (1 + p->slope * g * (1 - s)), du = dy[i] * g * s;
      if (x[2 * i] > p->limit) dg = 0;
      if (fabsf(x[2 * i + 1]) > p->limit) du = 0;
      dx[2 * i] = dg + (call->accumulate[0] ? dx[2 * i] : 0);
      dx[2 * i + 1] = du + (call->accumulate[0] ? dx[2 * i + 1] : 0);
    }
  }
}

static void vjp(const ci_backward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 24.0 * (double)call->node->width, gradient_rows, (void *)call);
}

const ci_op ci_op_pair_gate = {
    .id = "pair_gate", .help = "clamped gated pairs of columns", .vjp_reads = true, .forward = forward, .vjp = vjp, .rescale = vjp};
