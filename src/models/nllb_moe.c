/* NLLB-MoE (Costa-jussà et al. 2022): M2M100's blocks, of which every sparse_step-th has experts in place of its
 * feed-forward. Each row goes to two, with weights that add up to 1, times what the training's dropout of experts
 * leaves (1 - moe_token_dropout). Experts with room for all rows only (moe_eval_capacity_token_fraction 1, as
 * published): others would make rows depend on each other. */
#include "models/fairseq.h"
#include "ops/routing.h"
#include <stdio.h>
#include <string.h>

typedef struct {
  int step[CI_SIDES]; /* 0: no layer is sparse */
  size_t experts;
  bool router_biased;
  double scale;
} sparse;

/* Matrices and biases of one layer of all experts. */
static ci_expert_params read_experts(ci_builder *b, size_t experts, const char *layer, size_t outputs, size_t inputs) {
  ci_weight *weights = ci_build_alloc(b, experts, sizeof *weights);
  float *bias = ci_build_alloc(b, experts * outputs, sizeof *bias);
  for (size_t e = 0; weights && bias && e < experts && !b->status; e++) {
    char name[96];
    snprintf(name, sizeof name, "ffn.experts.expert_%zu.%s.weight", e, layer);
    weights[e] = ci_weight_linear(b, name, outputs, inputs);
    snprintf(name, sizeof name, "ffn.experts.expert_%zu.%s.bias", e, layer);
    const float *own = ci_vector(b, name, outputs);
    if (own) memcpy(bias + e * outputs, own, outputs * sizeof *bias);
  }
  return (ci_expert_params){.experts = experts, .weights = weights, .bias = bias};
}

static int feed_forward(ci_builder *b, const ci_block *block, int x) {
  const sparse *own = block->mlp.own;
  size_t d = block->width, inner = block->mlp.inner;
  int logits =
      ci_add_linear_named(b, "mlp.router", "ffn.router.classifier", x, own->experts, d, own->router_biased, false);
  int route = ci_add_route(b, "mlp.route", logits,
                           &(ci_route_params){.experts = own->experts, .slots = 2, .norm = 1, .scale = own->scale});
  ci_expert_params up = read_experts(b, own->experts, "fc1", inner, d),
                   down = read_experts(b, own->experts, "fc2", d, inner);
  x = ci_add_expert_linear(b, "mlp.up", x, route, &up);
  x = ci_add_activation(b, "mlp.activation", x, block->mlp.activation);
  return ci_add_expert_sum(b, "mlp.down", x, route, &down);
}

static void set_experts(ci_builder *b, const ci_pair *pair, ci_space_id side, int index, ci_block *block) {
  const sparse *own = pair->own;
  (void)b;
  if (!own->step[side] || (index + 1) % own->step[side]) return;
  block->mlp.build = feed_forward;
  block->mlp.own = own;
}

static void refuse_variants(ci_builder *b) {
  double fraction = ci_config_real(b, "moe_eval_capacity_token_fraction", 1);
  if (!(fraction >= 1))
    ci_build_fail(
        b, "config.json",
        "\"moe_eval_capacity_token_fraction\" is %g: experts that take only a part of the rows make them depend on"
        " each other, which is not supported (only 1 or more)",
        fraction);
  ci_config_only(b, "second_expert_policy", json_string("all"));
  ci_config_only(b, "router_dtype", json_string("float32"));
}

static void build(ci_builder *b) {
  refuse_variants(b);
  ci_pair pair = ci_fairseq_read(b, &(ci_fairseq_shape){.norm_first = true, .final_norm = true}, "d_model");
  sparse own = {.step = {(int)ci_config_int(b, "encoder_sparse_step", 4, 0, CI_MOST_LAYERS),
                         (int)ci_config_int(b, "decoder_sparse_step", 4, 0, CI_MOST_LAYERS)},
                .experts = (size_t)ci_config_int(b, "num_experts", 128, 2, CI_MOST_EXPERTS),
                .router_biased = ci_config_bool(b, "router_bias", false),
                .scale = 1 - ci_config_real(b, "moe_token_dropout", 0.2)};
  ci_fairseq_rename(&pair, "ff_layer_norm");
  ci_fairseq_embed(b, &pair, ci_fairseq_shared);
  ci_fairseq_sines(b, &pair, (size_t)ci_config_int(b, "pad_token_id", 1, 0, 1 << 28) + 1);
  pair.layer = set_experts;
  pair.own = &own;
  ci_build_pair(b, &pair);
}

extern const ci_architecture ci_architecture_nllb_moe;
const ci_architecture ci_architecture_nllb_moe = {.id = "nllb-moe",
                                                  .class_name = "NllbMoeForConditionalGeneration",
                                                  .help = "NLLB-MoE: NLLB-200 with experts",
                                                  .prefix = "model.",
                                                  .defaults =
                                                      "{\"activation_function\": \"relu\", \"scale_embedding\": true, "
                                                      "\"decoder_start_token_id\": 2, \"bos_token_id\": 0,"
                                                      " \"pad_token_id\": 1, \"eos_token_id\": 2}",
                                                  .ignored = ci_fairseq_ignored,
                                                  .build = build};
