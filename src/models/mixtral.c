/* Mixtral (Jiang et al. 2024): Mistral's block with a mixture of experts for its feed-forward. Of the experts' softmax
 * the chosen are divided by their sum. Attribution input: the token embedding. */
#include "models/decoder.h"
#include "models/dropout.h"
#include "models/experts.h"

static void build(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  ci_experts_shape experts = {.inner = d.block.mlp.inner,
                              .router = "block_sparse_moe.gate.weight",
                              .route = ci_experts_route(b, "num_local_experts", "num_experts_per_tok", true),
                              .gate.weight = "block_sparse_moe.experts.%d.w1.weight",
                              .up.weight = "block_sparse_moe.experts.%d.w3.weight",
                              .down.weight = "block_sparse_moe.experts.%d.w2.weight",
                              .activation = d.block.mlp.activation};
  d.block.attention.biased = d.block.attention.output_biased = false;
  d.block.attention.window = ci_config_size(b, "sliding_window", 0, 1);
  d.block.mlp.build = ci_add_experts;
  d.block.mlp.own = &experts;
  ci_build_decoder(b, &d);
}

static const ci_dropout_keys dropout = {.attention = {"attention_dropout", 0}, .others = {{"router_jitter_noise", 0}}};

extern const ci_architecture ci_architecture_mixtral;
const ci_architecture ci_architecture_mixtral = {
    .id = "mixtral",
    .class_name = "MixtralForCausalLM",
    .help = "Mixtral 8x7B, 8x22B",
    .prefix = "model.",
    .defaults = "{\"bos_token_id\": 1, \"eos_token_id\": 2, \"num_key_value_heads\": 8, \"num_local_experts\": 8,"
                " \"num_experts_per_tok\": 2, \"rms_norm_eps\": 1e-5, \"rope_theta\": 1e6, "
                "\"max_position_embeddings\": 131072}",
    .dropout = &dropout,
    .build = build};
