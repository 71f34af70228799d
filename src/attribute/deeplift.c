/* (x - x') m, m being DeepLift's multipliers by the rescale rule (Shrikumar et al. 2017), as Captum has them: the ratio
 * of differences at activations that transformers makes of torch's ReLU, Tanh and Sigmoid, the gradient at x everywhere
 * else. The input and its baseline are two branches of one forward; each op says its rule. */
#include "attribute/completeness.h"

typedef struct {
  bool multiply_by_inputs;
  bool return_convergence_delta;
} arguments;

static const ci_option options_table[] = {{"multiply_by_inputs", NULL, CI_BOOL, offsetof(arguments, multiply_by_inputs),
                                           "true", 0, 0, NULL, "Multiply the multipliers by input minus baseline."},
                                          CI_DELTA_OPTION(arguments, return_convergence_delta),
                                          CI_OPTIONS_END};

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  const arguments *arg = options;
  ci_gradient_request request = {.rescale = true};
  request.reduce = arg->multiply_by_inputs ? ci_times_difference : ci_as_it_is;
  ci_leaves leaves;
  ci_leaves_open(a, -1, &leaves);
  ci_status status = ci_attribute_leaves(a, &leaves, &request, err);
  if (!status && arg->return_convergence_delta) status = ci_add_deltas(a, &leaves, err);
  ci_leaves_close(&leaves);
  return status;
}

extern const ci_method ci_method_deeplift;
const ci_method ci_method_deeplift = {.id = "deeplift",
                                      .help = "Differences from a baseline, traced back by the rescale rule.",
                                      .paper = "Shrikumar et al. 2017, arXiv:1704.02685",
                                      .options = options_table,
                                      .options_size = sizeof(arguments),
                                      .kind = CI_GRANULAR,
                                      .keep = CI_KEEP_ALL,
                                      .deterministic = true,
                                      .sparse = true,
                                      .attribute = attribute};
