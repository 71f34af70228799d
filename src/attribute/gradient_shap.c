/* (x - x') E[d f / d x at x' + a (x - x')], a uniform on [0, 1], by the mean of n_samples draws (Lundberg and Lee 2017,
 * as Captum's GradientShap). One draw of points serves all targets: each column has the distribution that it has in
 * Inseq, where every step draws anew, but the columns of one run are correlated. */
#include "attribute/gradient.h"
#include "base/random.h"

typedef struct {
  int64_t n_samples;
  double stdevs;
  bool multiply_by_inputs;
  int64_t seed;
} arguments;

static const ci_option options_table[] = {
    {"n_samples", NULL, CI_INT, offsetof(arguments, n_samples), "5", 1, 1e6, NULL, "Points drawn on the path."},
    {"stdevs", NULL, CI_REAL, offsetof(arguments, stdevs), "0", 0, 0, NULL,
     "Standard deviation of noise on the inputs: only 0, Inseq's default, so far."},
    {"multiply_by_inputs", NULL, CI_BOOL, offsetof(arguments, multiply_by_inputs), "true", 0, 0, NULL,
     "Multiply the mean gradient by input minus baseline."},
    {"seed", NULL, CI_INT, offsetof(arguments, seed), "0", 0, 9007199254740991, NULL,
     "Start of the random numbers: the same seed, the same scores."},
    CI_OPTIONS_END};

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  const arguments *arg = options;
  size_t count = (size_t)arg->n_samples;
  if (arg->stdevs < 0 || arg->stdevs > 0)
    return ci_fail(err, CI_EINVAL, "stdevs", "is %g: noise on the inputs is not there yet, only 0", arg->stdevs);
  ci_point *points = ci_alloc(count, sizeof *points);
  if (!points) return ci_fail_memory(err);
  for (size_t i = 0; i < count; i++)
    points[i] = (ci_point){ci_random_uniform((uint64_t)arg->seed, 0, i), 1 / (double)count};
  ci_gradient_request request = {.layer = -1, .points = points, .point_count = count};
  request.reduce = arg->multiply_by_inputs ? ci_times_difference : ci_as_it_is;
  ci_status status = ci_attribute_by_gradient(a, &request, err);
  ci_free(points);
  return status;
}

extern const ci_method ci_method_gradient_shap;
const ci_method ci_method_gradient_shap = {
    .id = "gradient_shap",
    .help = "Gradients averaged at random points between a baseline and the input, times their difference.",
    .paper = "Lundberg and Lee 2017, arXiv:1705.07874",
    .options = options_table,
    .options_size = sizeof(arguments),
    .kind = CI_GRANULAR,
    .keep = CI_KEEP_KEYS,
    .attribute = attribute};
