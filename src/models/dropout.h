/* What training drops of a model, and by which of its configuration's keys: only passes with dropout read it. */
#ifndef CI_MODELS_DROPOUT_H
#define CI_MODELS_DROPOUT_H
#include "models/builder.h"

/* key: "attn_pdrop", or inside an object "attn_config.attn_pdrop"; NULL: nothing is dropped there. */
typedef struct {
  const char *key;
  double fallback; /* of transformers' configuration class */
} ci_dropout_key;

typedef struct ci_dropout_keys {
  ci_dropout_key embedding;  /* what the first block reads */
  ci_dropout_key attention;  /* attention's probabilities */
  ci_dropout_key attended;   /* attention's output */
  ci_dropout_key activation; /* what the feed-forward's last matrix reads */
  ci_dropout_key fed;        /* the feed-forward's output */
  ci_dropout_key final;      /* what the last norm gives */
  ci_dropout_key layer[2];   /* whole blocks of the encoder and decoder */
  ci_dropout_key others[3];  /* what else training does: a pass with dropout does not know it, and these must be 0 */
  bool of_the_sum;           /* a parallel block's attention and feed-forward are dropped together */
} ci_dropout_keys;

/* Of families. NULL in an architecture's row: llama's, "attention_dropout" for the probabilities and nothing else.
 * ERNIE's keys are not read: its rate of 0 is in transformers' code. */
extern const ci_dropout_keys ci_dropout_of_llama, ci_dropout_of_gpt2, ci_dropout_of_fairseq, ci_dropout_of_ernie;

/* Those that hold for what is being built. */
const ci_dropout_keys *ci_dropout_keys_of(const ci_builder *b);
/* Notes in the model if passes with dropout cannot be had for what training does besides. */
void ci_look_at_training(ci_builder *b);
/* The node's value (attention: its probabilities) is dropped by this key. */
void ci_build_dropout(ci_builder *b, int node, const ci_dropout_key *key);
/* A block that reads `input` and ends at this node. */
void ci_build_layer_dropout(ci_builder *b, int node, int input);

#endif
