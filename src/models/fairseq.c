/* See fairseq.h. */
#include "models/fairseq.h"
#include <math.h>
#include <string.h>

static ci_attention_shape attention(const char *const names[4], size_t heads, size_t head_dim) {
  return (ci_attention_shape){.heads = heads,
                              .kv_heads = heads,
                              .head_dim = head_dim,
                              .query.weight = names[0],
                              .key.weight = names[1],
                              .value.weight = names[2],
                              .output = names[3],
                              .biased = true,
                              .output_biased = true};
}

static ci_branch_norms norms(const ci_fairseq_shape *shape, const char *name) {
  return shape->norm_first ? (ci_branch_norms){.before = name} : (ci_branch_norms){.sum = name};
}

static ci_side read_side(ci_builder *b, ci_space_id side, size_t width, const ci_fairseq_shape *shape) {
  static const char *const self[] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"},
                           *const cross[] = {"encoder_attn.q_proj", "encoder_attn.k_proj", "encoder_attn.v_proj",
                                             "encoder_attn.out_proj"};
  bool decoder = side == CI_DECODER;
  const char *heads_key = decoder ? "decoder_attention_heads" : "encoder_attention_heads";
  size_t heads = (size_t)ci_config_needed(b, heads_key, 1, (int64_t)width);
  if (width % heads) ci_build_fail(b, "config.json", "width %zu is not a multiple of %s %zu", width, heads_key, heads);
  ci_side s = {.layers = (int)ci_config_needed(b, decoder ? "decoder_layers" : "encoder_layers", 1, CI_MOST_LAYERS),
               .weights = decoder ? "model.decoder." : "model.encoder.",
               .layer_weights = decoder ? "model.decoder.layers.%d." : "model.encoder.layers.%d.",
               .embedding_norm = shape->embedding_norm ? "layernorm_embedding" : NULL,
               .norm = shape->final_norm ? "layer_norm" : NULL};
  s.block = (ci_block){
      .width = width,
      .norm = {.op = &ci_op_layer_norm, .epsilon = 1e-5},
      .attention = attention(self, heads, width / heads),
      .attention_norms = norms(shape, "self_attn_layer_norm"),
      .mlp = {.inner = (size_t)ci_config_needed(b, decoder ? "decoder_ffn_dim" : "encoder_ffn_dim", 1, 1 << 24),
              .up = "fc1",
              .down = "fc2",
              .biased = true,
              .activation = ci_config_text(b, "activation_function", "gelu")},
      .mlp_norms = norms(shape, "final_layer_norm")};
  s.block.attention.bidirectional = !decoder;
  if (!decoder) return s;
  s.block.cross = attention(cross, heads, width / heads);
  s.block.cross.scope = "cross_attn";
  s.block.cross_norms = norms(shape, "encoder_attn_layer_norm");
  return s;
}

ci_pair ci_fairseq_read(ci_builder *b, const ci_fairseq_shape *shape, const char *width_key) {
  ci_config_only(b, "normalize_before", json_boolean(shape->norm_first));
  ci_config_only(b, "normalize_embedding", json_boolean(shape->embedding_norm));
  ci_config_only(b, "add_final_layer_norm", json_boolean(shape->final_norm));
  ci_config_only(b, "tie_encoder_decoder", json_false());
  size_t d = (size_t)ci_config_needed(b, width_key, 1, 1 << 20);
  return (ci_pair){.sides = {read_side(b, CI_ENCODER, d, shape), read_side(b, CI_DECODER, d, shape)},
                   .embedding_scale = ci_config_bool(b, "scale_embedding", false) ? sqrt((double)d) : 1};
}

void ci_fairseq_rename(ci_pair *pair, const char *feed_norm) {
  ci_attention_shape *cross = &pair->sides[CI_DECODER].block.cross;
  cross->query.weight = "cross_attention.q_proj";
  cross->key.weight = "cross_attention.k_proj";
  cross->value.weight = "cross_attention.v_proj";
  cross->output = "cross_attention.out_proj";
  pair->sides[CI_DECODER].block.cross_norms.before = "cross_attention_layer_norm";
  for (int i = 0; i < CI_SIDES; i++) {
    ci_block *block = &pair->sides[i].block;
    block->mlp.up = "ffn.fc1";
    block->mlp.down = "ffn.fc2";
    block->mlp_norms.before = feed_norm;
  }
}

