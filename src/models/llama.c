/* Llama (Touvron et al. 2023): rotary positions, RMSNorm, grouped key/value heads, gated feed-forward, biases if the
 * configuration has them, head tied or not.
 *   x += attn(input_layernorm(x));  x += down(act(gate(n)) * up(n)), n = post_attention_layernorm(x)
 * Mistral (Jiang et al. 2023) sees a window; Granite (IBM 2024) scales embedding, attention, branches and logits.
 * Attribution input: the token embedding (Granite: before its scale). */
#include "models/decoder.h"

static void build_llama(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  d.block.mlp.biased = ci_config_bool(b, "mlp_bias", false);
  ci_build_decoder(b, &d);
}

static void build_mistral(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  d.block.attention.biased = d.block.attention.output_biased = false;
  d.block.attention.window = ci_config_size(b, "sliding_window", 0, 1);
  ci_build_decoder(b, &d);
}

static void build_granite(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  d.block.mlp.biased = ci_config_bool(b, "mlp_bias", false);
  d.block.attention.scale = ci_config_real(b, "attention_multiplier", 1);
  d.block.residual_scale = ci_config_real(b, "residual_multiplier", 1);
  d.embedding_scale = ci_config_real(b, "embedding_multiplier", 1);
  d.logit_scale = 1 / ci_config_real(b, "logits_scaling", 1);
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {"rotary_emb.inv_freq", "lm_head.weight", NULL};

extern const ci_architecture ci_architecture_llama, ci_architecture_mistral, ci_architecture_granite;
const ci_architecture ci_architecture_llama = {.id = "llama",
                                               .class_name = "LlamaForCausalLM",
                                               .help = "Llama 1, 2, 3 and models of its shape (SmolLM, TinyLlama, Vicuna)",
                                               .prefix = "model.",
                                               .defaults = "{\"bos_token_id\": 1, \"eos_token_id\": 2}",
                                               .ignored = ignored,
                                               .build = build_llama};
const ci_architecture ci_architecture_mistral = {
    .id = "mistral",
    .class_name = "MistralForCausalLM",
    .help = "Mistral and models of its shape (Zephyr)",
    .prefix = "model.",
    .defaults = "{\"bos_token_id\": 1, \"eos_token_id\": 2, \"num_key_value_heads\": 8, \"sliding_window\": 4096, "
                "\"max_position_embeddings\": 131072}",
    .ignored = ignored,
    .build = build_mistral};
const ci_architecture ci_architecture_granite = {.id = "granite",
                                                 .class_name = "GraniteForCausalLM",
                                                 .help = "Granite 3",
                                                 .prefix = "model.",
                                                 .defaults = "{\"bos_token_id\": 1, \"eos_token_id\": 2}",
                                                 .ignored = ignored,
                                                 .build = build_granite};
