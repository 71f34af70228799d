/* The graph that encoder-decoder transformers share (Vaswani et al. 2017). What they differ by is data: an architecture
 * file fills a ci_pair from its configuration and the names of its weights, and calls ci_build_pair. x = emb scale;  [x
 * = norm(x)];  x += pos;  block: x = attend(x), decoder: x = attend(x, source), x = feed(x);  [x = norm(x)] a step of a
 * block: x + f(norm(x)) (norm_first) or norm(x + f(x)) f of the feed-forward: down(act(up x)), or down(act(gate x) * up
 * x) Attribution input: the embedding times embedding_scale, before positions and norms. */
#ifndef CI_MODELS_ENCODER_DECODER_H
#define CI_MODELS_ENCODER_DECODER_H
#include "models/builder.h"

enum { CI_SIDES = CI_DECODER + 1 };

/* Names of weights without ".weight" and ".bias". Those of a block follow `block`, which has a %d; the others are
 * whole. NULL: the model has no such thing. */
typedef struct {
  const char *block;        /* "model.encoder.layers.%d." */
  const char *self, *cross; /* "self_attn.": before a projection's name */
  const char *self_norm, *cross_norm, *feed_norm;
  const char *up, *gate, *down;
  const char *embedding_norm, *final_norm;
} ci_side_names;

typedef struct {
  int layers;
  size_t heads, head_dim, inner; /* inner: width of the feed-forward */
  ci_weight embedding;           /* [vocabulary, width] */
  ci_weight positions;           /* [position_offset + most positions, width]; rows 0: no position embedding */
  size_t position_offset;
  bool norm_before_positions; /* where embedding_norm stands: before the positions, else after them */
  ci_side_names names;
} ci_side;

typedef struct {
  size_t width;
  ci_side sides[CI_SIDES];    /* by CI_ENCODER, CI_DECODER */
  const char *projections[4]; /* names of query, key, value and output */
  const char *activation;
  bool norm_first;
  bool rms;       /* norms are RMS norms: no mean, no bias */
  bool biased;    /* linear layers have biases */
  double epsilon; /* of the norms */
  double embedding_scale;
  ci_weight head;         /* [vocabulary, width] */
  const float *head_bias; /* [vocabulary], or NULL */
} ci_pair;

/* All nodes and what the graph says of itself. */
void ci_build_pair(ci_builder *b, const ci_pair *pair);

#endif
