/* MarianMT (Junczys-Dowmunt et al. 2018): encoder-decoder, sinusoidal positions, post-norm blocks, embeddings times sqrt(d),
 * one vocabulary for both sides and the head, final_logits_bias.
 *   x = emb sqrt(d) + pos;  x = norm(x + attn(x));  [x = norm(x + cross(x, source))];  x = norm(x + fc2(act(fc1(x))))
 * Attribution input: the scaled embedding, before positions. */
#include "models/builder.h"
#include <math.h>

typedef struct {
  size_t width, heads, inner;
  const char *activation;
} sketch;

static int linear(ci_builder *b, const char *scope, const char *name, const char *weight, int x, size_t outputs, size_t inputs) {
  char node[96], key[96];
  snprintf(node, sizeof node, "%s%s", scope, name);
  snprintf(key, sizeof key, "%s.weight", weight);
  ci_weight w = ci_weight_linear(b, key, outputs, inputs);
  snprintf(key, sizeof key, "%s.bias", weight);
  return ci_add_linear(b, node, x, w, ci_vector(b, key, outputs));
}

static int norm(ci_builder *b, const char *name, int x, size_t width) {
  char scale[96], bias[96];
  snprintf(scale, sizeof scale, "%s.weight", name);
  snprintf(bias, sizeof bias, "%s.bias", name);
  return ci_add_layer_norm(b, name, x, ci_vector(b, scale, width), ci_vector(b, bias, width), 1e-5);
}

/* scope: the node's ("self_attn"), weights: the file's ("encoder_attn"); source: where keys and values come from. */
static int attention(ci_builder *b, const sketch *s, const char *scope, const char *weights, int x, int source, bool causal) {
  size_t d = s->width;
  char dotted[32], key[4][64];
  static const char *const projections[] = {"q_proj", "k_proj", "v_proj", "out_proj"};
  snprintf(dotted, sizeof dotted, "%s.", scope);
  for (int i = 0; i < 4; i++) snprintf(key[i], sizeof key[i], "%s.%s", weights, projections[i]);
  ci_space_id own = b->space;
  int q = linear(b, dotted, "query", key[0], x, d, d);
  if (!b->status) b->space = b->model->graph.nodes[source].space; /* cross keys and values have source rows */
  int k = linear(b, dotted, "key", key[1], source, d, d);
  int v = linear(b, dotted, "value", key[2], source, d, d);
  b->space = own;
  int a = ci_add_attention(b, scope, q, k, v, s->heads, s->heads, d / s->heads, 1 / sqrt((double)d / (double)s->heads), causal);
  int o = linear(b, dotted, "output", key[3], a, d, d);
  char residual[32], after[64];
  snprintf(residual, sizeof residual, "%s.residual", scope);
  snprintf(after, sizeof after, "%s_layer_norm", weights);
  return norm(b, after, ci_add_sum(b, residual, x, o), d);
}

static int feed_forward(ci_builder *b, const sketch *s, int x) {
  int n = linear(b, "", "fc1", "fc1", x, s->inner, s->width);
  n = ci_add_activation(b, "activation", n, s->activation);
  n = linear(b, "", "fc2", "fc2", n, s->width, s->inner);
  return norm(b, "final_layer_norm", ci_add_sum(b, "residual", x, n), s->width);
}

/* Sines in the first half of a row, cosines in the second: transformers' MarianSinusoidalPositionalEmbedding. */
static ci_weight positions(ci_builder *b, size_t count, size_t width) {
  float *table = ci_build_alloc(b, count * width, sizeof *table);
  size_t half = (width + 1) / 2;
  for (size_t p = 0; table && p < count; p++)
    for (size_t j = 0; j < width; j++) {
      double angle = (double)p / pow(10000, 2 * (double)(j / 2) / (double)width);
      if (j % 2) table[p * width + half + j / 2] = (float)cos(angle);
      else table[p * width + j / 2] = (float)sin(angle);
    }
  return ci_weight_table(table, count, width);
}

static int prologue(ci_builder *b, ci_space_id space, const char *scope, ci_weight embedding, ci_weight table, double scale) {
  ci_build_section(b, space, scope, 0);
  int ids = ci_add_embedding(b, "tokens", embedding);
  int input = scale == 1 ? ids : ci_add_scale(b, "scaled", ids, scale);
  ci_build_input(b, ids, input);
  return ci_add_position(b, "positions", input, table, 0);
}

