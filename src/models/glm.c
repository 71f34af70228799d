/* Llama whose rotary pairs are (2i, 2i + 1): GLM-4 (glm, 2024) with rotary positions in half of each head and gate and
 * up in one matrix; GLM-4-0414 (glm4, 2025), the same with norms before and after each branch; ERNIE 4.5 (Baidu 2025);
 * Helium (Kyutai 2025). Attribution input: the token embedding. */
#include "models/decoder.h"
#include "models/dropout.h"

static ci_decoder paired(ci_builder *b, bool tied) {
  ci_decoder d = ci_decoder_like_llama(b);
  d.tied = ci_config_bool(b, "tie_word_embeddings", tied);
  d.block.attention.interleaved = true;
  return d;
}

static ci_decoder like_glm(ci_builder *b) {
  ci_decoder d = paired(b, false);
  d.block.attention.output_biased = false;
  d.block.mlp.gate = d.block.mlp.up = "mlp.gate_up_proj";
  d.block.mlp.fused = true;
  return d;
}

static void build_glm(ci_builder *b) {
  ci_decoder d = like_glm(b);
  ci_build_decoder(b, &d);
}

static void build_glm4(ci_builder *b) {
  ci_decoder d = like_glm(b);
  d.block.attention_norms.after = "post_self_attn_layernorm";
  d.block.mlp_norms.after = "post_mlp_layernorm";
  ci_build_decoder(b, &d);
}

static void build_ernie4_5(ci_builder *b) {
  ci_decoder d = paired(b, true);
  d.block.attention.biased = d.block.attention.output_biased = d.block.mlp.biased =
      ci_config_bool(b, "use_bias", false);
  ci_build_decoder(b, &d);
}

static void build_helium(ci_builder *b) {
  ci_decoder d = paired(b, false);
  d.block.attention.output_biased = false;
  d.block.mlp.biased = ci_config_bool(b, "mlp_bias", false);
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {"rotary_emb.inv_freq", "lm_head.weight", NULL};
#define GLM                                                                                                            \
  "{\"eos_token_id\": 151329, \"pad_token_id\": 151329, \"num_key_value_heads\": 2, \"head_dim\": 128, "               \
  "\"partial_rotary_factor\": 0.5, \"attention_bias\": true, \"rms_norm_eps\": 1.5625e-07, "                           \
  "\"max_position_embeddings\": 131072}"

extern const ci_architecture ci_architecture_glm, ci_architecture_glm4, ci_architecture_ernie4_5,
    ci_architecture_helium;
const ci_architecture ci_architecture_glm = {.id = "glm",
                                             .class_name = "GlmForCausalLM",
                                             .help = "GLM-4",
                                             .prefix = "model.",
                                             .defaults = GLM,
                                             .ignored = ignored,
                                             .build = build_glm};
const ci_architecture ci_architecture_glm4 = {.id = "glm4",
                                              .class_name = "Glm4ForCausalLM",
                                              .help = "GLM-4-0414, GLM-Z1",
                                              .prefix = "model.",
                                              .defaults = GLM,
                                              .ignored = ignored,
                                              .build = build_glm4};
const ci_architecture ci_architecture_ernie4_5 = {
    .id = "ernie4_5",
    .class_name = "Ernie4_5ForCausalLM",
    .help = "ERNIE 4.5 without experts",
    .prefix = "model.",
    .defaults = "{\"bos_token_id\": 1, \"eos_token_id\": 2, \"pad_token_id\": 0, \"num_key_value_heads\": 2, "
                "\"head_dim\": 128, "
                "\"rope_theta\": 500000.0, \"rms_norm_eps\": 1e-5, \"max_position_embeddings\": 131072}",
    .ignored = ignored,
    .dropout = &ci_dropout_of_ernie,
    .build = build_ernie4_5};
const ci_architecture ci_architecture_helium = {
    .id = "helium",
    .class_name = "HeliumForCausalLM",
    .help = "Helium",
    .prefix = "model.",
    .defaults = "{\"bos_token_id\": 1, \"eos_token_id\": 2, \"pad_token_id\": 3, \"num_key_value_heads\": 20, "
                "\"head_dim\": 128, "
                "\"rope_theta\": 100000.0, \"rms_norm_eps\": 1e-8, \"max_position_embeddings\": 4096}",
    .ignored = ignored,
    .build = build_helium};
