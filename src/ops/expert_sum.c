/* The slots of a row back into one: y[r] = sum_s w[r,s] (x[r,s] W[e]^T + b[e]), e the expert of slot s, added in
 * ascending order of experts. Inputs: x[R, slots, I] and the routing node, whose weights are w. With u[r,s] = dy[r]
 * W[e]: dx[r,s] = w[r,s] u[r,s],  dw[r,s] = x[r,s].u[r,s] + b[e].dy[r] */
#include "engine/buffers.h"
#include "engine/run.h"
#include "ops/params.h"
#include "ops/routing.h"
#include <string.h>

static void forward(const ci_forward_call *call) {
  const ci_node *node = call->node;
  const ci_expert_params *p = node->params;
  ci_routing routing;
  ci_routing_request request = {.run = call->run,
                                .route = node->inputs[1],
                                .experts = p->experts,
                                .first = call->first,
                                .count = call->count,
                                .weighted = true};
  if (!ci_routing_open(&request, &routing)) return;
  memset(call->out, 0, call->count * node->width * sizeof(float));
  ci_grouped_product product = {.weights = p->weights,
                                .bias = p->bias,
                                .groups = &routing.groups,
                                .forward = true,
                                .x = call->in[0],
                                .ldx = ci_weight_inputs(p->weights),
                                .y = call->out,
                                .ldy = node->width,
                                .add = true};
  ci_grouped_run(call->run->compute, &product);
  ci_routing_close(&routing);
}

typedef struct {
  const ci_backward_call *call;
  size_t slots, inner;
  float *u; /* [count, slots, inner]; may be dx[0] */
} gradient_job;

static void gradient_rows(void *context, size_t first, size_t last) {
  const gradient_job *job = context;
  const ci_backward_call *call = job->call;
  const ci_node *node = call->node;
  const ci_expert_params *p = node->params;
  const ci_kernels *kernels = call->run->compute->kernels;
  for (size_t r = first; r < last; r++)
    for (size_t s = 0; s < job->slots; s++) {
      size_t row = (size_t)call->rows[r], at = (r * job->slots + s) * job->inner;
      size_t expert = ci_routing_expert(call->run, node->inputs[1], row, s, p->experts);
      const float *x = ci_run_row(call->run, node->inputs[0], row) + s * job->inner, *u = job->u + at;
      float w = ci_run_row(call->run, node->inputs[1], row)[s];
      if (call->dx[1]) {
        double dw = kernels->sum_products(x, u, job->inner);
        if (p->bias)
          dw += kernels->sum_products(p->bias + expert * node->width, call->dy + r * node->width, node->width);
        float *out = call->dx[1] + r * job->slots + s;
        *out = (float)dw + (call->accumulate[1] ? *out : 0);
      }
      if (!call->dx[0]) continue;
      if (call->accumulate[0])
        kernels->axpy(w, u, call->dx[0] + at, job->inner);
      else
        for (size_t i = 0; i < job->inner; i++) call->dx[0][at + i] = w * u[i];
    }
}

static void vjp(const ci_backward_call *call) {
  const ci_node *node = call->node;
  const ci_expert_params *p = node->params;
  gradient_job job = {.call = call, .slots = call->run->graph->nodes[node->inputs[1]].width};
  job.inner = ci_weight_inputs(p->weights);
  bool aside = !call->dx[0] || call->accumulate[0];
  ci_routing routing;
  ci_routing_request request = {.run = call->run,
                                .route = node->inputs[1],
                                .experts = p->experts,
                                .rows = call->rows,
                                .count = call->count,
                                .spread = true};
  if (!ci_routing_open(&request, &routing)) return;
  job.u = aside ? ci_buffers_take(call->run->buffers, call->count * job.slots * job.inner) : call->dx[0];
  if (!job.u) atomic_store(&call->run->compute->no_memory, true);
  ci_grouped_product product = {.weights = p->weights,
                                .groups = &routing.groups,
                                .x = call->dy,
                                .ldx = node->width,
                                .y = job.u,
                                .ldy = job.inner};
  if (job.u) {
    ci_grouped_run(call->run->compute, &product);
    ci_compute_rows(call->run->compute, call->count, 4.0 * (double)(job.slots * job.inner), gradient_rows, &job);
  }
  if (aside) ci_buffers_give(call->run->buffers, job.u);
  ci_routing_close(&routing);
}

const ci_op ci_op_expert_sum = {.id = "expert_sum",
                                .help = "the weighted sum of the experts' outputs",
                                .vjp_reads = true,
                                .forward = forward,
                                .vjp = vjp, .rescale = vjp};
