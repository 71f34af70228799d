/* E[d f / d x at x + n], n normal noise: the gradient, smoothed (Smilkov et al. 2017). */
#include "attribute/noisy.h"

static void update(const float *g, const float *mean, size_t sample, float *score, size_t n) {
  (void)mean;
  for (size_t i = 0; i < n; i++) score[i] += (g[i] - score[i]) / (float)(sample + 1);
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  return ci_attribute_noisy(a, options, update, false, err);
}

extern const ci_method ci_method_smoothgrad;
const ci_method ci_method_smoothgrad = {.id = "smoothgrad",
                                        .help = "Mean gradient at the input embeddings with noise on them.",
                                        .paper = "Smilkov et al. 2017, arXiv:1706.03825",
                                        .options = ci_noisy_option_table,
                                        .options_size = sizeof(ci_noisy_options),
                                        .kind = CI_GRANULAR,
                                        .keep = CI_KEEP_KEYS,
                                        .attribute = attribute};
