/* The cubic spline through given points, for what is known at few places of a line. */
#ifndef CI_ATTRIBUTE_SPLINE_H
#define CI_ATTRIBUTE_SPLINE_H
#include "base/error.h"
#include <stddef.h>

typedef struct {
  const double *at; /* [count] ascending; borrowed */
  const double *values;
  size_t stride;  /* value number i is values[i * stride] */
  size_t count;   /* 4 at least */
  double *slopes; /* [count]; ci_spline_free */
} ci_spline;

/* Continuous to the second derivative, to the third at the second and the last but one point ("not a knot"); de Boor, A
 * Practical Guide to Splines, chapter IV. `spline` has its points, whose values may change afterwards: their slopes are
 * computed here. */
ci_status ci_spline_fit(ci_spline *spline, ci_error *err);
double ci_spline_value(const ci_spline *spline, double x);
double ci_spline_slope(const ci_spline *spline, double x);
void ci_spline_free(ci_spline *spline);

#endif
