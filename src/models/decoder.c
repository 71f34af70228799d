/* See decoder.h. */
#include "models/decoder.h"
#include "models/dropout.h"
#include <stdio.h>
#include <string.h>

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
  ci_weight head = d->tied ? embedding : ci_weight_head(b, key, d->vocabulary, width);
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
  ci_build_dropout(b, x, &ci_dropout_keys_of(b)->embedding);
  for (int i = 0; i < d->layers && !b->status; i++) {
    ci_block block = d->block;
    ci_build_section(b, CI_DECODER, "decoder.%d.", i);
    ci_build_weights(b, d->layer_weights, i);
    if (d->layer) d->layer(b, d, i, &block);
    if (d->tied && block.norm.weightless && i + 1 == d->layers) b->last_module = block.mlp.down;
    x = ci_add_block(b, &block, x);
  }
  end(b, d, x, embedding);
}

bool ci_layer_slides(ci_builder *b, int layer, int layers, bool fallback) {
  const char *type = ci_config_text_at(b, "layer_types", (size_t)layer, (size_t)layers);
  if (!type) return fallback;
  bool slides = strcmp(type, "sliding_attention") == 0;
  if (!slides && strcmp(type, "full_attention") != 0)
    ci_build_fail(b, "config.json", "\"layer_types\": \"%s\" is not known, expected sliding_attention or full_attention", type);
  return slides;
}
