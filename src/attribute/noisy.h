/* Gradients at the text's embeddings with noise on them, many times: what SmoothGrad, SquareGrad and VarGrad share. */
#ifndef CI_ATTRIBUTE_NOISY_H
#define CI_ATTRIBUTE_NOISY_H
#include "attribute/gradient.h"

typedef struct {
  int64_t n_samples;
  double noise_level;
  json_t *stdevs;
  int64_t seed;
} ci_noisy_options;

extern const ci_option ci_noisy_option_table[];

/* score[n] after gradient number `sample` (from 0), and mean[n], the mean of the gradients before it, which is brought
 * up to date by the caller afterwards. */
typedef void ci_noisy_update(const float *gradient, const float *mean, size_t sample, float *score, size_t n);

/* Granular scores: what is left after all samples. needs_mean: update reads the mean. */
ci_status ci_attribute_noisy(ci_attribution *a, const ci_noisy_options *options, ci_noisy_update *update,
                             bool needs_mean, ci_error *err);

#endif
