/* p[y] - p'[y'] (Yin and Neubig 2022, arXiv:2202.10419); with logprob of the logarithms. */
#include "scores/contrast.h"

typedef struct {
  ci_contrast_options contrast;
  bool logprob;
} arguments;

static const ci_option options_table[] = {CI_CONTRAST_OPTIONS,
                                          {"logprob", NULL, CI_BOOL, offsetof(arguments, logprob), "false", 0, 0, NULL,
                                           "The logarithm of the probability instead."},
                                          CI_OPTIONS_END};

static ci_contrast_of of(const void *options) {
  return ((const arguments *)options)->logprob ? CI_OF_LOG_PROBABILITY : CI_OF_PROBABILITY;
}

static double value(const ci_score_input *in, const void *options) {
  return ci_contrast_value(in, of(options), 1, -1);
}

static void gradient(const ci_score_input *in, const void *options, float *slope) {
  ci_contrast_gradient(in, of(options), 1, -1, slope);
}

extern const ci_score ci_score_contrast_prob_diff;
const ci_score ci_score_contrast_prob_diff = {.id = "contrast_prob_diff",
                                              .help = "Probability of the generated token less that of the contrast's.",
                                              .options = options_table,
                                              .options_size = sizeof(arguments),
                                              .contrastive = true,
                                              .span_function = "prod",
    .value = value,
                                              .gradient = gradient};
