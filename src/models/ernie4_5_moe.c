/* ERNIE 4.5's mixtures of experts (Baidu 2025): rotary pairs are neighbours, a bias that only chooses is added to the
 * experts' softmax, shared experts for all rows; some layers have none. Attribution input: the token embedding. */
#include "models/decoder.h"
#include "models/dropout.h"
#include "models/experts.h"

static void choose_layer(ci_builder *b, const ci_decoder *d, int index, ci_block *block) {
  int64_t last = ci_config_int(b, "moe_layer_end_index", -1, -1, CI_MOST_LAYERS);
  int64_t step = ci_config_int(b, "moe_layer_interval", 1, 1, CI_MOST_LAYERS);
  if (last < 0) last = d->layers - 1;
  bool sparse = index >= ci_config_int(b, "moe_layer_start_index", 1, 0, CI_MOST_LAYERS) && index <= last;
  if (!sparse || (index + 1) % step) block->mlp.build = NULL;
}

static void build(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  bool biased = ci_config_bool(b, "use_bias", false);
  d.block.attention.biased = d.block.attention.output_biased = d.block.mlp.biased = d.head_biased = biased;
  d.block.attention.interleaved = true;
  ci_experts_shape experts = {
      .router = "mlp.gate.weight",
      .selection_bias = "mlp.moe_statics.e_score_correction_bias",
      .route = ci_experts_route(b, "moe_num_experts", "moe_k", true),
      .gate = {.weight = "mlp.experts.%d.gate_proj.weight", .bias = biased ? "mlp.experts.%d.gate_proj.bias" : NULL},
      .up = {.weight = "mlp.experts.%d.up_proj.weight", .bias = biased ? "mlp.experts.%d.up_proj.bias" : NULL},
      .down = {.weight = "mlp.experts.%d.down_proj.weight", .bias = biased ? "mlp.experts.%d.down_proj.bias" : NULL},
      .activation = d.block.mlp.activation};
  experts.inner = (size_t)ci_config_needed(b, "moe_intermediate_size", 1, 1 << 24);
  experts.route.least = ci_config_real(b, "moe_norm_min", 1e-12);
  ci_mlp_shape shared = d.block.mlp;
  shared.inner = experts.inner * ci_config_size(b, "moe_num_shared_experts", 2, 0);
  shared.gate = "mlp.shared_experts.gate_proj";
  shared.up = "mlp.shared_experts.up_proj";
  shared.down = "mlp.shared_experts.down_proj";
  if (shared.inner) experts.shared = &shared;
  d.block.mlp.build = ci_add_experts;
  d.block.mlp.own = &experts;
  d.layer = choose_layer;
  ci_build_decoder(b, &d);
}

extern const ci_architecture ci_architecture_ernie4_5_moe;
const ci_architecture ci_architecture_ernie4_5_moe = {
    .id = "ernie4_5_moe",
    .class_name = "Ernie4_5_MoeForCausalLM",
    .help = "ERNIE 4.5 mixtures of experts (21B-A3B, 300B-A47B)",
    .prefix = "model.",
    .defaults = "{\"pad_token_id\": 0, \"bos_token_id\": 1, \"eos_token_id\": 2, \"num_key_value_heads\": 4, "
                "\"rms_norm_eps\": 1e-5,"
                " \"tie_word_embeddings\": true, \"rope_theta\": 500000, \"max_position_embeddings\": 131072,"
                " \"moe_intermediate_size\": 1536, \"moe_k\": 6, \"moe_num_experts\": 64}",
    .dropout = &ci_dropout_of_ernie,
    .build = build};
