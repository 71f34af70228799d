/* See ridge.h. With Z = sqrt(w) (x - mean) and t = sqrt(w) (y - mean): c = (Z^T Z + alpha I)^-1 Z^T t = Z^T (Z Z^T +
 * alpha I)^-1 t; the smaller of the two matrices is factored (Cholesky). */
#include "attribute/ridge.h"
#include "base/memory.h"
#include <math.h>

/* a[n, n], symmetric and positive definite, becomes its lower factor; b becomes a^-1 b. */
static void solve(double *a, size_t n, double *b) {
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) {
      double sum = a[i * n + j];
      for (size_t k = 0; k < j; k++) sum -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
    }
  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < i; k++) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (size_t i = n; i-- > 0;) {
    for (size_t k = i + 1; k < n; k++) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
}

/* z[samples, features] and t[samples], centred and weighted. */
static void centre(const unsigned char *x, size_t ld, const double *y, const double *weights, size_t samples,
                   size_t features, double total, double *z, double *t) {
  double mean_y = 0;
  for (size_t i = 0; i < samples; i++) mean_y += weights[i] / total * y[i];
  for (size_t j = 0; j < features; j++) {
    double mean = 0;
    for (size_t i = 0; i < samples; i++) mean += weights[i] * (double)x[i * ld + j];
    mean /= total; /* a feature that is always 1 has a mean of exactly 1 */
    for (size_t i = 0; i < samples; i++) z[i * features + j] = sqrt(weights[i]) * ((double)x[i * ld + j] - mean);
  }
  for (size_t i = 0; i < samples; i++) t[i] = sqrt(weights[i]) * (y[i] - mean_y);
}

/* The products of rows (stride: features, step 1) or columns (stride 1, step: features) of z, n of them, over m
 * members. */
static void products(const double *z, size_t n, size_t stride, size_t m, size_t step, double alpha, double *a) {
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) {
      double sum = i == j ? alpha : 0;
      for (size_t k = 0; k < m; k++) sum += z[i * stride + k * step] * z[j * stride + k * step];
      a[i * n + j] = sum;
    }
}

ci_status ci_ridge(const unsigned char *x, size_t ld, const double *y, const double *weights, size_t samples,
                   size_t features, double alpha, double *coefficients, ci_error *err) {
  size_t n = features < samples ? features : samples, cells;
  double total = 0;
  for (size_t i = 0; i < samples; i++) total += weights[i];
  for (size_t j = 0; j < features; j++) coefficients[j] = 0;
  if (total <= 0) return CI_OK;
  double *z = __builtin_mul_overflow(samples, features, &cells) ? NULL : ci_alloc(cells, sizeof *z);
  double *t = ci_alloc(samples, sizeof *t), *a = ci_alloc(n * n, sizeof *a);
  bool there = z && t && a;
  if (there) centre(x, ld, y, weights, samples, features, total, z, t);
  if (there && features <= samples) {
    products(z, features, 1, samples, features, alpha, a);
    for (size_t i = 0; i < samples; i++)
      for (size_t j = 0; j < features; j++) coefficients[j] += z[i * features + j] * t[i];
    solve(a, features, coefficients);
  } else if (there) {
    products(z, samples, features, features, 1, alpha, a);
    solve(a, samples, t);
    for (size_t i = 0; i < samples; i++)
      for (size_t j = 0; j < features; j++) coefficients[j] += z[i * features + j] * t[i];
  }
  ci_free(z);
  ci_free(t);
  ci_free(a);
  return there ? CI_OK : ci_fail_memory(err);
}
