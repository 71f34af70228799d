/* z'[y']: the logit of the contrast's token. */
#include "scores/contrast.h"

static const ci_option options_table[] = {CI_CONTRAST_OPTIONS, CI_OPTIONS_END};

static double value(const ci_score_input *in, const void *options) {
  (void)options;
  return ci_contrast_value(in, CI_OF_LOGIT, 0, 1);
}

static void gradient(const ci_score_input *in, const void *options, float *slope) {
  (void)options;
  ci_contrast_gradient(in, CI_OF_LOGIT, 0, 1, slope);
}

extern const ci_score ci_score_contrast_logits;
const ci_score ci_score_contrast_logits = {.id = "contrast_logits",
                                           .help = "Logit of the contrast's token.",
                                           .options = options_table,
                                           .options_size = sizeof(ci_contrast_options),
                                           .contrastive = true,
                                           .value = value,
                                           .gradient = gradient};
