/* NLLB-MoE (Costa-jussà et al. 2022): M2M100's blocks, of which every sparse_step-th has experts in place of its
 * feed-forward. Each row goes to two, with weights that add up to 1, times what the training's dropout of experts
 * leaves (1 - moe_token_dropout). Experts with room for all rows only (moe_eval_capacity_token_fraction 1, as
 * published): others would make rows depend on each other. */
#include "models/dropout.h"
#include "models/experts.h"
#include "models/fairseq.h"
#include "ops/routing.h"

typedef struct {
  int step[CI_SIDES]; /* 0: no layer is sparse */
  ci_experts_shape experts[CI_SIDES];
} sparse;

static void set_experts(ci_builder *b, const ci_pair *pair, ci_space_id side, int index, ci_block *block) {
  const sparse *own = pair->own;
  (void)b;
  if (!own->step[side] || (index + 1) % own->step[side]) return;
  block->mlp.build = ci_add_experts;
  block->mlp.own = &own->experts[side];
}

static ci_experts_shape read_experts(ci_builder *b, const ci_mlp_shape *dense) {
  ci_experts_shape e = {.inner = dense->inner,
                        .router = "ffn.router.classifier.weight",
                        .router_bias = ci_config_bool(b, "router_bias", false) ? "ffn.router.classifier.bias" : NULL,
                        .route = {.slots = 2, .norm = 1},
                        .up = {.weight = "ffn.experts.expert_%d.fc1.weight", .bias = "ffn.experts.expert_%d.fc1.bias"},
                        .down = {.weight = "ffn.experts.expert_%d.fc2.weight", .bias = "ffn.experts.expert_%d.fc2.bias"},
                        .activation = dense->activation};
  e.route.experts = (size_t)ci_config_int(b, "num_experts", 128, 2, CI_MOST_EXPERTS);
  e.route.scale = 1 - ci_config_real(b, "moe_token_dropout", 0.2);
  return e;
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
                         (int)ci_config_int(b, "decoder_sparse_step", 4, 0, CI_MOST_LAYERS)}};
  for (int i = 0; i < CI_SIDES; i++) own.experts[i] = read_experts(b, &pair.sides[i].block.mlp);
  ci_fairseq_rename(&pair, "ff_layer_norm");
  ci_fairseq_embed(b, &pair, ci_fairseq_shared);
  ci_fairseq_sines(b, &pair, (size_t)ci_config_int(b, "pad_token_id", 1, 0, 1 << 28) + 1);
  pair.layer = set_experts;
  pair.own = &own;
  ci_build_pair(b, &pair);
}

static const ci_dropout_keys dropout = {.embedding = {"dropout", 0.1},
                                        .attention = {"attention_dropout", 0.1},
                                        .attended = {"dropout", 0.1},
                                        .activation = {"activation_dropout", 0},
                                        .fed = {"activation_dropout", 0},
                                        .layer = {{"encoder_layerdrop", 0.05}, {"decoder_layerdrop", 0.05}},
                                        .others = {{"moe_token_dropout", 0.2}, {"activation_dropout", 0}}};

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
                                                  .dropout = &dropout,
                                                  .build = build};
