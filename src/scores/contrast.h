/* What contrastive step functions share: their arguments, and X(text), X(contrast) and differences of the two for an X
 * of one prediction. */
#ifndef CI_SCORES_CONTRAST_H
#define CI_SCORES_CONTRAST_H
#include "scores/score.h"

/* Inseq's arguments of every contrastive score. */
typedef struct {
  json_t *sources;    /* array of a text for each input text; NULL: the text's own source */
  json_t *targets;    /* array of a text for each input text; NULL: the text's own output */
  json_t *alignments; /* "auto", [[position, contrast position], ...], or an array of those, one for each text; NULL:
                         from the right */
  bool force_inputs;
} ci_contrast_options;

/* The first rows of a contrastive score's table; the first member of its struct is `ci_contrast_options contrast`. */
#define CI_CONTRAST_OPTIONS                                                                                            \
  {"contrast_sources",                                                                                                 \
   NULL,                                                                                                               \
   CI_TEXTS,                                                                                                           \
   offsetof(ci_contrast_options, sources),                                                                             \
   "null",                                                                                                             \
   0,                                                                                                                  \
   0,                                                                                                                  \
   NULL,                                                                                                               \
   "Sources of the contrast, one for each input text; encoder-decoder models only."},                                  \
      {"contrast_targets",                                                                                             \
       NULL,                                                                                                           \
       CI_TEXTS,                                                                                                       \
       offsetof(ci_contrast_options, targets),                                                                         \
       "null",                                                                                                         \
       0,                                                                                                              \
       0,                                                                                                              \
       NULL,                                                                                                           \
       "Outputs of the contrast, one for each input text; those of a decoder-only model start with a prompt."},        \
      {"contrast_targets_alignments",                                                                                  \
       NULL,                                                                                                           \
       CI_JSON,                                                                                                        \
       offsetof(ci_contrast_options, alignments),                                                                      \
       "null",                                                                                                         \
       0,                                                                                                              \
       0,                                                                                                              \
       NULL,                                                                                                           \
       "Which token of the contrast each target token is compared with: pairs of positions, or \"auto\" (the tokens "  \
       "whose "                                                                                                        \
       "embeddings are nearest); what is left over is aligned from the right."},                                       \
  {                                                                                                                    \
    "contrast_force_inputs", NULL, CI_BOOL, offsetof(ci_contrast_options, force_inputs), "false", 0, 0, NULL,          \
        "As attributed function: predict the contrast's token from the contrast's own text, which is then a "          \
        "constant; "                                                                                                   \
        "otherwise from the text that is attributed."                                                                  \
  }

/* X of one prediction. */
typedef enum { CI_OF_LOGIT, CI_OF_PROBABILITY, CI_OF_LOG_PROBABILITY } ci_contrast_of;

/* The table of those that take a probability, or with "logprob" its logarithm. */
typedef struct {
  ci_contrast_options contrast;
  bool logprob;
} ci_contrast_prob_options;
extern const ci_option ci_contrast_prob_table[];
ci_contrast_of ci_contrast_prob_of(const void *options); /* of a ci_contrast_prob_options */

/* own X(text) + other X(contrast), and its slope. */
double ci_contrast_value(const ci_score_input *in, ci_contrast_of of, double own, double other);
void ci_contrast_gradient(const ci_score_input *in, ci_contrast_of of, double own, double other, float *slope);

#endif
