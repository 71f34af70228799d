/* z[y] - z'[y'] (Yin and Neubig 2022, arXiv:2202.10419). */
#include "scores/contrast.h"

static const ci_option options_table[] = {CI_CONTRAST_OPTIONS, CI_OPTIONS_END};

static double value(const ci_score_input *in, const void *options) {
  (void)options;
  return ci_contrast_value(in, CI_OF_LOGIT, 1, -1);
}

static void gradient(const ci_score_input *in, const void *options, float *slope) {
  (void)options;
  ci_contrast_gradient(in, CI_OF_LOGIT, 1, -1, slope);
}

extern const ci_score ci_score_contrast_logits_diff;
const ci_score ci_score_contrast_logits_diff = {.id = "contrast_logits_diff",
                                                .help = "Logit of the generated token less that of the contrast's.",
                                                .options = options_table,
                                                .options_size = sizeof(ci_contrast_options),
                                                .contrastive = true,
                                                .value = value,
                                                .gradient = gradient};
