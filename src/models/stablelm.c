/* StableLM (Bellagente et al. 2024): Llama with layer norms, rotary positions in a part of each head, query, key and value
 * biases if use_qkv_bias, a norm for each head if qk_layernorm; attention and feed-forward side by side under one norm if
 * use_parallel_residual.
 * Attribution input: the token embedding. */
#include "models/decoder.h"
#include "models/dropout.h"

static void build(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  ci_attention_shape *a = &d.block.attention;
  d.block.norm = (ci_norm_style){.op = &ci_op_layer_norm, .epsilon = ci_config_real(b, "layer_norm_eps", 1e-5)};
  d.block.parallel = ci_config_bool(b, "use_parallel_residual", false);
  if (d.block.parallel) d.block.mlp_norms.before = NULL;
  a->biased = ci_config_bool(b, "use_qkv_bias", false);
  a->output_biased = false;
  a->norm = ci_config_bool(b, "qk_layernorm", false) ? CI_NORM_LISTED : CI_NORM_NONE;
  a->norm_style = d.block.norm;
  a->norm_style.unbiased = true;
  a->query_norm = "self_attn.q_layernorm";
  a->key_norm = "self_attn.k_layernorm";
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {"rotary_emb.inv_freq", "lm_head.weight", NULL};

static const ci_dropout_keys dropout = {.attention = {"attention_dropout", 0}, .fed = {"hidden_dropout", 0}};

extern const ci_architecture ci_architecture_stablelm;
const ci_architecture ci_architecture_stablelm = {
    .id = "stablelm",
    .class_name = "StableLmForCausalLM",
    .help = "StableLM 2, StableLM 3B",
    .prefix = "model.",
    .defaults = "{\"bos_token_id\": 0, \"eos_token_id\": 0, \"num_key_value_heads\": 32, \"partial_rotary_factor\": 0.25, "
                "\"max_position_embeddings\": 4096}",
    .ignored = ignored,
    .dropout = &dropout,
    .build = build};
