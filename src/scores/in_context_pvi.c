/* ln p'[y'] - ln p[y]: in-context pointwise V-usable information (Lu et al. 2023, arXiv:2310.12300). */
#include "scores/contrast.h"

static const ci_option options_table[] = {CI_CONTRAST_OPTIONS, CI_OPTIONS_END};

static double value(const ci_score_input *in, const void *options) {
  (void)options;
  return ci_contrast_value(in, CI_OF_LOG_PROBABILITY, -1, 1);
}

static void gradient(const ci_score_input *in, const void *options, float *slope) {
  (void)options;
  ci_contrast_gradient(in, CI_OF_LOG_PROBABILITY, -1, 1, slope);
}

extern const ci_score ci_score_in_context_pvi;
const ci_score ci_score_in_context_pvi = {.id = "in_context_pvi",
                                          .help = "In-context pointwise V-usable information: the logarithm of the "
                                                  "contrast's token's probability less that of the generated one's.",
                                          .options = options_table,
                                          .options_size = sizeof(ci_contrast_options),
                                          .contrastive = true,
                                          .value = value,
                                          .gradient = gradient};
