/* BLOOM (Le Scao et al. 2022): a norm after the embedding, ALiBi instead of positions, one matrix in which each head's query,
 * key and value stand together.
 *   x = word_embeddings_layernorm(embed);  x += attn(n), n = input_layernorm(x);  x += mlp(n), n = post_attention_layernorm(x)
 * Attribution input: the token embedding, before its norm. */
#include "models/alibi.h"
#include "models/decoder.h"
#include "models/dropout.h"

static void build(ci_builder *b) {
  ci_config_alias(b, "n_embed", "hidden_size");
  ci_config_alias(b, "num_attention_heads", "n_head");
  ci_config_alias(b, "num_hidden_layers", "n_layer");
  ci_decoder d = {.weights = "transformer.",
                  .layer_weights = "transformer.h.%d.",
                  .embedding = "word_embeddings",
                  .embedding_norm = "word_embeddings_layernorm",
                  .norm = "ln_f",
                  .head = "lm_head",
                  .block = {.attention_norms.before = "input_layernorm", .mlp_norms.before = "post_attention_layernorm"}};
  d.vocabulary = ci_config_size(b, "vocab_size", 250880, 1);
  d.layers = (int)ci_config_int(b, "n_layer", 2, 1, CI_MOST_LAYERS);
  d.tied = ci_config_bool(b, "tie_word_embeddings", true);
  d.block.width = ci_config_size(b, "hidden_size", 64, 1);
  d.block.norm = (ci_norm_style){.op = &ci_op_layer_norm, .epsilon = ci_config_real(b, "layer_norm_epsilon", 1e-5)};
  d.block.residual_normed = ci_config_bool(b, "apply_residual_connection_post_layernorm", false);
  ci_attention_shape *a = &d.block.attention;
  *a = ci_attention_of(b, d.block.width, "n_head");
  ci_attention_fused(a, "self_attention.query_key_value", true);
  a->output = "self_attention.dense";
  a->biased = a->output_biased = true;
  a->bias = ci_alibi(b, ci_alibi_slopes(b, a->heads));
  d.block.mlp = (ci_mlp_shape){
      .up = "mlp.dense_h_to_4h", .down = "mlp.dense_4h_to_h", .biased = true, .inner = 4 * d.block.width, .activation = "gelu_new"};
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {"lm_head.weight", NULL};

static const ci_dropout_keys dropout = {
    .attention = {"attention_dropout", 0}, .attended = {"hidden_dropout", 0}, .fed = {"hidden_dropout", 0}};

extern const ci_architecture ci_architecture_bloom;
const ci_architecture ci_architecture_bloom = {.id = "bloom",
                                               .class_name = "BloomForCausalLM",
                                               .help = "BLOOM, BLOOMZ",
                                               .prefix = "transformer.",
                                               .defaults = "{\"bos_token_id\": 1, \"eos_token_id\": 2, \"n_head\": 8}",
                                               .ignored = ignored,
                                               .dropout = &dropout,
                                               .build = build};
