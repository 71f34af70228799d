/* The graph of an encoder-decoder (Vaswani et al. 2017) from a description, which an architecture file fills from its
 * configuration: per side embeddings, positions, blocks and a final norm, then the head.
 * Attribution input: the embedding times embedding_scale, before norms and positions. */
#ifndef CI_MODELS_ENCODER_DECODER_H
#define CI_MODELS_ENCODER_DECODER_H
#include "models/block.h"

enum { CI_SIDES = CI_DECODER + 1 };

typedef struct {
  ci_block block; /* what all layers have in common; the decoder's has cross-attention, whose source is filled in */
  int layers;
  const char *weights;       /* prefix of what is not in a layer: "model.encoder." */
  const char *layer_weights; /* format of a layer's: "model.encoder.layers.%d." */
  ci_weight embedding;       /* [vocabulary, width] */
  ci_weight positions;       /* [position_offset + most positions, width]; data NULL: no position embedding */
  size_t position_offset;
  const char *embedding_norm; /* NULL: none */
  bool norm_before_positions; /* embedding_norm comes before the positions are added, not after */
  const char *norm;           /* after the last block; NULL: none */
} ci_side;

typedef struct ci_pair {
  ci_side sides[CI_SIDES]; /* by CI_ENCODER, CI_DECODER */
  /* Changes the block of one layer; NULL: all are alike. own: what it reads. */
  void (*layer)(ci_builder *b, const struct ci_pair *pair, ci_space_id side, int index, ci_block *block);
  const void *own;
  double embedding_scale; /* 0: none */
  double head_scale;      /* of what the head reads; 0: none */
  ci_weight head;         /* [vocabulary, width] */
  const float *head_bias; /* [vocabulary], or NULL */
} ci_pair;

void ci_build_pair(ci_builder *b, const ci_pair *pair);

/* The matrix that `names` are tied copies of: the first that the file has; the first name is what errors say. */
ci_weight ci_weight_tied(ci_builder *b, const char *const *names, size_t count, size_t outputs, size_t inputs);

#endif
