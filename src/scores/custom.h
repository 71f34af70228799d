/* Step functions of the caller (cinseq_score) as rows beside those of scores.def. */
#ifndef CI_SCORES_CUSTOM_H
#define CI_SCORES_CUSTOM_H
#include "scores/contrast.h"
#include "scores/score.h"

typedef struct {
  ci_contrast_options contrast; /* of a contrastive one: the row's options begin with them, as everywhere */
  cinseq_score own;
} ci_custom_options;

typedef struct {
  ci_score score;
  ci_custom_options preset;
} ci_custom_score;

/* Checks `own` [count] and makes rows of them: *scores [count], ci_free. CI_EINVAL: a name that is given twice or
 * empty, no value. */
ci_status ci_custom_scores_open(const cinseq_score *own, size_t count, ci_custom_score **scores, ci_error *err);

#endif
