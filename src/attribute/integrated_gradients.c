/* (x - x') * integral over a in [0, 1] of d f / d x at x' + a (x - x') (Sundararajan et al. 2017), by one of Captum's
 * five quadratures. All points serve all targets: the baseline of a position is the same for every step. */
#include "attribute/gradient.h"
#include <math.h>

typedef struct {
  int64_t n_steps;
  const char *method;
  bool multiply_by_inputs;
  int64_t internal_batch_size;
} arguments;

static const ci_option options_table[] = {
    {"n_steps", NULL, CI_INT, offsetof(arguments, n_steps), "50", 1, 1e6, NULL, "Points on the path."},
    {"method", NULL, CI_WORD, offsetof(arguments, method), "\"gausslegendre\"", 0, 0,
     "gausslegendre|riemann_left|riemann_right|riemann_middle|riemann_trapezoid", "Quadrature."},
    {"multiply_by_inputs", NULL, CI_BOOL, offsetof(arguments, multiply_by_inputs), "true", 0, 0, NULL,
     "Multiply the mean gradient by input minus baseline."},
    {"internal_batch_size", NULL, CI_INT, offsetof(arguments, internal_batch_size), "0", 0, 1e9, NULL,
     "Accepted as Inseq's; the work is cut by the memory budget, and the scores do not depend on it."},
    CI_OPTIONS_END};

/* Nodes and weights on [-1, 1]: roots of the Legendre polynomial P_n by Newton's method, w = 2 / ((1 - x^2) P_n'(x)^2).
 */
static void gauss_legendre(ci_point *points, size_t n) {
  for (size_t i = 0; i < n; i++) {
    double x = -cos(M_PI * ((double)i + 0.75) / ((double)n + 0.5)), slope = 1;
    for (int iteration = 0; iteration < 100; iteration++) {
      double p = 1, before = 0;
      for (size_t k = 1; k <= n; k++) {
        double next = ((2.0 * (double)k - 1) * x * p - ((double)k - 1) * before) / (double)k;
        before = p;
        p = next;
      }
      slope = (double)n * (x * p - before) / (x * x - 1);
      double step = p / slope;
      x -= step;
      if (fabs(step) < 1e-15) break;
    }
    points[i] = (ci_point){(1 + x) / 2, 1 / ((1 - x * x) * slope * slope)};
  }
}

/* Captum's Riemann sums: n points between `first` and `last`, evenly. */
static void riemann(ci_point *points, size_t n, double first, double last) {
  for (size_t i = 0; i < n; i++) {
    double alpha = n > 1 ? first + (last - first) * (double)i / (double)(n - 1) : first;
    points[i] = (ci_point){alpha, 1.0 / (double)n};
  }
}

static void trapezoid(ci_point *points, size_t n) {
  riemann(points, n, 0, 1);
  points[0].weight /= 2;
  points[n - 1].weight /= 2;
}

static void fill(const arguments *arg, ci_point *points) {
  size_t n = (size_t)arg->n_steps;
  double step = 1.0 / (double)n;
  switch (arg->method[0] == 'g' ? 'g' : arg->method[8]) { /* the word after "riemann_" */
  case 'g':
    gauss_legendre(points, n);
    break;
  case 'l':
    riemann(points, n, 0, 1 - step);
    break;
  case 'r':
    riemann(points, n, step, 1);
    break;
  case 'm':
    riemann(points, n, step / 2, 1 - step / 2);
    break;
  case 't':
    trapezoid(points, n);
    break;
  }
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  const arguments *arg = options;
  enum { MOST_LEGENDRE = 10000 }; /* finding the roots takes the square of their number */
  if (arg->method[0] == 'g' && arg->n_steps > MOST_LEGENDRE)
    return ci_fail(err, CI_EINVAL, "n_steps", "%lld are more than gausslegendre's %d: take a Riemann sum",
                   (long long)arg->n_steps, MOST_LEGENDRE);
  ci_point *points = ci_alloc((size_t)arg->n_steps, sizeof *points);
  if (!points) return ci_fail_memory(err);
  fill(arg, points);
  ci_gradient_request request = {.layer = -1, .points = points, .point_count = (size_t)arg->n_steps};
  request.reduce = arg->multiply_by_inputs ? ci_times_difference : ci_as_it_is;
  ci_status status = ci_attribute_by_gradient(a, &request, err);
  ci_free(points);
  return status;
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
    .attribute = attribute};