const char *const ci_fairseq_shared[3] = {"model.shared.weight", "model.encoder.embed_tokens.weight",
                                          "model.decoder.embed_tokens.weight"};

static size_t width_of(const ci_pair *pair) {
  return pair->sides[CI_DECODER].block.width;
}

void ci_fairseq_embed(ci_builder *b, ci_pair *pair, const char *const names[3]) {
  ci_config_only(b, "tie_word_embeddings", json_true());
  size_t vocabulary = (size_t)ci_config_needed(b, "vocab_size", 1, 1 << 28);
  ci_build_weights(b, "", 0);
  pair->head = ci_weight_tied(b, names, 3, vocabulary, width_of(pair));
  pair->head_bias = ci_vector_if_there(b, "final_logits_bias", vocabulary);
  for (int s = 0; s < CI_SIDES; s++) pair->sides[s].embedding = pair->head;
}

static size_t most_positions(ci_builder *b) {
  return (size_t)ci_config_int(b, "max_position_embeddings", 1024, 1, 1 << 16);
}

void ci_fairseq_learned(ci_builder *b, ci_pair *pair, size_t offset) {
  ci_config_only(b, "static_position_embeddings", json_false());
  for (int i = 0; i < CI_SIDES; i++) {
    ci_side *s = &pair->sides[i];
    ci_build_weights(b, s->weights, 0);
    s->positions = ci_weight_linear(b, "embed_positions.weight", most_positions(b) + offset, width_of(pair));
    s->position_offset = offset;
  }
}

/* Frequency j of `half`, and whether angles are products in float32, as torch has them: at position 1000 the roundings
 * are visible. What is left of an odd width: Marian's last sine, fairseq's zero. */
typedef struct {
  double (*frequency)(size_t j, size_t width);
  size_t half, first;
  bool single;
} sine_table;

static void sines(ci_builder *b, ci_pair *pair, const sine_table *t) {
  ci_config_only(b, "static_position_embeddings", json_true());
  size_t count = most_positions(b), width = width_of(pair);
  float *table = ci_build_alloc(b, count * width, sizeof *table);
  if (!table) return;
  memset(table, 0, count * width * sizeof *table);
  for (size_t j = 0; j < t->half; j++) {
    double f = t->frequency(j, width);
    for (size_t p = 0; p < count; p++) {
      double angle = t->single ? (double)((float)(p + t->first) * (float)f) : (double)(p + t->first) * f;
      table[p * width + j] = (float)sin(angle);
      if (t->half + j < width) table[p * width + t->half + j] = (float)cos(angle);
    }
  }
  for (int s = 0; s < CI_SIDES; s++) pair->sides[s].positions = ci_weight_table(table, count, width);
}

static double fairseq_frequency(size_t j, size_t width) {
  return (double)expf((float)j * (float)-(log(10000) / (double)(width / 2 - 1)));
}

static double marian_frequency(size_t j, size_t width) {
  return 1 / pow(10000, 2 * (double)j / (double)width);
}

void ci_fairseq_sines(ci_builder *b, ci_pair *pair, size_t first) {
  size_t d = width_of(pair);
  if (d < 4) ci_build_fail(b, "config.json", "width %zu is too small for sinusoidal positions", d);
  sines(b, pair, &(sine_table){fairseq_frequency, d / 2, first, true});
}

void ci_marian_sines(ci_builder *b, ci_pair *pair) {
  sines(b, pair, &(sine_table){marian_frequency, (width_of(pair) + 1) / 2, 0, false});
}

const char *const ci_fairseq_ignored[] = {"embed_positions.weight",
                                          "embed_positions.weights",
                                          "embed_tokens.weight",
                                          "lm_head.weight",
                                          "encoder.version",
                                          "decoder.version",
                                          NULL};
