/* E[(d f / d x)^2 at x + n], n normal noise (Hooker et al. 2019). */
#include "attribute/noisy.h"

static void update(const float *g, const float *mean, size_t sample, float *score, size_t n) {
  (void)mean;
  for (size_t i = 0; i < n; i++) score[i] += (g[i] * g[i] - score[i]) / (float)(sample + 1);
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  return ci_attribute_noisy(a, options, update, false, err);
}

extern const ci_method ci_method_squaregrad;
const ci_method ci_method_squaregrad = {.id = "squaregrad",
                                        .help = "Mean squared gradient at the input embeddings with noise on them.",
                                        .paper = "Hooker et al. 2019, arXiv:1806.10758",
                                        .options = ci_noisy_option_table,
                                        .options_size = sizeof(ci_noisy_options),
                                        .kind = CI_GRANULAR,
                                        .keep = CI_KEEP_KEYS,
                                        .attribute = attribute};
