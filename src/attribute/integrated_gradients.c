/* (x - x') * integral over a in [0, 1] of d f / d x at x' + a (x - x') (Sundararajan et al. 2017), by one of Captum's
 * five quadratures. All points serve all targets: the baseline of a position is the same for every step. */
#include "attribute/integrated.h"

typedef struct {
  ci_integrated_options integrated;
} arguments;

static const ci_option options_table[] = {CI_INTEGRATED_OPTIONS(arguments, integrated), CI_OPTIONS_END};

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  return ci_attribute_integrated(a, &((const arguments *)options)->integrated, -1, err);
}

extern const ci_method ci_method_integrated_gradients;
const ci_method ci_method_integrated_gradients = {
    .id = "integrated_gradients",
    .help = "Gradients averaged on the straight line from a baseline to the input, times their difference.",
    .paper = "Sundararajan et al. 2017, arXiv:1703.01365",
    .options = options_table,
    .options_size = sizeof(arguments),
    .kind = CI_GRANULAR,
    .keep = CI_KEEP_KEYS,
    .deterministic = true,
    .complete_with = "{\"n_steps\": 64}",
    .sparse = true,
    .attribute = attribute};
