/* Var[d f / d x at x + n], n normal noise (Adebayo et al. 2018); the running variance of Welford (1962), by the number
 * of samples. */
#include "attribute/noisy.h"

static void update(const float *g, const float *mean, size_t sample, float *score, size_t n) {
  float count = (float)(sample + 1);
  for (size_t i = 0; i < n; i++) { /* the squares of differences to the mean grow by d^2 (count - 1) / count */
    float d = g[i] - mean[i];
    score[i] += (d * d * ((count - 1) / count) - score[i]) / count;
  }
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  return ci_attribute_noisy(a, options, update, true, err);
}

extern const ci_method ci_method_vargrad;
const ci_method ci_method_vargrad = {.id = "vargrad",
                                     .help = "Variance of the gradient at the input embeddings with noise on them.",
                                     .paper = "Adebayo et al. 2018, arXiv:1810.03292",
                                     .options = ci_noisy_option_table,
                                     .options_size = sizeof(ci_noisy_options),
                                     .kind = CI_GRANULAR,
                                     .keep = CI_KEEP_KEYS,
                                     .attribute = attribute};
