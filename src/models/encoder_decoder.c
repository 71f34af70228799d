/* See encoder_decoder.h. */
#include "models/encoder_decoder.h"
#include "models/dropout.h"

static bool is_scaled(double factor) {
  return factor != 0 && factor != 1;
}

static int embed(ci_builder *b, const ci_pair *pair, const ci_side *s) {
  int x = ci_add_embedding(b, "tokens", s->embedding), ids = x;
  if (is_scaled(pair->embedding_scale)) x = ci_add_scale(b, "scaled", x, pair->embedding_scale);
  ci_build_input(b, ids, x);
  if (s->embedding_norm && s->norm_before_positions) x = ci_add_norm(b, &s->block.norm, s->embedding_norm, x);
  if (s->positions.data) x = ci_add_position(b, "positions", x, s->positions, s->position_offset);
  if (s->embedding_norm && !s->norm_before_positions) x = ci_add_norm(b, &s->block.norm, s->embedding_norm, x);
  return x;
}

/* Embeddings and blocks of a side. source: the encoder's output, for the decoder. */
static int build_side(ci_builder *b, const ci_pair *pair, ci_space_id side, int source) {
  const ci_side *s = &pair->sides[side];
  b->model->graph.layers[side] = s->layers;
  ci_build_section(b, side, side == CI_ENCODER ? "encoder.embedding." : "decoder.embedding.", 0);
  ci_build_weights(b, s->weights, 0);
  int x = embed(b, pair, s);
  ci_build_dropout(b, x, &ci_dropout_keys_of(b)->embedding);
  for (int i = 0; i < s->layers && !b->status; i++) {
    ci_block block = s->block;
    block.source = source;
    ci_build_section(b, side, side == CI_ENCODER ? "encoder.%d." : "decoder.%d.", i);
    ci_build_weights(b, s->layer_weights, i);
    if (pair->layer) pair->layer(b, pair, side, i, &block);
    x = ci_add_block(b, &block, x);
  }
  ci_build_weights(b, s->weights, 0);
  return x;
}

void ci_build_pair(ci_builder *b, const ci_pair *pair) {
  const ci_side *encoder = &pair->sides[CI_ENCODER], *decoder = &pair->sides[CI_DECODER];
  b->model->graph.encoder_decoder = true;
  int source = build_side(b, pair, CI_ENCODER, 0);
  if (encoder->norm) {
    ci_build_section(b, CI_ENCODER, "encoder.", 0);
    source = ci_add_norm(b, &encoder->block.norm, encoder->norm, source);
    ci_build_dropout(b, source, &ci_dropout_keys_of(b)->final);
  }
  int x = build_side(b, pair, CI_DECODER, source);
  ci_build_section(b, CI_OUTPUT, "output.", 0);
  x = ci_add_select(b, "rows", x);
  if (decoder->norm) x = ci_add_norm(b, &decoder->block.norm, decoder->norm, x);
  if (decoder->norm) ci_build_dropout(b, x, &ci_dropout_keys_of(b)->final);
  if (is_scaled(pair->head_scale)) x = ci_add_scale(b, "scaled", x, pair->head_scale);
  b->model->graph.logits = ci_add_linear(b, "logits", x, pair->head, pair->head_bias);
}

ci_weight ci_weight_tied(ci_builder *b, const char *const *names, size_t count, size_t outputs, size_t inputs) {
  size_t i = 0;
  while (i + 1 < count && !ci_has_weight(b, names[i])) i++;
  return ci_weight_linear(b, names[ci_has_weight(b, names[i]) ? i : 0], outputs, inputs);
}
