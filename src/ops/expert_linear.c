/* Each slot of a row through the matrix of its expert: y[R, slots, O]: y[r,s] = x[r] W[e]^T + b[e], e the expert of
 * slot s. Inputs: x[R,I] and the routing node, whose experts alone are read. dx[r] = sum_s dy[r,s] W[e], added in
 * ascending order of experts. */
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
                                .spread = true};
  if (!ci_routing_open(&request, &routing)) return;
  ci_grouped_product product = {.weights = p->weights,
                                .bias = p->bias,
                                .groups = &routing.groups,
                                .forward = true,
                                .x = call->in[0],
                                .ldx = ci_weight_inputs(p->weights),
                                .y = call->out,
                                .ldy = ci_weight_outputs(p->weights)};
  ci_grouped_run(call->run->compute, &product);
  ci_routing_close(&routing);
}

static void vjp(const ci_backward_call *call) {
  const ci_node *node = call->node;
  const ci_expert_params *p = node->params;
  size_t inputs = ci_weight_inputs(p->weights), slots = call->run->graph->nodes[node->inputs[1]].width;
  if (call->dx[1] && !call->accumulate[1]) memset(call->dx[1], 0, call->count * slots * sizeof(float));
  ci_routing routing;
  ci_routing_request request = {
      .run = call->run, .route = node->inputs[1], .experts = p->experts, .rows = call->rows, .count = call->count};
  if (!call->dx[0] || !ci_routing_open(&request, &routing)) return;
  if (!call->accumulate[0]) memset(call->dx[0], 0, call->count * inputs * sizeof(float));
  ci_grouped_product product = {.weights = p->weights,
                                .groups = &routing.groups,
                                .x = call->dy,
                                .ldx = ci_weight_outputs(p->weights),
                                .y = call->dx[0],
                                .ldy = inputs,
                                .add = true};
  ci_grouped_run(call->run->compute, &product);
  ci_routing_close(&routing);
}

const ci_op ci_op_expert_linear = {
    .id = "expert_linear", .help = "x W^T + b with the matrices of each row's experts", .forward = forward, .vjp = vjp, .rescale = vjp};
