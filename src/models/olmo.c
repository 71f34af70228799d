/* OLMo (Groeneveld et al. 2024): Llama with layer norms that have no weights, and queries, keys and values clipped if clip_qkv.
 * OLMo 2 (2024): RMS norms after each branch instead of before, and of whole queries and keys.
 *   x += post_attention_layernorm(attn(x));  x += post_feedforward_layernorm(mlp(x))
 * OLMo 3 (2025): the same with a window in three of four layers; the others alone have scaled rotary angles.
 * Attribution input: the token embedding. */
#include "models/decoder.h"
#include "models/rope.h"

static void build_olmo(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  d.block.norm = (ci_norm_style){.op = &ci_op_layer_norm, .epsilon = 1e-5, .weightless = true};
  d.block.attention.clip = ci_config_real(b, "clip_qkv", 0);
  ci_build_decoder(b, &d);
}

static ci_decoder like_olmo2(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  d.block.attention_norms = (ci_branch_norms){.after = "post_attention_layernorm"};
  d.block.mlp_norms = (ci_branch_norms){.after = "post_feedforward_layernorm"};
  d.block.attention.norm = CI_NORM_ROW;
  d.block.attention.norm_style = d.block.norm;
  return d;
}

static void build_olmo2(ci_builder *b) {
  ci_decoder d = like_olmo2(b);
  ci_build_decoder(b, &d);
}

static void three_of_four(ci_builder *b, const ci_decoder *decoder, int index, ci_block *block) {
  if (!ci_layer_slides(b, index, decoder->layers, (index + 1) % 4 != 0)) return;
  block->attention.window = ci_config_size(b, "sliding_window", 4096, 1);
  block->attention.rope = decoder->own;
}

static void build_olmo3(ci_builder *b) {
  ci_decoder d = like_olmo2(b);
  d.own = ci_build_rope(b, ci_config_real(b, "rope_theta", 10000), d.block.attention.head_dim, NULL);
  d.layer = three_of_four;
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {"rotary_emb.inv_freq", "lm_head.weight", NULL};
#define IDS "\"pad_token_id\": 1, \"eos_token_id\": 50279"

extern const ci_architecture ci_architecture_olmo, ci_architecture_olmo2, ci_architecture_olmo3;
const ci_architecture ci_architecture_olmo = {.id = "olmo",
                                              .class_name = "OlmoForCausalLM",
                                              .help = "OLMo 1",
                                              .prefix = "model.",
                                              .defaults = "{" IDS "}",
                                              .ignored = ignored,
                                              .build = build_olmo};
const ci_architecture ci_architecture_olmo2 = {.id = "olmo2",
                                               .class_name = "Olmo2ForCausalLM",
                                               .help = "OLMo 2",
                                               .prefix = "model.",
                                               .defaults = "{" IDS ", \"rms_norm_eps\": 1e-5}",
                                               .ignored = ignored,
                                               .build = build_olmo2};
const ci_architecture ci_architecture_olmo3 = {.id = "olmo3",
                                               .class_name = "Olmo3ForCausalLM",
                                               .help = "OLMo 3",
                                               .prefix = "model.",
                                               .defaults = "{" IDS ", \"rms_norm_eps\": 1e-5}",
                                               .ignored = ignored,
                                               .build = build_olmo3};
