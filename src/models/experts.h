/* The feed-forward of a mixture of experts from a description, for the hook of blocks (ci_mlp_shape.build). Nodes:
 *   mlp.router        logits [experts]
 *   mlp.route         weights of the row's slots
 *   mlp.experts.gate, .up, .activation, .gated   [slots, inner]
 *   mlp.experts       their weighted sum
 *   mlp.shared.*      what all rows go through besides; mlp.output the sum of both */
#ifndef CI_MODELS_EXPERTS_H
#define CI_MODELS_EXPERTS_H
#include "models/decoder.h"

/* The matrices of all experts for one step. Names are of tensors, b->weights in front. */
typedef struct {
  const char *weight; /* with %d for the expert's number: a tensor an expert; else one tensor, expert after expert */
  const char *bias;   /* the same; NULL: none */
  bool by_input;      /* matrices are [inputs, outputs] */
  size_t first, of;   /* outputs [first, first + n) of the expert's `of`; of 0: all */
} ci_expert_matrix;

typedef struct {
  size_t inner;
  const char *router, *router_bias; /* tensors [experts, width] and [experts]; bias NULL: none */
  bool plain_router;                /* a parameter, no nn.Linear: never in 8 bits */
  const char *selection_bias;       /* tensor of route.selection_bias; NULL: none */
  ci_route_params route;
  ci_expert_matrix gate; /* weight NULL: down(act(up(x))) */
  ci_expert_matrix up, down;
  const char *activation;
  double limit, slope; /* limit not 0: up holds pairs (gate, up) of 2 inner outputs, see ops/pair_gate.c */
  const ci_mlp_shape *shared;
  const char *shared_gate; /* linear layer with one output: its sigmoid weighs the shared part; NULL: it counts whole */
} ci_experts_shape;

/* Experts and slots from the configuration: weights are the softmax of the router's logits, divided by their sum over
 * the chosen when normalised (the same as a softmax over the chosen logits alone). */
ci_route_params ci_experts_route(ci_builder *b, const char *experts_key, const char *slots_key, bool normalised);

/* DeepSeek-V3's kind: sigmoids with a bias that only chooses, groups of experts, shared experts for all rows (*shared
 * is filled in). d: what the decoder's other layers have. */
ci_experts_shape ci_experts_like_deepseek(ci_builder *b, const ci_decoder *d, ci_mlp_shape *shared);
/* ci_decoder.layer: the first "first_k_dense_replace" layers have no experts. */
void ci_experts_after_first(ci_builder *b, const ci_decoder *d, int index, ci_block *block);

/* block->mlp.own is the ci_experts_shape. */
int ci_add_experts(ci_builder *b, const ci_block *block, int x);

#endif
