/* What the models that transformers took over from fairseq and Marian share: keys of config.json, names of weights,
 * tables of sines, one matrix for the tokens of both sides and the head. */
#ifndef CI_MODELS_FAIRSEQ_H
#define CI_MODELS_FAIRSEQ_H
#include "models/encoder_decoder.h"

/* What differs. */
typedef struct {
  bool norm_first;     /* x + f(norm(x)), else norm(x + f(x)) */
  bool embedding_norm; /* layernorm_embedding */
  bool final_norm;     /* layer_norm after the last block */
} ci_fairseq_shape;

/* Everything but embeddings, positions and head, from config.json: sizes (width_key: "d_model"), activation, embedding
 * scale; names below "model.". Refuses keys of old files, which transformers no longer reads, where they say something
 * else. */
ci_pair ci_fairseq_read(ci_builder *b, const ci_fairseq_shape *shape, const char *width_key);
/* "model.shared.weight" (names[0]), or a tied copy of it under one of three names, as embedding of both sides and as
 * head; final_logits_bias if it is there. */
void ci_fairseq_embed(ci_builder *b, ci_pair *pair, const char *const names[3]);
extern const char *const ci_fairseq_shared[3];
/* The names of the later ones: cross_attention instead of encoder_attn, ffn.fc1 instead of fc1, the feed-forward's own
 * norm. */
void ci_fairseq_rename(ci_pair *pair, const char *feed_norm);
/* embed_positions.weight of each side, rows from `offset` on. */
void ci_fairseq_learned(ci_builder *b, ci_pair *pair, size_t offset);
/* Tables of max_position_embeddings rows, sines before cosines. fairseq's has the angles (p + first) 10000^(-j /
 * (width/2 - 1)), Marian's p 10000^(-2j / width). */
void ci_fairseq_sines(ci_builder *b, ci_pair *pair, size_t first);
void ci_marian_sines(ci_builder *b, ci_pair *pair);

extern const char *const ci_fairseq_ignored[];

#endif
