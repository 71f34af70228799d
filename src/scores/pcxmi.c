/* -log2(p[y] / p'[y']): pointwise conditional cross-mutual information (Yin et al. 2021, arXiv:2109.07446; the sign is
 * Inseq's). */
#include "scores/contrast.h"
#include <math.h>

static const ci_option options_table[] = {CI_CONTRAST_OPTIONS, CI_OPTIONS_END};

static double value(const ci_score_input *in, const void *options) {
  (void)options;
  return ci_contrast_value(in, CI_OF_LOG_PROBABILITY, -M_LOG2E, M_LOG2E);
}

static void gradient(const ci_score_input *in, const void *options, float *slope) {
  (void)options;
  ci_contrast_gradient(in, CI_OF_LOG_PROBABILITY, -M_LOG2E, M_LOG2E, slope);
}

extern const ci_score ci_score_pcxmi;
const ci_score ci_score_pcxmi = {.id = "pcxmi",
                                 .help = "Pointwise conditional cross-mutual information: minus the binary logarithm "
                                         "of the generated token's probability over the contrast's.",
                                 .options = options_table,
                                 .options_size = sizeof(ci_contrast_options),
                                 .contrastive = true,
                                 .span_function = "sum",
    .value = value,
                                 .gradient = gradient};
