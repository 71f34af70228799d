/* p'[y']: the probability of the contrast's token; with logprob its logarithm. */
#include "scores/contrast.h"

static double value(const ci_score_input *in, const void *options) {
  return ci_contrast_value(in, ci_contrast_prob_of(options), 0, 1);
}

static void gradient(const ci_score_input *in, const void *options, float *slope) {
  ci_contrast_gradient(in, ci_contrast_prob_of(options), 0, 1, slope);
}

extern const ci_score ci_score_contrast_prob;
const ci_score ci_score_contrast_prob = {.id = "contrast_prob",
                                         .help = "Probability of the contrast's token.",
                                         .options = ci_contrast_prob_table,
                                         .options_size = sizeof(ci_contrast_prob_options),
                                         .contrastive = true,
                                         .span_function = "prod",
                                         .value = value,
                                         .gradient = gradient};
