/* y = a + b: the residual connection. */
#include "engine/run.h"
#include "ops/op.h"
#include <string.h>

typedef struct {
  const float *a, *b;
  float *y;
} job;

static void add_range(void *context, size_t first, size_t last) {
  const job *j = context;
  for (size_t i = first; i < last; i++) j->y[i] = j->a[i] + j->b[i];
}

static void copy_range(void *context, size_t first, size_t last) {
  const job *j = context;
  memcpy(j->y + first, j->a + first, (last - first) * sizeof(float));
}

static void forward(const ci_forward_call *call) {
  job j = {call->in[0], call->in[1], call->out};
  ci_compute_rows(call->run->compute, call->count * call->node->width, 1, add_range, &j);
}

static void vjp(const ci_backward_call *call) {
  size_t n = call->count * call->node->width;
  for (int i = 0; i < 2; i++) {
    if (!call->dx[i]) continue;
    job j = {call->dy, call->dx[i], call->dx[i]};
    ci_compute_rows(call->run->compute, n, 1, call->accumulate[i] ? add_range : copy_range, &j);
  }
}

const ci_op ci_op_add = {.id = "add", .help = "a + b", .forward = forward, .vjp = vjp, .rescale = vjp};
