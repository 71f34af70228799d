/* y = x moved into [low, high] (clip_qkv of MPT and OLMo). dx = dy where x lies within, its ends among it, else 0. */
#include "engine/run.h"
#include "ops/params.h"

static void forward_rows(void *context, size_t first, size_t last) {
  const ci_forward_call *call = context;
  const ci_clip_params *params = call->node->params;
  for (size_t i = first * call->node->width; i < last * call->node->width; i++) {
    float x = call->in[0][i]; /* NaN stays */
    call->out[i] = x < params->low ? params->low : x > params->high ? params->high : x;
  }
}

static void forward(const ci_forward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 2.0 * (double)call->node->width, forward_rows, (void *)call);
}

static void gradient_rows(void *context, size_t first, size_t last) {
  const ci_backward_call *call = context;
  const ci_clip_params *params = call->node->params;
  size_t width = call->node->width;
  for (size_t r = first; r < last; r++) {
    const float *x = ci_run_row(call->run, call->node->inputs[0], (size_t)call->rows[r]), *dy = call->dy + r * width;
    float *dx = call->dx[0] + r * width;
    for (size_t i = 0; i < width; i++) {
      float d = x[i] >= params->low && x[i] <= params->high ? dy[i] : 0;
      dx[i] = call->accumulate[0] ? dx[i] + d : d;
    }
  }
}

static void vjp(const ci_backward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 3.0 * (double)call->node->width, gradient_rows, (void *)call);
}

const ci_op ci_op_clip = {.id = "clip", .help = "x moved into a range", .vjp_reads = true, .forward = forward, .vjp = vjp, .rescale = vjp};
