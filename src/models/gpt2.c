/* GPT-2 (Radford et al. 2019): learned positions, pre-norm blocks, Conv1D weights [inputs, outputs] with query, key and value
 * in one matrix, head tied to the embedding.
 *   x = wte + wpe;  x += attn(ln_1(x));  x += mlp(ln_2(x));  logits = ln_f(x) wte^T
 * Attribution input: wte, before positions. */
#include "models/decoder.h"
#include <math.h>

static void scale_by_layer(ci_builder *b, const ci_decoder *decoder, int index, ci_block *block) {
  (void)b, (void)decoder;
  block->attention.scale /= index + 1;
}

static ci_block read_block(ci_builder *b) {
  size_t d = ci_config_size(b, "n_embd", 768, 1), heads = ci_config_size(b, "n_head", 12, 1);
  if (d % heads) ci_build_fail(b, "config.json", "n_embd %zu is not a multiple of n_head %zu", d, heads);
  ci_block block = {.width = d, .attention_norms.before = "ln_1", .mlp_norms.before = "ln_2"};
  block.norm = (ci_norm_style){.op = &ci_op_layer_norm, .epsilon = ci_config_real(b, "layer_norm_epsilon", 1e-5)};
  block.attention = (ci_attention_shape){.heads = heads,
                                         .kv_heads = heads,
                                         .head_dim = d / heads,
                                         .query = {"attn.c_attn", {0, d, 0, 1}},
                                         .key = {"attn.c_attn", {d, d, 0, 1}},
                                         .value = {"attn.c_attn", {2 * d, d, 0, 1}},
                                         .fused = 3 * d,
                                         .output = "attn.c_proj",
                                         .biased = true,
                                         .output_biased = true,
                                         .by_input = true};
  if (!b->status) block.attention.scale = ci_config_bool(b, "scale_attn_weights", true) ? 1 / sqrt((double)d / (double)heads) : 1;
  block.mlp = (ci_mlp_shape){.up = "mlp.c_fc", .down = "mlp.c_proj", .biased = true, .by_input = true};
  block.mlp.inner = ci_config_size(b, "n_inner", 4 * d, 1);
  block.mlp.activation = ci_config_text(b, "activation_function", "gelu_new");
  return block;
}

static void build(ci_builder *b) {
  ci_config_only(b, "add_cross_attention", json_false());
  ci_decoder d = {.block = read_block(b),
                  .weights = "transformer.",
                  .layer_weights = "transformer.h.%d.",
                  .embedding = "wte",
                  .position_table = "wpe",
                  .norm = "ln_f",
                  .head = "lm_head"};
  d.vocabulary = ci_config_size(b, "vocab_size", 50257, 1);
  d.layers = (int)ci_config_int(b, "n_layer", 12, 1, CI_MOST_LAYERS);
  d.positions = ci_config_size(b, "n_positions", 1024, 1);
  d.tied = ci_config_bool(b, "tie_word_embeddings", true);
  if (ci_config_bool(b, "scale_attn_by_inverse_layer_idx", false)) d.layer = scale_by_layer;
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {".attn.bias", ".attn.masked_bias", "lm_head.weight", NULL};

extern const ci_architecture ci_architecture_gpt2;
const ci_architecture ci_architecture_gpt2 = {.id = "gpt2",
                                              .class_name = "GPT2LMHeadModel",
                                              .help = "GPT-2 and models of its shape (DialoGPT, distilgpt2)",
                                              .prefix = "transformer.",
                                              .defaults = "{\"bos_token_id\": 50256, \"eos_token_id\": 50256}",
                                              .ignored = ignored,
                                              .build = build};
