/* MPT (MosaicML 2023): ALiBi, layer norms without biases, query, key and value in one matrix, no biases at all.
 *   x += attn(norm_1(x));  x += ffn(norm_2(x))
 * Attribution input: the token embedding. What transformers' MPT does not compute (attn_config's qk_ln, prefix_lm, one key head,
 * positions without ALiBi, logit_scale) is refused. */
#include "models/alibi.h"
#include "models/decoder.h"
#include "models/dropout.h"

static void read_attention(ci_builder *b, ci_attention_shape *a) {
  if (!ci_config_enter(b, "attn_config")) return;
  ci_config_only(b, "attn_type", json_string("multihead_attention"));
  ci_config_only(b, "qk_ln", json_false());
  ci_config_only(b, "prefix_lm", json_false());
  ci_config_only(b, "alibi", json_true());
  ci_config_only(b, "alibi_bias_max", json_integer(8));
  a->scale = ci_config_real(b, "softmax_scale", 0);
  a->clip = ci_config_real(b, "clip_qkv", 0);
  ci_config_leave(b);
}

static void build(ci_builder *b) {
  ci_config_only(b, "expansion_ratio", json_integer(4));
  ci_config_only(b, "logit_scale", json_null());
  ci_config_only(b, "no_bias", json_true());
  ci_decoder d = {.weights = "transformer.",
                  .layer_weights = "transformer.blocks.%d.",
                  .embedding = "wte",
                  .norm = "norm_f",
                  .head = "lm_head",
                  .block = {.attention_norms.before = "norm_1", .mlp_norms.before = "norm_2"}};
  d.vocabulary = ci_config_size(b, "vocab_size", 50368, 1);
  d.layers = (int)ci_config_int(b, "n_layers", 24, 1, CI_MOST_LAYERS);
  d.positions = ci_config_size(b, "max_seq_len", 2048, 1);
  d.tied = ci_config_bool(b, "tie_word_embeddings", true);
  d.block.width = ci_config_size(b, "d_model", 2048, 1);
  d.block.norm = (ci_norm_style){
      .op = &ci_op_layer_norm, .epsilon = ci_config_real(b, "layer_norm_epsilon", 1e-5), .unbiased = true};
  ci_attention_shape *a = &d.block.attention;
  *a = ci_attention_of(b, d.block.width, "n_heads");
  ci_attention_fused(a, "attn.Wqkv", false);
  a->output = "attn.out_proj";
  a->bias = ci_alibi(b, ci_alibi_slopes_mpt(b, a->heads, 8));
  read_attention(b, a);
  d.block.mlp = (ci_mlp_shape){.up = "ffn.up_proj", .down = "ffn.down_proj", .inner = 4 * d.block.width, .activation = "gelu"};
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {"lm_head.weight", NULL};

/* One key for all; resid_pdrop and emb_pdrop are not read. */
static const ci_dropout_keys dropout = {.attention = {"attn_config.attn_pdrop", 0},
                                        .attended = {"attn_config.attn_pdrop", 0},
                                        .fed = {"attn_config.attn_pdrop", 0}};

extern const ci_architecture ci_architecture_mpt;
const ci_architecture ci_architecture_mpt = {.id = "mpt",
                                             .class_name = "MptForCausalLM",
                                             .help = "MPT",
                                             .prefix = "transformer.",
                                             .defaults = "{\"n_heads\": 16}",
                                             .ignored = ignored,
                                             .dropout = &dropout,
                                             .build = build};
