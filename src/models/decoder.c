/* See decoder.h. */
#include "models/decoder.h"
#include "models/rope.h"
#include <stdio.h>

static bool is_scaled(double factor) { return factor != 0 && factor != 1; }

static int embed(ci_builder *b, const ci_decoder *d, ci_weight embedding) {
  char key[128];
  int x = ci_add_embedding(b, "tokens", embedding);
  int ids = x;
  if (is_scaled(d->embedding_scale)) x = ci_add_scale(b, "scaled", x, d->embedding_scale);
  ci_build_input(b, ids, d->input_scaled ? x : ids);
  if (d->project_in) x = ci_add_linear_named(b, "projected", d->project_in, x, d->block.width, d->embedding_width, false, false);
  if (d->embedding_norm) x = ci_add_norm(b, &d->block.norm, d->embedding_norm, x);
  if (d->position_weight.data) return ci_add_position(b, "positions", x, d->position_weight, d->position_offset);
  if (!d->position_table) return x;
  snprintf(key, sizeof key, "%s.weight", d->position_table);
  return ci_add_position(b, "positions", x, ci_weight_linear(b, key, d->positions + d->position_offset, d->block.width), d->position_offset);
}

static void end(ci_builder *b, const ci_decoder *d, int x, ci_weight embedding) {
  char key[128];
  ci_build_section(b, CI_OUTPUT, "output.", 0);
  snprintf(b->weights, sizeof b->weights, "%s", d->weights);
  x = ci_add_select(b, "rows", x);
  if (d->norm) x = ci_add_norm(b, &d->block.norm, d->norm, x);
  size_t width = d->embedding_width ? d->embedding_width : d->block.width;
  if (d->project_out) x = ci_add_linear_named(b, "projected", d->project_out, x, width, d->block.width, false, false);
  ci_build_weights(b, "", 0);
  snprintf(key, sizeof key, "%s.weight", d->head);
  ci_weight head = d->tied ? embedding : ci_weight_linear(b, key, d->vocabulary, width);
  snprintf(key, sizeof key, "%s.bias", d->head);
  const float *bias = d->head_biased ? ci_vector(b, key, d->vocabulary) : NULL;
  bool scaled = is_scaled(d->logit_scale), capped = d->logit_cap > 0;
  x = ci_add_linear(b, scaled || capped ? "plain_logits" : "logits", x, head, bias);
  if (scaled) x = ci_add_scale(b, capped ? "scaled_logits" : "logits", x, d->logit_scale);
  if (capped) x = ci_add_soft_cap(b, "logits", x, d->logit_cap);
  b->model->graph.logits = x;
}

void ci_build_decoder(ci_builder *b, const ci_decoder *d) {
  ci_graph *graph = &b->model->graph;
  size_t *positions = &graph->positions[CI_DECODER];
  graph->layers[CI_DECODER] = d->layers;
  if (d->positions && (!*positions || d->positions < *positions)) *positions = d->positions;
  ci_build_section(b, CI_DECODER, "decoder.embedding.", 0);
  snprintf(b->weights, sizeof b->weights, "%s", d->weights);
  char key[128];
  snprintf(key, sizeof key, "%s.weight", d->embedding);
  ci_weight embedding = ci_weight_linear(b, key, d->vocabulary, d->embedding_width ? d->embedding_width : d->block.width);
  int x = embed(b, d, embedding);
  for (int i = 0; i < d->layers && !b->status; i++) {
    ci_block block = d->block;
    ci_build_section(b, CI_DECODER, "decoder.%d.", i);
    ci_build_weights(b, d->layer_weights, i);
    if (d->layer) d->layer(b, d, i, &block);
    x = ci_add_block(b, &block, x);
  }
  end(b, d, x, embedding);
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
  if (a.heads % a.kv_heads)
    ci_build_fail(b, "config.json", "num_attention_heads %zu is not a multiple of num_key_value_heads %zu", a.heads, a.kv_heads);
  a.biased = a.output_biased = ci_config_bool(b, "attention_bias", false);
  double part = ci_config_real(b, "partial_rotary_factor", 1);
  if (!(part > 0 && part <= 1)) ci_build_fail(b, "config.json", "partial_rotary_factor %g is not in (0, 1]", part);
  size_t rotated = b->status ? 0 : (size_t)((double)a.head_dim * part);
  if (rotated % 2) ci_build_fail(b, "config.json", "head_dim %zu is odd: rotary positions need pairs", rotated);
  a.rope = ci_build_rope(b, ci_config_real(b, "rope_theta", 10000), rotated, "rope_scaling");
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
