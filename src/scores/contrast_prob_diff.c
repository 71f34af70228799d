/* p[y] - p'[y'] (Yin and Neubig 2022, arXiv:2202.10419); with logprob of the logarithms. */
#include "scores/contrast.h"

static double value(const ci_score_input *in, const void *options) {
  return ci_contrast_value(in, ci_contrast_prob_of(options), 1, -1);
}

static void gradient(const ci_score_input *in, const void *options, float *slope) {
  ci_contrast_gradient(in, ci_contrast_prob_of(options), 1, -1, slope);
}

extern const ci_score ci_score_contrast_prob_diff;
const ci_score ci_score_contrast_prob_diff = {.id = "contrast_prob_diff",
                                              .help = "Probability of the generated token less that of the contrast's.",
                                              .options = ci_contrast_prob_table,
                                              .options_size = sizeof(ci_contrast_prob_options),
                                              .contrastive = true,
                                              .span_function = "prod",
                                              .value = value,
                                              .gradient = gradient};
