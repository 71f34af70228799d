/* A decoder-only language model from a description: embedding, blocks, final norm, head. */
#ifndef CI_MODELS_DECODER_H
#define CI_MODELS_DECODER_H
#include "models/block.h"

typedef struct ci_decoder {
  ci_block block; /* what all layers have in common */
  /* Changes the block of one layer; NULL: all are alike. own: what it reads. */
  void (*layer)(ci_builder *b, const struct ci_decoder *decoder, int index, ci_block *block);
  const void *own;
  size_t vocabulary;
  int layers;
  size_t positions;           /* most positions; 0: no limit but that of a table */
  const char *weights;        /* prefix of what is not in a layer: "model." */
  const char *layer_weights;  /* format of a layer's: "model.layers.%d." */
  const char *embedding;      /* "embed_tokens" */
  size_t embedding_width;     /* 0: the block's; else projected in and out by */
  const char *project_in, *project_out;
  double embedding_scale;     /* 0: none */
  bool input_scaled;          /* attribution is about the scaled embedding, not the plain one */
  const char *embedding_norm; /* a layer norm between embedding and positions; NULL: none */
  const char *position_table; /* "wpe": learned positions; NULL: none */
  size_t position_offset;
  ci_weight position_weight;  /* a table computed here instead; data NULL: none */
  const char *norm;           /* "norm"; NULL: none */
  const char *head;           /* "lm_head" */
  bool tied, head_biased;
  double logit_scale, logit_cap; /* 0: none; the scale comes first */
} ci_decoder;

void ci_build_decoder(ci_builder *b, const ci_decoder *decoder);

/* What the configurations of Llama and the models after it share: sizes, norm, activation, rope, weight names. Each may be
 * changed afterwards. */
ci_decoder ci_decoder_like_llama(ci_builder *b);

#endif
