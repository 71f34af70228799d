/* Granite's mixtures of experts (IBM 2024): multipliers of the embedding, of what a block adds, of attention scores and
 * of the logits; all experts in one tensor, gate and up in one matrix of it; a softmax over the chosen logits.
 * granitemoeshared adds a feed-forward that all rows go through. Attribution input: the token embedding, before its
 * multiplier. */
#include "models/decoder.h"
#include "models/experts.h"

static void build_decoder(ci_builder *b, const ci_mlp_shape *shared) {
  ci_decoder d = ci_decoder_like_llama(b);
  size_t inner = d.block.mlp.inner;
  ci_experts_shape experts = {.inner = inner,
                              .router = "block_sparse_moe.router.layer.weight",
                              .route = ci_experts_route(b, "num_local_experts", "num_experts_per_tok", true),
                              .gate = {.weight = "block_sparse_moe.input_linear.weight", .of = 2 * inner},
                              .up = {.weight = "block_sparse_moe.input_linear.weight", .first = inner, .of = 2 * inner},
                              .down.weight = "block_sparse_moe.output_linear.weight",
                              .activation = d.block.mlp.activation,
                              .shared = shared};
  d.block.mlp.build = ci_add_experts;
  d.block.mlp.own = &experts;
  d.embedding_scale = ci_config_real(b, "embedding_multiplier", 1);
  d.block.residual_scale = ci_config_real(b, "residual_multiplier", 1);
  d.block.attention.scale = ci_config_real(b, "attention_multiplier", 1);
  d.logit_scale = 1 / ci_config_real(b, "logits_scaling", 1);
  ci_build_decoder(b, &d);
}

static void build(ci_builder *b) {
  build_decoder(b, NULL);
}

static void build_shared(ci_builder *b) {
  ci_mlp_shape shared = {.gate = "shared_mlp.input_linear",
                         .up = "shared_mlp.input_linear",
                         .down = "shared_mlp.output_linear",
                         .fused = true,
                         .activation = ci_config_text(b, "hidden_act", "silu")};
  shared.inner = ci_config_size(b, "shared_intermediate_size", 0, 0);
  build_decoder(b, shared.inner ? &shared : NULL);
}

#define DEFAULTS "{\"bos_token_id\": 1, \"eos_token_id\": 2, \"num_local_experts\": 8, \"num_experts_per_tok\": 2}"

extern const ci_architecture ci_architecture_granitemoe;
const ci_architecture ci_architecture_granitemoe = {.id = "granitemoe",
                                                    .class_name = "GraniteMoeForCausalLM",
                                                    .help = "Granite 3 mixtures of experts (1B-A400M, 3B-A800M)",
                                                    .prefix = "model.",
                                                    .defaults = DEFAULTS,
                                                    .build = build};

extern const ci_architecture ci_architecture_granitemoeshared;
const ci_architecture ci_architecture_granitemoeshared = {.id = "granitemoeshared",
                                                          .class_name = "GraniteMoeSharedForCausalLM",
                                                          .help = "Granite mixtures of experts with a shared expert",
                                                          .prefix = "model.",
                                                          .defaults = DEFAULTS,
                                                          .build = build_shared};
