/* GPT-2 (Radford et al. 2019): learned positions, pre-norm blocks, Conv1D weights [inputs, outputs] with query, key and value
 * in one matrix, head tied to the embedding.
 *   x = wte + wpe;  x += attn(ln_1(x));  x += mlp(ln_2(x));  logits = ln_f(x) wte^T
 * GPT-BigCode (SantaCoder, StarCoder; Li et al. 2023) has nn.Linear weights, and one key and value head for all queries.
 * Attribution input: wte, before positions. */
#include "models/decoder.h"
#include "models/dropout.h"
#include <math.h>

static void scale_by_layer(ci_builder *b, const ci_decoder *decoder, int index, ci_block *block) {
  (void)b, (void)decoder;
  block->attention.scale /= index + 1;
}

static void read_scale(ci_builder *b, ci_attention_shape *a) {
  a->scale = ci_config_bool(b, "scale_attn_weights", true) ? 1 / sqrt((double)a->head_dim) : 1;
}

static void build_gpt2(ci_builder *b) {
  ci_decoder d = ci_decoder_like_gpt2(b);
  d.block.attention.by_input = d.block.mlp.by_input = true;
  read_scale(b, &d.block.attention);
  if (ci_config_bool(b, "scale_attn_by_inverse_layer_idx", false)) d.layer = scale_by_layer;
  ci_build_decoder(b, &d);
}

static void build_gpt_bigcode(ci_builder *b) {
  ci_decoder d = ci_decoder_like_gpt2(b);
  bool one = ci_config_bool(b, "multi_query", true);
  if (one) d.block.attention.kv_heads = 1;
  ci_attention_fused(&d.block.attention, "attn.c_attn", !one);
  read_scale(b, &d.block.attention);
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {".attn.bias", ".attn.masked_bias", "lm_head.weight", NULL};

extern const ci_architecture ci_architecture_gpt2, ci_architecture_gpt_bigcode;
const ci_architecture ci_architecture_gpt2 = {.id = "gpt2",
                                              .class_name = "GPT2LMHeadModel",
                                              .help = "GPT-2 and models of its shape (DialoGPT, distilgpt2)",
                                              .prefix = "transformer.",
                                              .defaults = "{\"bos_token_id\": 50256, \"eos_token_id\": 50256}",
                                              .ignored = ignored,
                                              .dropout = &ci_dropout_of_gpt2,
                                              .build = build_gpt2};
const ci_architecture ci_architecture_gpt_bigcode = {
    .id = "gpt_bigcode",
    .class_name = "GPTBigCodeForCausalLM",
    .help = "GPT-BigCode: SantaCoder, StarCoder",
    .prefix = "transformer.",
    .defaults = "{\"bos_token_id\": 50256, \"eos_token_id\": 50256, \"activation_function\": \"gelu_pytorch_tanh\"}",
    .ignored = ignored,
    .dropout = &ci_dropout_of_gpt2,
    .build = build_gpt_bigcode};
