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

/* Whether a layer sees a window only: what "layer_types" says, or the fallback when it says nothing. */
bool ci_layer_slides(ci_builder *b, int layer, int layers, bool fallback);

/* Descriptions that many configurations share, to be changed where an architecture differs (families.c). */

/* Llama and the models after it: sizes, RMSNorm, rope, gated feed-forward, separate query, key and value. */
ci_decoder ci_decoder_like_llama(ci_builder *b);
/* GPT-2 and the models after it: n_embd, n_head, ... with ln_1, attn, ln_2, mlp under transformer.h. */
ci_decoder ci_decoder_like_gpt2(ci_builder *b);
/* An attention whose heads share width evenly and have keys of their own; heads_key names the number of heads. */
ci_attention_shape ci_attention_of(ci_builder *b, size_t width, const char *heads_key);
/* Query, key and value of one matrix `weight`, one after the other (by head: each head's three beside each other). */
void ci_attention_fused(ci_attention_shape *a, const char *weight, bool by_head);
/* Rotary angles for the fraction of a head's dimensions that a configuration names; theta as given. */
const ci_rope *ci_rope_of(ci_builder *b, const ci_attention_shape *a, double fraction, double theta);

#endif
