/* |d f / d x| (Simonyan et al. 2014). */
#include "attribute/gradient.h"
#include <math.h>

typedef struct {
  bool abs;
} arguments;

static const ci_option options_table[] = {
    {"abs", NULL, CI_BOOL, offsetof(arguments, abs), "true", 0, 0, NULL, "Absolute values of the gradient."},
    CI_OPTIONS_END};

static void magnitude(const float *x, const float *b, float *g, size_t n) {
  (void)x, (void)b;
  for (size_t i = 0; i < n; i++) g[i] = fabsf(g[i]);
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  ci_gradient_request request = {.reduce = ((const arguments *)options)->abs ? magnitude : ci_as_it_is};
  return ci_attribute_by_gradient(a, -1, &request, err);
}

extern const ci_method ci_method_saliency;
const ci_method ci_method_saliency = {.id = "saliency",
                                      .help = "Absolute gradient of the attributed function by the input embeddings.",
                                      .paper = "Simonyan et al. 2014, arXiv:1312.6034",
                                      .options = options_table,
                                      .options_size = sizeof(arguments),
                                      .kind = CI_GRANULAR,
                                      .keep = CI_KEEP_ALL,
                                      .deterministic = true,
                                      .attribute = attribute};