static sketch read_side(ci_builder *b, const char *side, size_t width) {
  char heads[64], inner[64];
  snprintf(heads, sizeof heads, "%s_attention_heads", side);
  snprintf(inner, sizeof inner, "%s_ffn_dim", side);
  sketch s = {.width = width, .heads = (size_t)ci_config_needed(b, heads, 1, (int64_t)width),
              .inner = (size_t)ci_config_needed(b, inner, 1, 1 << 24), .activation = ci_config_text(b, "activation_function", "gelu")};
  if (width % s.heads) ci_build_fail(b, "config.json", "d_model %zu is not a multiple of %s %zu", width, heads, s.heads);
  return s;
}

static void refuse_variants(ci_builder *b) {
  ci_config_only(b, "share_encoder_decoder_embeddings", json_true());
  ci_config_only(b, "normalize_before", json_false());
  ci_config_only(b, "normalize_embedding", json_false());
  ci_config_only(b, "add_final_layer_norm", json_false());
  ci_config_only(b, "static_position_embeddings", json_true());
  ci_config_only(b, "tie_word_embeddings", json_true());
}

static void build(ci_builder *b) {
  refuse_variants(b);
  size_t d = (size_t)ci_config_needed(b, "d_model", 1, 1 << 20), vocabulary = (size_t)ci_config_needed(b, "vocab_size", 1, 1 << 28);
  sketch encoder = read_side(b, "encoder", d), decoder = read_side(b, "decoder", d);
  ci_graph *graph = &b->model->graph;
  graph->encoder_decoder = true;
  graph->layers[CI_ENCODER] = (int)ci_config_needed(b, "encoder_layers", 1, CI_MOST_LAYERS);
  graph->layers[CI_DECODER] = (int)ci_config_needed(b, "decoder_layers", 1, CI_MOST_LAYERS);
  ci_build_weights(b, "model.", 0);
  ci_weight embedding = ci_weight_linear(b, "shared.weight", vocabulary, d); /* before the table: its shape vouches for d */
  ci_weight table = positions(b, (size_t)ci_config_int(b, "max_position_embeddings", 1024, 1, 1 << 16), d);
  double scale = ci_config_bool(b, "scale_embedding", false) ? sqrt((double)d) : 1;
  int source = prologue(b, CI_ENCODER, "encoder.embedding.", embedding, table, scale);
  for (int i = 0; i < graph->layers[CI_ENCODER] && !b->status; i++) {
    ci_build_section(b, CI_ENCODER, "encoder.%d.", i);
    ci_build_weights(b, "model.encoder.layers.%d.", i);
    source = feed_forward(b, &encoder, attention(b, &encoder, "self_attn", "self_attn", source, source, false));
  }
  int x = prologue(b, CI_DECODER, "decoder.embedding.", embedding, table, scale);
  for (int i = 0; i < graph->layers[CI_DECODER] && !b->status; i++) {
    ci_build_section(b, CI_DECODER, "decoder.%d.", i);
    ci_build_weights(b, "model.decoder.layers.%d.", i);
    x = attention(b, &decoder, "self_attn", "self_attn", x, x, true);
    x = feed_forward(b, &decoder, attention(b, &decoder, "cross_attn", "encoder_attn", x, source, false));
  }
  ci_build_section(b, CI_OUTPUT, "output.", 0);
  ci_build_weights(b, "", 0);
  graph->logits = ci_add_linear(b, "logits", ci_add_select(b, "rows", x), embedding, ci_vector_if_there(b, "final_logits_bias", vocabulary));
}

static const char *const ignored[] = {"embed_positions.weight", "embed_tokens.weight", "lm_head.weight", NULL};

extern const ci_architecture ci_architecture_marian;
const ci_architecture ci_architecture_marian = {.id = "marian",
                                                .class_name = "MarianMTModel",
                                                .help = "MarianMT: the OPUS-MT translation models",
                                                .prefix = "model.",
                                                .defaults = "{\"decoder_start_token_id\": 58100, \"pad_token_id\": 58100, \"eos_token_id\": 0, \"forced_eos_token_id\": 0}",
                                                .ignored = ignored,
                                                .build = build};
