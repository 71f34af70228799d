/* h * d f / d h, h being the output (or input) of a layer, for each token that has a row there; or of all blocks at
 * once: the backward pass to the lowest goes by all of them. */
#include "attribute/layer.h"

typedef struct {
  ci_layer_options layer;
  bool multiply_by_inputs;
  const char *reduce;
} arguments;

static const ci_option options_table[] = {CI_LAYER_OPTIONS(arguments, layer),
                                          {"multiply_by_inputs", NULL, CI_BOOL, offsetof(arguments, multiply_by_inputs),
                                           "true", 0, 0, NULL, "Multiply the gradient by the layer's value."},
                                          CI_ALL_LAYERS_OPTION(arguments, reduce),
                                          CI_OPTIONS_END};

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  const arguments *arg = options;
  int layer;
  ci_gradient_request request = {.reduce = arg->multiply_by_inputs ? ci_times_input : ci_as_it_is};
  if (ci_layer_is_all(&arg->layer))
    return ci_attribute_all_layers(a, &arg->layer, false, NULL, request.reduce, arg->reduce, err);
  ci_status status = ci_layer_find(a, &arg->layer, &layer, err);
  return status ? status : ci_attribute_by_gradient(a, layer, &request, err);
}

extern const ci_method ci_method_layer_gradient_x_activation;
const ci_method ci_method_layer_gradient_x_activation = {
    .id = "layer_gradient_x_activation",
    .help = "Gradient of the attributed function times the value of a layer.",
    .paper = "Shrikumar et al. 2016, arXiv:1605.01713",
    .options = options_table,
    .options_size = sizeof(arguments),
    .kind = CI_GRANULAR,
    .keep = CI_KEEP_ALL,
    .deterministic = true,
    .attribute = attribute};
