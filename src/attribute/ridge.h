/* Weighted ridge regression with an intercept (Hoerl & Kennard 1970), in double. */
#ifndef CI_ATTRIBUTE_RIDGE_H
#define CI_ATTRIBUTE_RIDGE_H
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

/* coefficients[features] that with an intercept b minimise
 *   sum_i weights[i] (y[i] - b - sum_j x[i, j] coefficients[j])^2 + alpha sum_j coefficients[j]^2,
 * x[samples, features] of 0 and 1 with leading dimension ld. alpha > 0, weights >= 0; all of them 0: coefficients are
 * 0. */
ci_status ci_ridge(const unsigned char *x, size_t ld, const double *y, const double *weights, size_t samples,
                   size_t features, double alpha, double *coefficients, ci_error *err);

#endif
