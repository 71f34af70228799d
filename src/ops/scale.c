/* y = s x: the embedding scale sqrt(d). */
#include "engine/run.h"
#include "ops/params.h"

static float factor(const ci_node *node) { return ((const ci_scale_params *)node->params)->factor; }

static void forward(const ci_forward_call *call) {
  size_t n = call->count * call->node->width;
  for (size_t i = 0; i < n; i++) call->out[i] = call->in[0][i] * factor(call->node);
}

static void vjp(const ci_backward_call *call) {
  size_t n = call->count * call->node->width;
  for (size_t i = 0; i < n; i++) {
    float d = call->dy[i] * factor(call->node);
    call->dx[0][i] = call->accumulate[0] ? call->dx[0][i] + d : d;
  }
}

const ci_op ci_op_scale = {.id = "scale", .help = "a constant times x", .forward = forward, .vjp = vjp, .rescale = vjp};
