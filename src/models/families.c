/* Descriptions shared by families of configurations: see decoder.h. */
#include "models/decoder.h"
#include "models/rope.h"

const ci_rope *ci_rope_of(ci_builder *b, const ci_attention_shape *a, double fraction, double theta) {
  if (!(fraction > 0 && fraction <= 1)) ci_build_fail(b, "config.json", "%g is no part of a head's dimensions to turn", fraction);
  size_t rotated = b->status ? 0 : (size_t)((double)a->head_dim * fraction);
  if (rotated % 2) ci_build_fail(b, "config.json", "head_dim %zu is odd: rotary positions need pairs", rotated);
  return ci_build_rope(b, theta, rotated, "rope_scaling");
}

ci_attention_shape ci_attention_of(ci_builder *b, size_t width, const char *heads_key) {
  size_t heads = (size_t)ci_config_needed(b, heads_key, 1, 1 << 16);
  if (!b->status && width % heads) ci_build_fail(b, "config.json", "a width of %zu is not a multiple of %s %zu", width, heads_key, heads);
  return (ci_attention_shape){.heads = heads, .kv_heads = heads, .head_dim = b->status ? 1 : width / heads};
}

void ci_attention_fused(ci_attention_shape *a, const char *weight, bool by_head) {
  ci_projection *const parts[] = {&a->query, &a->key, &a->value};
  const size_t outputs[] = {a->heads * a->head_dim, a->kv_heads * a->head_dim, a->kv_heads * a->head_dim};
  a->fused = 0;
  for (size_t i = 0; i < 3; i++) {
    ci_part together = {.first = a->fused, .block = outputs[i], .count = 1};
    ci_part in_turns = {.first = i * a->head_dim, .block = a->head_dim, .stride = 3 * a->head_dim, .count = a->heads};
    *parts[i] = (ci_projection){weight, by_head ? in_turns : together};
    a->fused += outputs[i];
  }
}

static ci_attention_shape llama_attention(ci_builder *b, size_t width) {
  ci_attention_shape a = {.query.weight = "self_attn.q_proj",
                          .key.weight = "self_attn.k_proj",
                          .value.weight = "self_attn.v_proj",
                          .output = "self_attn.o_proj",
                          .query_norm = "self_attn.q_norm",
                          .key_norm = "self_attn.k_norm"};
  a.heads = (size_t)ci_config_needed(b, "num_attention_heads", 1, 1 << 16);
  a.kv_heads = ci_config_size(b, "num_key_value_heads", a.heads, 1);
  a.head_dim = ci_config_size(b, "head_dim", width / a.heads, 1);
  if (!b->status && a.heads % a.kv_heads)
    ci_build_fail(b, "config.json", "num_attention_heads %zu is not a multiple of num_key_value_heads %zu", a.heads, a.kv_heads);
  a.biased = a.output_biased = ci_config_bool(b, "attention_bias", false);
  a.rope = ci_rope_of(b, &a, ci_config_real(b, "partial_rotary_factor", 1), ci_config_real(b, "rope_theta", 10000));
  return a;
}

ci_decoder ci_decoder_like_llama(ci_builder *b) {
  ci_decoder d = {.weights = "model.",
                  .layer_weights = "model.layers.%d.",
                  .embedding = "embed_tokens",
                  .norm = "norm",
                  .head = "lm_head",
                  .block = {.attention_norms.before = "input_layernorm",
                            .mlp_norms.before = "post_attention_layernorm",
                            .mlp = {.gate = "mlp.gate_proj", .up = "mlp.up_proj", .down = "mlp.down_proj"}}};
  d.vocabulary = (size_t)ci_config_needed(b, "vocab_size", 1, 1 << 28);
  d.layers = (int)ci_config_needed(b, "num_hidden_layers", 1, CI_MOST_LAYERS);
  d.positions = ci_config_size(b, "max_position_embeddings", 2048, 1);
  d.tied = ci_config_bool(b, "tie_word_embeddings", false);
  d.block.width = (size_t)ci_config_needed(b, "hidden_size", 1, 1 << 20);
  d.block.norm = (ci_norm_style){.op = &ci_op_rms_norm, .epsilon = ci_config_real(b, "rms_norm_eps", 1e-6)};
  d.block.attention = llama_attention(b, d.block.width);
  d.block.mlp.inner = (size_t)ci_config_needed(b, "intermediate_size", 1, 1 << 24);
  d.block.mlp.activation = ci_config_text(b, "hidden_act", "silu");
  return d;
}

ci_decoder ci_decoder_like_gpt2(ci_builder *b) {
  ci_config_only(b, "add_cross_attention", json_false());
  ci_decoder d = {.weights = "transformer.",
                  .layer_weights = "transformer.h.%d.",
                  .embedding = "wte",
                  .position_table = "wpe",
                  .norm = "ln_f",
                  .head = "lm_head",
                  .block = {.attention_norms.before = "ln_1", .mlp_norms.before = "ln_2"}};
  d.vocabulary = ci_config_size(b, "vocab_size", 50257, 1);
  d.layers = (int)ci_config_int(b, "n_layer", 12, 1, CI_MOST_LAYERS);
  d.positions = ci_config_size(b, "n_positions", 1024, 1);
  d.tied = ci_config_bool(b, "tie_word_embeddings", true);
  d.block.width = ci_config_size(b, "n_embd", 768, 1);
  d.block.norm = (ci_norm_style){.op = &ci_op_layer_norm, .epsilon = ci_config_real(b, "layer_norm_epsilon", 1e-5)};
  d.block.attention = ci_attention_of(b, d.block.width, "n_head");
  ci_attention_fused(&d.block.attention, "attn.c_attn", false);
  d.block.attention.output = "attn.c_proj";
  d.block.attention.biased = d.block.attention.output_biased = true;
  d.block.mlp = (ci_mlp_shape){.up = "mlp.c_fc", .down = "mlp.c_proj", .biased = true};
  d.block.mlp.inner = ci_config_size(b, "n_inner", 4 * d.block.width, 1);
  d.block.mlp.activation = ci_config_text(b, "activation_function", "gelu_new");
  return d;
}
