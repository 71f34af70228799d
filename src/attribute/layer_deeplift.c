/* (h - h') m, m being DeepLift's multipliers down to a layer whose output (or input) is h for the text and h' for its
 * baseline; or of all blocks at once. See deeplift.c. */
#include "attribute/layer.h"

typedef struct {
  ci_layer_options layer;
  bool multiply_by_inputs;
  bool return_convergence_delta;
  const char *reduce;
} arguments;

static const ci_option options_table[] = {CI_LAYER_OPTIONS(arguments, layer),
                                          {"multiply_by_inputs", NULL, CI_BOOL, offsetof(arguments, multiply_by_inputs),
                                           "true", 0, 0, NULL,
                                           "Multiply the multipliers by the layer's value minus that of the baseline."},
                                          CI_DELTA_OPTION(arguments, return_convergence_delta),
                                          CI_ALL_LAYERS_OPTION(arguments, reduce),
                                          CI_OPTIONS_END};

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  const arguments *arg = options;
  int layer;
  ci_gradient_request request = {.rescale = true,
                                 .reduce = arg->multiply_by_inputs ? ci_times_difference : ci_as_it_is};
  ci_leaves leaves;
  if (ci_layer_is_all(&arg->layer) && arg->return_convergence_delta)
    return ci_fail(err, CI_EINVAL, "return_convergence_delta", "is for one target_layer, not for \"all\"");
  if (ci_layer_is_all(&arg->layer))
    return ci_attribute_all_layers(a, &arg->layer, true, NULL, request.reduce, arg->reduce, err);
  ci_status status = ci_layer_find(a, &arg->layer, &layer, err);
  if (status) return status;
  ci_leaves_open(a, layer, &leaves);
  status = ci_attribute_leaves(a, &leaves, &request, err);
  if (!status && arg->return_convergence_delta) status = ci_add_deltas(a, &leaves, err);
  ci_leaves_close(&leaves);
  return status;
}

extern const ci_method ci_method_layer_deeplift;
const ci_method ci_method_layer_deeplift = {
    .id = "layer_deeplift",
    .help = "Differences of a layer from those of a baseline, traced back by the rescale rule.",
    .paper = "Shrikumar et al. 2017, arXiv:1704.02685",
    .options = options_table,
    .options_size = sizeof(arguments),
    .kind = CI_GRANULAR,
    .keep = CI_KEEP_ALL,
    .deterministic = true,
    .sparse = true,
    .attribute = attribute};
