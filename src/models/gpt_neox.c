/* GPT-NeoX (Black et al. 2022) and Pythia: attention and feed-forward side by side under norms of their own, rotary positions
 * in a part of each head, one matrix in which each head's query, key and value stand together.
 *   x += attn(input_layernorm(x)) + mlp(post_attention_layernorm(x));  one after the other without use_parallel_residual
 * Attribution input: the token embedding. */
#include "models/decoder.h"
#include "models/dropout.h"

static void build(ci_builder *b) {
  ci_decoder d = {.weights = "gpt_neox.",
                  .layer_weights = "gpt_neox.layers.%d.",
                  .embedding = "embed_in",
                  .norm = "final_layer_norm",
                  .head = "embed_out",
                  .block = {.attention_norms.before = "input_layernorm", .mlp_norms.before = "post_attention_layernorm"}};
  d.vocabulary = ci_config_size(b, "vocab_size", 50432, 1);
  d.layers = (int)ci_config_int(b, "num_hidden_layers", 44, 1, CI_MOST_LAYERS);
  d.positions = ci_config_size(b, "max_position_embeddings", 2048, 1);
  d.tied = ci_config_bool(b, "tie_word_embeddings", false);
  d.block.width = ci_config_size(b, "hidden_size", 6144, 1);
  d.block.norm = (ci_norm_style){.op = &ci_op_layer_norm, .epsilon = ci_config_real(b, "layer_norm_eps", 1e-5)};
  d.block.parallel = ci_config_bool(b, "use_parallel_residual", true);
  ci_attention_shape *a = &d.block.attention;
  *a = ci_attention_of(b, d.block.width, "num_attention_heads");
  ci_attention_fused(a, "attention.query_key_value", true);
  a->output = "attention.dense";
  a->biased = a->output_biased = ci_config_bool(b, "attention_bias", true);
  a->rope = ci_rope_of(b, a, ci_config_real(b, "rotary_pct", 0.25), ci_config_real(b, "rotary_emb_base", 10000));
  d.block.mlp = (ci_mlp_shape){.up = "mlp.dense_h_to_4h", .down = "mlp.dense_4h_to_h", .biased = true};
  d.block.mlp.inner = ci_config_size(b, "intermediate_size", 24576, 1);
  d.block.mlp.activation = ci_config_text(b, "hidden_act", "gelu");
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {".attention.bias", ".attention.masked_bias", "rotary_emb.inv_freq", NULL};

static const ci_dropout_keys dropout = {.embedding = {"hidden_dropout", 0},
                                        .attention = {"attention_dropout", 0},
                                        .attended = {"hidden_dropout", 0},
                                        .fed = {"hidden_dropout", 0}};

extern const ci_architecture ci_architecture_gpt_neox;
const ci_architecture ci_architecture_gpt_neox = {
    .id = "gpt_neox",
    .class_name = "GPTNeoXForCausalLM",
    .help = "GPT-NeoX, Pythia and models of their shape (Dolly 2, RedPajama)",
    .prefix = "gpt_neox.",
    .defaults = "{\"bos_token_id\": 0, \"eos_token_id\": 2, \"num_attention_heads\": 64}",
    .ignored = ignored,
    .dropout = &dropout,
    .build = build};
