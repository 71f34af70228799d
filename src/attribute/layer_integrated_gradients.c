/* Integrated gradients from a layer's value for the baseline to its value for the text (Sundararajan et al. 2017, as
 * Captum's LayerIntegratedGradients): the layer's rows move, what lies below does not matter. */
#include "attribute/integrated.h"
#include "attribute/layer.h"

typedef struct {
  ci_layer_options layer;
  ci_integrated_options integrated;
} arguments;

static const ci_option options_table[] = {CI_LAYER_OPTIONS(arguments, layer),
                                          CI_INTEGRATED_OPTIONS(arguments, integrated), CI_OPTIONS_END};

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  const arguments *arg = options;
  int layer;
  if (ci_layer_is_all(&arg->layer))
    return ci_fail(
        err, CI_EINVAL, "target_layer",
        "\"all\" is for layer_gradient_x_activation and layer_deeplift: here each layer has a path of its own");
  ci_status status = ci_layer_find(a, &arg->layer, &layer, err);
  return status ? status : ci_attribute_integrated(a, &arg->integrated, layer, err);
}

extern const ci_method ci_method_layer_integrated_gradients;
const ci_method ci_method_layer_integrated_gradients = {
    .id = "layer_integrated_gradients",
    .help = "Gradients averaged on the line from a layer's value for the baseline to that for the text, times their "
            "difference.",
    .paper = "Sundararajan et al. 2017, arXiv:1703.01365",
    .options = options_table,
    .options_size = sizeof(arguments),
    .kind = CI_GRANULAR,
    .keep = CI_KEEP_KEYS,
    .deterministic = true,
    .complete_with = "{\"n_steps\": 64}",
    .sparse = true,
    .attribute = attribute};
