/* Falcon (Almazrouei et al. 2023): attention and feed-forward side by side (parallel_attn) or one after the other, under one
 * norm or two, rotary positions or ALiBi. Three layouts of the one matrix of query, key and value:
 *   new_decoder_architecture  for each key head: its queries, the key, the value
 *   multi_query               all queries, one key, one value
 *   else                      for each head: query, key, value
 * ALiBi's biases are bfloat16 numbers by the key's position, as transformers computes them, and scaled with the products.
 * Attribution input: the token embedding. */
#include "models/alibi.h"
#include "models/decoder.h"
#include "models/dropout.h"
#include <math.h>
#include <string.h>

/* Rounded to nearest, ties to even. */
static float as_bfloat16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
  memcpy(&x, &bits, 4);
  return x;
}

static const ci_position_bias *biases(ci_builder *b, const ci_attention_shape *a, size_t positions) {
  const float *slopes = ci_alibi_slopes(b, a->heads);
  size_t cells = 0;
  if (!b->status && __builtin_mul_overflow(a->heads, positions, &cells)) ci_build_fail(b, "config.json", "too many positions");
  float *table = ci_build_alloc(b, cells, sizeof *table), scale = (float)(1 / sqrt((double)a->head_dim));
  ci_position_bias *bias = ci_build_alloc(b, 1, sizeof *bias);
  if (b->status) return NULL;
  for (size_t h = 0; h < a->heads; h++)
    for (size_t k = 0; k < positions; k++)
      table[h * positions + k] = scale * as_bfloat16(as_bfloat16(slopes[h]) * as_bfloat16((float)k));
  *bias = (ci_position_bias){.table = table, .after = positions - 1, .by_key = true};
  return bias;
}

static ci_attention_shape read_attention(ci_builder *b, size_t width, bool grouped) {
  ci_attention_shape a = ci_attention_of(b, width, "num_attention_heads");
  size_t dim = a.head_dim;
  bool one = !grouped && ci_config_bool(b, "multi_query", true);
  if (grouped) a.kv_heads = ci_config_size(b, "num_kv_heads", a.heads, 1);
  if (one) a.kv_heads = 1;
  if (a.heads % a.kv_heads)
    ci_build_fail(b, "config.json", "num_attention_heads %zu is not a multiple of num_kv_heads %zu", a.heads, a.kv_heads);
  ci_attention_fused(&a, "self_attention.query_key_value", !one);
  if (grouped) {
    size_t group = a.heads / a.kv_heads, stride = (group + 2) * dim;
    a.query.part = (ci_part){0, group * dim, stride, a.kv_heads};
    a.key.part = (ci_part){group * dim, dim, stride, a.kv_heads};
    a.value.part = (ci_part){(group + 1) * dim, dim, stride, a.kv_heads};
  }
  a.output = "self_attention.dense";
  a.biased = a.output_biased = ci_config_bool(b, "bias", false);
  return a;
}

static void read_norms(ci_builder *b, ci_block *block, bool grouped) {
  bool parallel = ci_config_bool(b, "parallel_attn", true);
  int norms = (int)ci_config_int(b, "num_ln_in_parallel_attn", grouped ? 2 : 1, 1, 2);
  block->norm = (ci_norm_style){.op = &ci_op_layer_norm, .epsilon = ci_config_real(b, "layer_norm_epsilon", 1e-5)};
  block->parallel = parallel;
  block->attention_norms.before = "input_layernorm";
  if (!parallel) {
    if (grouped) ci_build_fail(b, "config.json", "\"parallel_attn\": false is not supported with new_decoder_architecture");
    block->mlp_norms.before = "post_attention_layernorm";
  } else if (grouped && norms == 2) {
    block->attention_norms.before = "ln_attn";
    block->mlp_norms.before = "ln_mlp";
  }
}

/* attention_dropout is the attention output's too where the feed-forward follows. Eager attention drops probabilities with ALiBi
 * only. */
static const ci_dropout_keys dropout[2][2] = {
    [false] = {[false] = {.attended = {"attention_dropout", 0}, .fed = {"hidden_dropout", 0}},
               [true] = {.attention = {"attention_dropout", 0}, .attended = {"attention_dropout", 0}, .fed = {"hidden_dropout", 0}}},
    [true] = {[false] = {.attended = {"hidden_dropout", 0}, .fed = {"hidden_dropout", 0}, .of_the_sum = true},
              [true] = {.attention = {"attention_dropout", 0},
                        .attended = {"hidden_dropout", 0},
                        .fed = {"hidden_dropout", 0},
                        .of_the_sum = true}}};

static void build(ci_builder *b) {
  ci_config_alias(b, "n_embed", "hidden_size");
  ci_config_alias(b, "n_head", "num_attention_heads");
  ci_config_alias(b, "n_layer", "num_hidden_layers");
  ci_config_alias(b, "n_head_kv", "num_kv_heads");
  ci_decoder d = {.weights = "transformer.",
                  .layer_weights = "transformer.h.%d.",
                  .embedding = "word_embeddings",
                  .norm = "ln_f",
                  .head = "lm_head"};
  bool grouped = ci_config_bool(b, "new_decoder_architecture", false);
  d.vocabulary = ci_config_size(b, "vocab_size", 65024, 1);
  d.layers = (int)ci_config_int(b, "num_hidden_layers", 32, 1, CI_MOST_LAYERS);
  d.positions = ci_config_size(b, "max_position_embeddings", 2048, 1);
  d.tied = ci_config_bool(b, "tie_word_embeddings", true);
  d.block.width = ci_config_size(b, "hidden_size", 4544, 1);
  d.block.attention = read_attention(b, d.block.width, grouped);
  read_norms(b, &d.block, grouped);
  if (ci_config_bool(b, "alibi", false)) d.block.attention.bias = biases(b, &d.block.attention, d.positions);
  else d.block.attention.rope = ci_rope_of(b, &d.block.attention, 1, ci_config_real(b, "rope_theta", 10000));
  d.block.mlp = (ci_mlp_shape){.up = "mlp.dense_h_to_4h", .down = "mlp.dense_4h_to_h", .biased = d.block.attention.biased};
  d.block.mlp.inner = ci_config_size(b, "ffn_hidden_size", 4 * d.block.width, 1);
  d.block.mlp.activation = ci_config_text(b, "activation", "gelu");
  b->dropout = &dropout[d.block.parallel][d.block.attention.bias != NULL];
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {"lm_head.weight", "rotary_emb.inv_freq", NULL};

extern const ci_architecture ci_architecture_falcon;
const ci_architecture ci_architecture_falcon = {
    .id = "falcon",
    .class_name = "FalconForCausalLM",
    .help = "Falcon 7B, 40B, 180B, RefinedWeb",
    .prefix = "transformer.",
    .defaults = "{\"bos_token_id\": 11, \"eos_token_id\": 11, \"num_attention_heads\": 71}",
    .ignored = ignored,
    .build = build};
