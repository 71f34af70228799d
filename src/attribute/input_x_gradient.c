/* x * d f / d x (Shrikumar et al. 2016). */
#include "attribute/gradient.h"

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  (void)options;
  return ci_attribute_by_gradient(a, -1, &(ci_gradient_request){.reduce = ci_times_input}, err);
}

extern const ci_method ci_method_input_x_gradient;
const ci_method ci_method_input_x_gradient = {.id = "input_x_gradient",
                                              .help = "Gradient of the attributed function times the input embeddings.",
                                              .paper = "Shrikumar et al. 2016, arXiv:1605.01713",
                                              .kind = CI_GRANULAR,
                                              .keep = CI_KEEP_ALL,
                                              .deterministic = true,
                                              .attribute = attribute};
