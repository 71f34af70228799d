/* y = a b, element by element: gated feed-forward layers. da = dy b, db = dy a. */
#include "engine/run.h"
#include "ops/op.h"

typedef struct {
  const ci_backward_call *call;
  int input; /* whose gradient */
} gradient_job;

static void forward_rows(void *context, size_t first, size_t last) {
  const ci_forward_call *call = context;
  size_t width = call->node->width;
  call->run->compute->kernels->multiply(call->in[0] + first * width, call->in[1] + first * width, call->out + first * width,
                                        (last - first) * width, 0);
}

static void forward(const ci_forward_call *call) {
  ci_compute_rows(call->run->compute, call->count, (double)call->node->width, forward_rows, (void *)call);
}

static void gradient_rows(void *context, size_t first, size_t last) {
  const gradient_job *job = context;
  const ci_backward_call *call = job->call;
  size_t width = call->node->width;
  int other = call->node->inputs[1 - job->input];
  for (size_t r = first; r < last; r++) {
    const float *x = ci_run_row(call->run, other, (size_t)call->rows[r]), *dy = call->dy + r * width;
    float *dx = call->dx[job->input] + r * width;
    call->run->compute->kernels->multiply(dy, x, dx, width, call->accumulate[job->input]);
  }
}

static void vjp(const ci_backward_call *call) {
  for (int input = 0; input < 2; input++) {
    gradient_job job = {call, input};
    if (call->dx[input])
      ci_compute_rows(call->run->compute, call->count, 2.0 * (double)call->node->width, gradient_rows, &job);
  }
}

const ci_op ci_op_multiply = {.id = "multiply", .help = "a * b, element by element", .vjp_reads = true, .forward = forward, .vjp = vjp, .rescale = vjp};
