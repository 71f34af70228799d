/* Ridge regression: its solution satisfies the normal equations, whichever matrix is factored; weights count samples.
 */
#include "attribute/ridge.h"
#include "base/random.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { MOST = 40 };

static void fill(size_t samples, size_t features, unsigned char *x, double *y, double *weights) {
  for (size_t i = 0; i < samples; i++) {
    y[i] = ci_random_normal(3, 0, i);
    weights[i] = i % 7 ? 5 * ci_random_uniform(3, 1, i) : 0;
    for (size_t j = 0; j < features; j++) x[i * MOST + j] = ci_random_uniform(3, 2 + i, j) < 0.7;
  }
}

/* sum_i w_i r_i = 0 and sum_i w_i r_i x_ij = alpha c_j, r the residuals. */
static void normal_equations_hold(void **state) {
  (void)state;
  static unsigned char x[MOST * MOST];
  static const size_t sizes[][2] = {{40, 6}, {6, 40}, {20, 20}, {1, 3}, {3, 1}};
  for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++)
    for (double alpha = 1e-3; alpha < 100; alpha *= 40) {
      size_t samples = sizes[n][0], features = sizes[n][1];
      double y[MOST], weights[MOST], c[MOST], r[MOST], total = 0, intercept = 0;
      ci_error err;
      fill(samples, features, x, y, weights);
      weights[0] = 1;
      assert_int_equal(ci_ridge(x, MOST, y, weights, samples, features, alpha, c, &err), CI_OK);
      for (size_t i = 0; i < samples; i++) {
        r[i] = y[i];
        for (size_t j = 0; j < features; j++) r[i] -= c[j] * x[i * MOST + j];
        total += weights[i];
        intercept += weights[i] * r[i];
      }
      for (size_t j = 0; j < features; j++) {
        double sum = 0;
        for (size_t i = 0; i < samples; i++) sum += weights[i] * (r[i] - intercept / total) * x[i * MOST + j];
        assert_true(fabs(sum - alpha * c[j]) < 1e-8);
      }
    }
}

static void a_linear_function_is_found(void **state) {
  (void)state;
  static unsigned char x[MOST * MOST];
  double y[MOST], weights[MOST], c[5];
  ci_error err;
  fill(MOST, 5, x, y, weights);
  for (size_t i = 0; i < MOST; i++) y[i] = 2 + 3.0 * x[i * MOST] - 1.0 * x[i * MOST + 4];
  assert_int_equal(ci_ridge(x, MOST, y, weights, MOST, 5, 1e-9, c, &err), CI_OK);
  static const double wanted[] = {3, 0, 0, 0, -1};
  for (size_t j = 0; j < 5; j++) assert_true(fabs(c[j] - wanted[j]) < 1e-6);
  for (size_t i = 0; i < MOST; i++) weights[i] = 0;
  assert_int_equal(ci_ridge(x, MOST, y, weights, MOST, 5, 1, c, &err), CI_OK);
  for (size_t j = 0; j < 5; j++) assert_true(c[j] == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(normal_equations_hold),
                                     cmocka_unit_test(a_linear_function_is_found)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
