/* See quadrature.h. */
#include "attribute/quadrature.h"
#include <math.h>

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

ci_status ci_quadrature(const char *rule, size_t n, ci_point *points, ci_error *err) {
  enum { MOST_LEGENDRE = 10000 }; /* finding the roots takes the square of their number */
  double step = 1.0 / (double)n;
  if (rule[0] == 'g' && n > MOST_LEGENDRE)
    return ci_fail(err, CI_EINVAL, "n_steps", "%zu are more than gausslegendre's %d: take a Riemann sum", n,
                   MOST_LEGENDRE);
  switch (rule[0] == 'g' ? 'g' : rule[8]) { /* the letter after "riemann_" */
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
  return CI_OK;
}
