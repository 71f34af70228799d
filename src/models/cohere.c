/* Cohere's Command R (2024): attention and feed-forward side by side under one layer norm without a bias, rotary positions of
 * pairs (2i, 2i + 1), norms of queries and keys with weights for each head if use_qk_norm, logits times logit_scale, head tied.
 *   x += attn(n) + mlp(n), n = input_layernorm(x)
 * Command R7B (cohere2, 2024): three of four layers see a window and are rotary, the fourth sees everything and has no positions.
 * Attribution input: the token embedding. */
#include "models/decoder.h"

static ci_decoder like_cohere(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  d.tied = ci_config_bool(b, "tie_word_embeddings", true);
  d.logit_scale = ci_config_real(b, "logit_scale", 0.0625);
  d.block.parallel = true;
  d.block.mlp_norms.before = NULL;
  d.block.norm = (ci_norm_style){
      .op = &ci_op_layer_norm, .epsilon = ci_config_real(b, "layer_norm_eps", 1e-5), .unbiased = true};
  d.block.attention.interleaved = true;
  return d;
}

static void build_cohere(ci_builder *b) {
  ci_decoder d = like_cohere(b);
  d.block.attention.norm = ci_config_bool(b, "use_qk_norm", false) ? CI_NORM_EACH_HEAD : CI_NORM_NONE;
  d.block.attention.norm_style = d.block.norm;
  ci_build_decoder(b, &d);
}

static void three_of_four(ci_builder *b, const ci_decoder *decoder, int index, ci_block *block) {
  int pattern = (int)ci_config_int(b, "sliding_window_pattern", 4, 1, INT32_MAX);
  if (ci_layer_slides(b, index, decoder->layers, (index + 1) % pattern != 0))
    block->attention.window = ci_config_size(b, "sliding_window", 4096, 1);
  else block->attention.rope = NULL;
}

static void build_cohere2(ci_builder *b) {
  ci_decoder d = like_cohere(b);
  d.layer = three_of_four;
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {"rotary_emb.inv_freq", "lm_head.weight", NULL};
#define DEFAULTS                                                                                                             \
  "{\"bos_token_id\": 5, \"eos_token_id\": 255001, \"pad_token_id\": 0, \"max_position_embeddings\": 8192}"

extern const ci_architecture ci_architecture_cohere, ci_architecture_cohere2;
const ci_architecture ci_architecture_cohere = {.id = "cohere",
                                                .class_name = "CohereForCausalLM",
                                                .help = "Command R, Aya",
                                                .prefix = "model.",
                                                .defaults = DEFAULTS,
                                                .ignored = ignored,
                                                .build = build_cohere};
const ci_architecture ci_architecture_cohere2 = {.id = "cohere2",
                                                 .class_name = "Cohere2ForCausalLM",
                                                 .help = "Command R7B, Command A",
                                                 .prefix = "model.",
                                                 .defaults = DEFAULTS,
                                                 .ignored = ignored,
                                                 .build = build_cohere2};
