/* Integrated gradients from a layer's value for the baseline to its value for the text (Sundararajan et al. 2017, as
 * Captum's LayerIntegratedGradients): the layer's rows move, what lies below does not matter. */
#include "attribute/integrated.h"
#include "attribute/layer.h"

typedef struct {
  ci_layer_options layer;
  ci_integrated_options integrated;
  const char *reduce;
} arguments;

static const ci_option options_table[] = {CI_LAYER_OPTIONS(arguments, layer),
                                          CI_INTEGRATED_OPTIONS(arguments, integrated),
                                          CI_ALL_LAYERS_OPTION(arguments, reduce), CI_OPTIONS_END};

/* Blocks one after the other: each has a path of its own, but none computes again what lies below it. */
static ci_status all_layers(ci_attribution *a, const arguments *arg, ci_error *err) {
  const ci_integrated_options *o = &arg->integrated;
  size_t steps;
  if (o->return_convergence_delta)
    return ci_fail(err, CI_EINVAL, "return_convergence_delta", "is for one target_layer, not for \"all\"");
  ci_status status = ci_integrated_steps(o, &steps, err);
  if (!status && !steps)
    status = ci_fail(err, CI_EINVAL, "n_steps", "\"auto\" is for one target_layer, not for \"all\"");
  if (status) return status;
  ci_point *points = ci_alloc(steps, sizeof *points);
  status = points ? ci_quadrature(o->method, steps, points, err) : ci_fail_memory(err);
  ci_layer_line line = {points, steps};
  ci_reduction *reduce = o->multiply_by_inputs ? ci_times_difference : ci_as_it_is;
  if (!status) status = ci_attribute_all_layers(a, &arg->layer, false, &line, reduce, arg->reduce, err);
  ci_free(points);
  return status;
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  const arguments *arg = options;
  int layer;
  if (ci_layer_is_all(&arg->layer)) return all_layers(a, arg, err);
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
