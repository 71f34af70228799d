/* Gemma (2024): Llama whose norms' weights are stored less one, embeddings times sqrt(width), gelu gates, head tied.
 * Gemma 2 (2024): norms before and after each branch, attention scores and logits capped, a window in every second layer.
 * Gemma 3 (2025, the text model): norms of each head's queries and keys, no caps, five layers with a window and rotary angles
 * of their own to one without.
 *   x += post_attention_layernorm(attn(input_layernorm(x)));  x += post_feedforward_layernorm(mlp(pre_feedforward_layernorm(x)))
 * Attribution input: the embedding before its scale; Gemma 3: after it, where it belongs to the embedding module. */
#include "models/decoder.h"
#include "models/rope.h"
#include <math.h>

static ci_decoder like_gemma(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  d.block.norm.plus_one = true;
  d.tied = ci_config_bool(b, "tie_word_embeddings", true);
  d.embedding_scale = sqrt((double)d.block.width);
  return d;
}

static void build_gemma(ci_builder *b) {
  ci_decoder d = like_gemma(b);
  ci_build_decoder(b, &d);
}

/* Of Gemma 2 and 3. */
static ci_decoder sandwiched(ci_builder *b) {
  ci_decoder d = like_gemma(b);
  d.block.attention_norms.after = "post_attention_layernorm";
  d.block.mlp_norms.before = "pre_feedforward_layernorm";
  d.block.mlp_norms.after = "post_feedforward_layernorm";
  d.block.mlp.activation = ci_config_text(b, "hidden_activation", "gelu_pytorch_tanh");
  d.block.attention.scale = 1 / sqrt(ci_config_real(b, "query_pre_attn_scalar", 256));
  d.block.attention.soft_cap = ci_config_real(b, "attn_logit_softcapping", 0);
  d.logit_cap = ci_config_real(b, "final_logit_softcapping", 0);
  return d;
}

static void every_second(ci_builder *b, const ci_decoder *decoder, int index, ci_block *block) {
  if (ci_layer_slides(b, index, decoder->layers, index % 2 == 0))
    block->attention.window = ci_config_size(b, "sliding_window", 4096, 1);
}

static void build_gemma2(ci_builder *b) {
  ci_decoder d = sandwiched(b);
  d.layer = every_second;
  ci_build_decoder(b, &d);
}

static void five_of_six(ci_builder *b, const ci_decoder *decoder, int index, ci_block *block) {
  int pattern = (int)ci_config_int(b, "sliding_window_pattern", 6, 1, INT32_MAX);
  if (!ci_layer_slides(b, index, decoder->layers, (index + 1) % pattern != 0)) return;
  block->attention.window = ci_config_size(b, "sliding_window", 4096, 1);
  block->attention.rope = decoder->own;
}

static void build_gemma3(ci_builder *b) {
  ci_config_only(b, "use_bidirectional_attention", json_false());
  ci_decoder d = sandwiched(b);
  d.input_scaled = true;
  d.block.attention.norm = CI_NORM_HEADS;
  d.block.attention.norm_style = d.block.norm;
  d.own = ci_build_rope(b, ci_config_real(b, "rope_local_base_freq", 10000), d.block.attention.head_dim, NULL);
  d.layer = five_of_six;
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {"rotary_emb.inv_freq", "lm_head.weight", NULL};

extern const ci_architecture ci_architecture_gemma, ci_architecture_gemma2, ci_architecture_gemma3_text;
const ci_architecture ci_architecture_gemma = {
    .id = "gemma",
    .class_name = "GemmaForCausalLM",
    .help = "Gemma 1",
    .prefix = "model.",
    .defaults = "{\"bos_token_id\": 2, \"eos_token_id\": 1, \"pad_token_id\": 0, \"head_dim\": 256, "
                "\"num_key_value_heads\": 16, \"hidden_act\": \"gelu_pytorch_tanh\", \"max_position_embeddings\": 8192}",
    .ignored = ignored,
    .build = build_gemma};
const ci_architecture ci_architecture_gemma2 = {
    .id = "gemma2",
    .class_name = "Gemma2ForCausalLM",
    .help = "Gemma 2",
    .prefix = "model.",
    .defaults = "{\"bos_token_id\": 2, \"eos_token_id\": 1, \"pad_token_id\": 0, \"head_dim\": 256, "
                "\"num_key_value_heads\": 4, \"max_position_embeddings\": 8192, \"attn_logit_softcapping\": 50.0, "
                "\"final_logit_softcapping\": 30.0}",
    .ignored = ignored,
    .build = build_gemma2};
const ci_architecture ci_architecture_gemma3_text = {
    .id = "gemma3_text",
    .class_name = "Gemma3ForCausalLM",
    .help = "Gemma 3 without pictures",
    .prefix = "model.",
    .defaults = "{\"bos_token_id\": 2, \"eos_token_id\": 1, \"pad_token_id\": 0, \"head_dim\": 256, "
                "\"num_attention_heads\": 8, \"num_key_value_heads\": 4, \"rope_theta\": 1000000.0, "
                "\"max_position_embeddings\": 131072, \"vocab_size\": 262208}",
    .ignored = ignored,
    .build = build_gemma3};
