/* See encoder_decoder.h. */
#include "models/encoder_decoder.h"
#include <math.h>
#include <stdio.h>

/* What the step being built belongs to. */
typedef struct {
  ci_builder *b;
  const ci_pair *pair;
  const ci_side *side;
} place;

static int linear(const place *at, const char *node, const char *weight, int x, size_t outputs, size_t inputs) {
  char key[96];
  snprintf(key, sizeof key, "%s.weight", weight);
  ci_weight w = ci_weight_linear(at->b, key, outputs, inputs);
  snprintf(key, sizeof key, "%s.bias", weight);
  return ci_add_linear(at->b, node, x, w, at->pair->biased ? ci_vector(at->b, key, outputs) : NULL);
}

static int norm(const place *at, const char *node, const char *weight, int x) {
  char key[96];
  size_t d = at->pair->width;
  snprintf(key, sizeof key, "%s.weight", weight);
  const float *scale = ci_vector(at->b, key, d);
  if (at->pair->rms) return ci_add_rms_norm(at->b, node, x, scale, at->pair->epsilon);
  snprintf(key, sizeof key, "%s.bias", weight);
  return ci_add_layer_norm(at->b, node, x, scale, ci_vector(at->b, key, d), at->pair->epsilon);
}

/* scope: "self_attn" or "cross_attn"; weights: the file's word for it; source: where keys and values come from. */
static int attend(const place *at, const char *scope, const char *weights, int x, int source, bool causal) {
  static const char *const nodes[] = {"query", "key", "value", "output"};
  const ci_side *s = at->side;
  ci_builder *b = at->b;
  size_t d = at->pair->width, heads = s->heads * s->head_dim;
  char node[4][32], weight[4][64];
  for (int i = 0; i < 4; i++) {
    snprintf(node[i], sizeof node[i], "%s.%s", scope, nodes[i]);
    snprintf(weight[i], sizeof weight[i], "%s%s", weights, at->pair->projections[i]);
  }
  ci_space_id own = b->space;
  int q = linear(at, node[0], weight[0], x, heads, d);
  if (!b->status) b->space = b->model->graph.nodes[source].space; /* cross keys and values have source rows */
  int k = linear(at, node[1], weight[1], source, heads, d);
  int v = linear(at, node[2], weight[2], source, heads, d);
  b->space = own;
  int a = ci_add_attention(b, scope, q, k, v, s->heads, s->heads, s->head_dim, 1 / sqrt((double)s->head_dim), causal);
  return linear(at, node[3], weight[3], a, d, heads);
}

static int attention_step(const place *at, const char *scope, const char *weights, const char *norm_weights, int x,
                          int source, bool causal) {
  char residual[32], node[32];
  snprintf(residual, sizeof residual, "%s.residual", scope);
  snprintf(node, sizeof node, "%s.norm", scope);
  bool first = at->pair->norm_first, self = source == x;
  int n = first ? norm(at, node, norm_weights, x) : x;
  int sum = ci_add_sum(at->b, residual, x, attend(at, scope, weights, n, self ? n : source, causal));
  return first ? sum : norm(at, node, norm_weights, sum);
}

static int feed(const place *at, int x) {
  const ci_side_names *names = &at->side->names;
  size_t d = at->pair->width, inner = at->side->inner;
  int up = linear(at, "mlp.up", names->up, x, inner, d),
      gate = names->gate ? linear(at, "mlp.gate", names->gate, x, inner, d) : up;
  int n = ci_add_activation(at->b, "mlp.activation", gate, at->pair->activation);
  if (names->gate) n = ci_add_multiply(at->b, "mlp.gated", n, up);
  return linear(at, "mlp.down", names->down, n, d, inner);
}

static int feed_step(const place *at, int x) {
  bool first = at->pair->norm_first;
  int n = first ? norm(at, "mlp.norm", at->side->names.feed_norm, x) : x;
  int sum = ci_add_sum(at->b, first ? "output" : "mlp.residual", x, feed(at, n));
  return first ? sum : norm(at, "output", at->side->names.feed_norm, sum);
}

static int prologue(const place *at, ci_space_id space) {
  ci_builder *b = at->b;
  const ci_side *s = at->side;
  ci_build_section(b, space, space == CI_ENCODER ? "encoder.embedding." : "decoder.embedding.", 0);
  ci_build_weights(b, "", 0);
  int x = ci_add_embedding(b, "tokens", s->embedding), ids = x;
  if (at->pair->embedding_scale != 1) x = ci_add_scale(b, "scaled", x, at->pair->embedding_scale);
  ci_build_input(b, ids, x);
  bool normed = s->names.embedding_norm != NULL;
  if (normed && s->norm_before_positions) x = norm(at, "norm", s->names.embedding_norm, x);
  if (s->positions.a) x = ci_add_position(b, "positions", x, s->positions, s->position_offset);
  if (normed && !s->norm_before_positions) x = norm(at, "norm", s->names.embedding_norm, x);
  return x;
}

/* source: the encoder's output; not read on its own side. */
static int build_side(const place *at, ci_space_id space, int source) {
  ci_builder *b = at->b;
  const ci_side_names *names = &at->side->names;
  b->model->graph.layers[space] = at->side->layers;
  int x = prologue(at, space);
  for (int i = 0; i < at->side->layers && !b->status; i++) {
    ci_build_section(b, space, space == CI_ENCODER ? "encoder.%d." : "decoder.%d.", i);
    ci_build_weights(b, names->block, i);
    x = attention_step(at, "self_attn", names->self, names->self_norm, x, x, space == CI_DECODER);
    if (space == CI_DECODER) x = attention_step(at, "cross_attn", names->cross, names->cross_norm, x, source, false);
    x = feed_step(at, x);
  }
  ci_build_weights(b, "", 0);
  return x;
}

void ci_build_pair(ci_builder *b, const ci_pair *pair) {
  ci_graph *graph = &b->model->graph;
  place encoder = {b, pair, &pair->sides[CI_ENCODER]}, decoder = {b, pair, &pair->sides[CI_DECODER]};
  graph->encoder_decoder = true;
  int source = build_side(&encoder, CI_ENCODER, 0);
  if (encoder.side->names.final_norm) {
    ci_build_section(b, CI_ENCODER, "encoder.", 0);
    source = norm(&encoder, "norm", encoder.side->names.final_norm, source);
  }
  int x = build_side(&decoder, CI_DECODER, source);
  ci_build_section(b, CI_OUTPUT, "output.", 0);
  x = ci_add_select(b, "rows", x);
  if (decoder.side->names.final_norm) x = norm(&decoder, "norm", decoder.side->names.final_norm, x);
  graph->logits = ci_add_linear(b, "logits", x, pair->head, pair->head_bias);
}
