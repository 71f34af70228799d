/* Qwen's mixtures of experts: Qwen1.5-MoE and Qwen2-57B-A14B (qwen2_moe, Yang et al. 2024), Qwen3 (qwen3_moe, 2025).
 * Both have dense feed-forwards in some layers. qwen2_moe: query, key and value have biases; a shared expert weighed by
 * its own sigmoid is added qwen3_moe: the heads of queries and keys are normalised Attribution input: the token
 * embedding. */
#include "models/decoder.h"
#include "models/experts.h"

static void choose_layer(ci_builder *b, const ci_decoder *decoder, int index, ci_block *block) {
  (void)decoder;
  int64_t step = ci_config_int(b, "decoder_sparse_step", 1, 1, INT32_MAX);
  if (ci_config_lists(b, "mlp_only_layers", index) || (index + 1) % step) block->mlp.build = NULL;
}

static ci_experts_shape read_experts(ci_builder *b, const ci_decoder *d) {
  ci_experts_shape e = {.router = "mlp.gate.weight",
                        .gate.weight = "mlp.experts.%d.gate_proj.weight",
                        .up.weight = "mlp.experts.%d.up_proj.weight",
                        .down.weight = "mlp.experts.%d.down_proj.weight",
                        .activation = d->block.mlp.activation};
  e.inner = (size_t)ci_config_needed(b, "moe_intermediate_size", 1, 1 << 24);
  e.route = ci_experts_route(b, "num_experts", "num_experts_per_tok", ci_config_bool(b, "norm_topk_prob", false));
  return e;
}

static void finish(ci_builder *b, ci_decoder *d, const ci_experts_shape *experts) {
  if (ci_config_bool(b, "use_sliding_window", false))
    d->block.attention.window = ci_config_size(b, "sliding_window", 0, 1);
  d->block.mlp.build = ci_add_experts;
  d->block.mlp.own = experts;
  d->layer = choose_layer;
  ci_build_decoder(b, d);
}

static void build_qwen2(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  ci_experts_shape experts = read_experts(b, &d);
  ci_mlp_shape shared = d.block.mlp;
  shared.inner = (size_t)ci_config_needed(b, "shared_expert_intermediate_size", 1, 1 << 24);
  shared.gate = "mlp.shared_expert.gate_proj";
  shared.up = "mlp.shared_expert.up_proj";
  shared.down = "mlp.shared_expert.down_proj";
  experts.shared = &shared;
  experts.shared_gate = "mlp.shared_expert_gate";
  d.block.attention.biased = ci_config_bool(b, "qkv_bias", true);
  d.block.attention.output_biased = false;
  finish(b, &d, &experts);
}

static void build_qwen3(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  ci_experts_shape experts = read_experts(b, &d);
  d.block.attention.norm = CI_NORM_HEADS;
  d.block.attention.norm_style = d.block.norm;
  finish(b, &d, &experts);
}

extern const ci_architecture ci_architecture_qwen2_moe;
const ci_architecture ci_architecture_qwen2_moe = {
    .id = "qwen2_moe",
    .class_name = "Qwen2MoeForCausalLM",
    .help = "Qwen1.5-MoE, Qwen2-57B-A14B",
    .prefix = "model.",
    .defaults = "{\"max_position_embeddings\": 32768, \"sliding_window\": 4096, \"moe_intermediate_size\": 1408,"
                " \"shared_expert_intermediate_size\": 5632, \"num_experts_per_tok\": 4, \"num_experts\": 60}",
    .build = build_qwen2};

extern const ci_architecture ci_architecture_qwen3_moe;
const ci_architecture ci_architecture_qwen3_moe = {
    .id = "qwen3_moe",
    .class_name = "Qwen3MoeForCausalLM",
    .help = "Qwen3 mixtures of experts (30B-A3B, 235B-A22B, Qwen3-Coder)",
    .prefix = "model.",
    .defaults = "{\"max_position_embeddings\": 32768, \"num_key_value_heads\": 4, \"sliding_window\": 4096,"
                " \"moe_intermediate_size\": 768, \"num_experts_per_tok\": 8, \"num_experts\": 128}",
    .build = build_qwen3};
