/* y[r] = W[id of row r]: the token embedding. Ids have no gradient. */
#include "engine/run.h"
#include "ops/op.h"

static void forward(const ci_forward_call *call) {
  const ci_node *node = call->node;
  const int32_t *ids = call->run->spaces[node->space].ids + call->first;
  for (size_t r = 0; r < call->count; r++)
    node->weight.type->panel(call->run->compute->kernels, &node->weight, (size_t)ids[r], 1, 0, node->width,
                             call->out + r * node->width);
}

const ci_op ci_op_embedding = {.id = "embedding", .help = "a row of the embedding matrix for each token id", .forward = forward};
