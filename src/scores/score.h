/* Step functions: a number for each generated token, from the logits that predicted it. A row of scores.def is a file.
 * Each can be a step score; those with a gradient can also be what is attributed (attributed_fn). */
#ifndef CI_SCORES_SCORE_H
#define CI_SCORES_SCORE_H
#include "base/options.h"
#include "kernels/kernels.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a contrastive score compares with: the aligned token of another text, and the logits that predict it. */
typedef struct {
  const float *logits; /* [vocabulary]; those of the text itself where only the token differs; NULL: no contrast */
  int32_t target;
  double log_sum;
} ci_score_contrast;

/* What passes of the text with dropout predict for the token (attribute/passes.h). */
typedef struct {
  const double *log_probabilities; /* [count] */
  size_t count;
} ci_score_passes;

typedef struct {
  const float *logits; /* [vocabulary] */
  size_t vocabulary;
  int32_t target; /* the generated token's id */
  double log_sum; /* log sum exp of the logits: shared by all scores of a step */
  const ci_kernels *kernels;
  float *scratch; /* [vocabulary], changed by the call; in a gradient: the slope itself, before it is filled */
  ci_score_contrast contrast;
  ci_score_passes passes;
  size_t position; /* of the token in its text */
  size_t text;     /* which text that is, and its ids; the encoder's and the decoder's */
  const int32_t *source, *ids;
  size_t source_count, id_count;
} ci_score_input;

typedef struct {
  const char *id; /* Inseq's */
  const char *help;
  const ci_option *options; /* Inseq's extra arguments; NULL: none */
  size_t options_size;      /* of the struct that the table describes */
  const void *preset;       /* what that struct is before the table's options are read; NULL: zeros */
  bool contrastive;         /* reads input->contrast; its options begin with ci_contrast_options (scores/contrast.h) */
  size_t (*passes)(const void *options, uint64_t *seed); /* it reads input->passes: how many; NULL: it does not */
  bool integers;                                         /* its values are whole numbers */
  const char *span_function; /* what reduces its values over the tokens of a span; NULL: absmax */
  /* Says what is wrong with options whose values are each in range; NULL: nothing can be. attributed: as attributed_fn.
   */
  ci_status (*check)(const void *options, bool attributed, const char *where, ci_error *err);
  double (*value)(const ci_score_input *input, const void *options);
  /* slope[vocabulary] = d value / d logits (contrast.logits are constants, unless they are the text's own); NULL:
   * cannot be attributed */
  void (*gradient)(const ci_score_input *input, const void *options, float *slope);
} ci_score;

/* Rows by index; NULL past the end. */
const ci_score *ci_score_at(size_t index);
/* Of the table; an error with the nearest name when there is none. */
ci_status ci_score_named(const char *id, const char *where, const ci_score **score, ci_error *err);

/* Fills log_sum and scratch, whose vocabulary floats it uses. */
void ci_score_prepare(ci_score_input *input, float *scratch);
/* out = softmax of the logits */
void ci_score_softmax(const ci_score_input *input, float *out);

#endif
