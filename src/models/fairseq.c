/* See fairseq.h. */
#include "models/fairseq.h"
#include <math.h>
#include <stdio.h>

static const ci_side_names all_names[CI_SIDES] = {
    [CI_ENCODER] = {.block = "model.encoder.layers.%d.",
                    .self = "self_attn.",
                    .self_norm = "self_attn_layer_norm",
                    .feed_norm = "final_layer_norm",
                    .up = "fc1",
                    .down = "fc2",
                    .embedding_norm = "model.encoder.layernorm_embedding",
                    .final_norm = "model.encoder.layer_norm"},
    [CI_DECODER] = {.block = "model.decoder.layers.%d.",
                    .self = "self_attn.",
                    .cross = "encoder_attn.",
                    .self_norm = "self_attn_layer_norm",
                    .cross_norm = "encoder_attn_layer_norm",
                    .feed_norm = "final_layer_norm",
                    .up = "fc1",
                    .down = "fc2",
                    .embedding_norm = "model.decoder.layernorm_embedding",
                    .final_norm = "model.decoder.layer_norm"},
};

static ci_side read_side(ci_builder *b, const char *side, size_t width, const ci_fairseq_shape *shape,
                         ci_side_names names) {
  char heads[64], inner[64], layers[64];
  snprintf(heads, sizeof heads, "%s_attention_heads", side);
  snprintf(inner, sizeof inner, "%s_ffn_dim", side);
  snprintf(layers, sizeof layers, "%s_layers", side);
  ci_side s = {.layers = (int)ci_config_needed(b, layers, 1, CI_MOST_LAYERS),
               .heads = (size_t)ci_config_needed(b, heads, 1, (int64_t)width),
               .inner = (size_t)ci_config_needed(b, inner, 1, 1 << 24),
               .names = names};
  if (width % s.heads)
    ci_build_fail(b, "config.json", "d_model %zu is not a multiple of %s %zu", width, heads, s.heads);
  s.head_dim = width / s.heads;
  if (!shape->embedding_norm) s.names.embedding_norm = NULL;
  if (!shape->final_norm) s.names.final_norm = NULL;
  return s;
}

ci_pair ci_fairseq_read(ci_builder *b, const ci_fairseq_shape *shape, const char *width_key) {
  ci_config_only(b, "normalize_before", json_boolean(shape->norm_first));
  ci_config_only(b, "normalize_embedding", json_boolean(shape->embedding_norm));
  ci_config_only(b, "add_final_layer_norm", json_boolean(shape->final_norm));
  ci_config_only(b, "tie_encoder_decoder", json_false());
  size_t d = (size_t)ci_config_needed(b, width_key, 1, 1 << 20);
  ci_pair pair = {.width = d,
                  .sides = {read_side(b, "encoder", d, shape, all_names[CI_ENCODER]),
                            read_side(b, "decoder", d, shape, all_names[CI_DECODER])},
                  .projections = {"q_proj", "k_proj", "v_proj", "out_proj"},
                  .activation = ci_config_text(b, "activation_function", "gelu"),
                  .norm_first = shape->norm_first,
                  .biased = true,
                  .epsilon = 1e-5,
                  .embedding_scale = ci_config_bool(b, "scale_embedding", false) ? sqrt((double)d) : 1};
  return pair;
}

void ci_fairseq_embed(ci_builder *b, ci_pair *pair, const char *prefix) {
  static const char *const tied[] = {"shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"};
  char name[96], other[96];
  ci_config_only(b, "tie_word_embeddings", json_true());
  size_t vocabulary = (size_t)ci_config_needed(b, "vocab_size", 1, 1 << 28);
  ci_build_weights(b, "", 0);
  snprintf(name, sizeof name, "%s%s", prefix, tied[0]);
  for (size_t i = 1; i < sizeof tied / sizeof *tied && !ci_has_weight(b, name); i++) {
    snprintf(other, sizeof other, "%s%s", prefix, tied[i]);
    if (ci_has_weight(b, other)) snprintf(name, sizeof name, "%s", other);
  }
  pair->head = ci_weight_linear(b, name, vocabulary, pair->width);
  pair->head_bias = ci_vector_if_there(b, "final_logits_bias", vocabulary);
  for (int s = 0; s < CI_SIDES; s++) pair->sides[s].embedding = pair->head;
}

static size_t most_positions(ci_builder *b) {
  return (size_t)ci_config_int(b, "max_position_embeddings", 1024, 1, 1 << 16);
}

void ci_fairseq_learned(ci_builder *b, ci_pair *pair, size_t offset) {
  static const char *const names[CI_SIDES] = {
      [CI_ENCODER] = "model.encoder.embed_positions.weight", [CI_DECODER] = "model.decoder.embed_positions.weight"};
  ci_config_only(b, "static_position_embeddings", json_false());
  ci_build_weights(b, "", 0);
  for (int s = 0; s < CI_SIDES; s++) {
    pair->sides[s].positions = ci_weight_linear(b, names[s], most_positions(b) + offset, pair->width);
    pair->sides[s].position_offset = offset;
  }
}

/* angles: [width / 2] for a position; sines in the first half of its row, cosines in the second, of which an odd width
 * has one less (Marian) or which a 0 follows (fairseq). */
static void sines(ci_builder *b, ci_pair *pair, double (*angle)(size_t position, size_t j, size_t width), size_t first,
                  size_t half) {
  ci_config_only(b, "static_position_embeddings", json_true());
  size_t count = most_positions(b), width = pair->width;
  float *table = ci_build_alloc(b, count * width, sizeof *table);
  for (size_t p = 0; table && p < count; p++)
    for (size_t j = 0; j < half; j++) {
      double a = angle(p + first, j, width);
      table[p * width + j] = (float)sin(a);
      if (half + j < width) table[p * width + half + j] = (float)cos(a);
    }
  for (int s = 0; s < CI_SIDES && table; s++) pair->sides[s].positions = ci_weight_table(table, count, width);
}

/* In float32, as torch computes it: at position 1000 the roundings are visible. */
static double fairseq_angle(size_t position, size_t j, size_t width) {
  float step = (float)-(log(10000) / (double)(width / 2 - 1)), frequency = expf((float)j * step);
  return (double)((float)position * frequency);
}

static double marian_angle(size_t position, size_t j, size_t width) {
  return (double)position / pow(10000, 2 * (double)j / (double)width);
}

void ci_fairseq_sines(ci_builder *b, ci_pair *pair, size_t first) {
  if (pair->width < 4)
    ci_build_fail(b, "config.json", "d_model %zu is too small for sinusoidal positions", pair->width);
  sines(b, pair, fairseq_angle, first, pair->width / 2);
}

void ci_marian_sines(ci_builder *b, ci_pair *pair) {
  sines(b, pair, marian_angle, 0, (pair->width + 1) / 2);
}

const char *const ci_fairseq_ignored[] = {"embed_positions.weight", "embed_positions.weights", "embed_tokens.weight",
                                          "lm_head.weight", NULL};
