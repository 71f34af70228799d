/* Points where a function changes: their weights are a quadrature, they keep the tolerance, and a jump takes few. */
#include "attribute/panels.h"
#include "base/memory.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { PLACES = 513, MOST = 1024 };

static double at[PLACES], values[PLACES];

static double smooth(double x) {
  return exp(2 * x);
}

static double steep(double x) { /* from 0 to 1 around 0.3 */
  return 1 / (1 + exp(-200 * (x - 0.3)));
}

static double jump(double x) {
  return x < 0.3;
}

static ci_point *points_of(double (*f)(double), double tolerance, size_t most, size_t *count) {
  ci_error err;
  ci_point *points = NULL;
  for (int i = 0; i < PLACES; i++) values[i] = f(at[i] = (double)i / (PLACES - 1));
  ci_spline spline = {.at = at, .values = values, .stride = 1, .count = PLACES};
  assert_int_equal(ci_spline_fit(&spline, &err), CI_OK);
  assert_int_equal(ci_panels(&spline, tolerance, most, &points, count, &err), CI_OK);
  ci_spline_free(&spline);
  double sum = 0;
  for (size_t i = 0; i < *count; i++) {
    assert_true(points[i].alpha > 0 && points[i].alpha < 1);
    sum += points[i].weight;
  }
  assert_true(fabs(sum - 1) < 1e-12);
  return points;
}

/* |sum of weight x slope - (f(1) - f(0))|, by the function's own slope. */
static double error_of(double (*f)(double), const ci_point *points, size_t count) {
  const double h = 1e-6;
  double sum = 0;
  for (size_t i = 0; i < count; i++)
    sum += points[i].weight * (f(points[i].alpha + h) - f(points[i].alpha - h)) / (2 * h);
  return fabs(sum - (f(1) - f(0)));
}

static void the_tolerance_is_kept(void **state) {
  (void)state;
  size_t before = 0, count;
  for (double tolerance = 0.1; tolerance > 1e-5; tolerance /= 10) {
    ci_point *points = points_of(steep, tolerance, MOST, &count);
    assert_true(error_of(steep, points, count) <= 1.1 * tolerance);
    assert_true(count >= before);
    before = count;
    ci_free(points);
  }
  ci_point *points = points_of(smooth, 1e-3, MOST, &count);
  assert_true(error_of(smooth, points, count) <= 1e-3);
  assert_true(count <= 8);
  ci_free(points);
}

static void points_lie_where_the_function_changes(void **state) {
  (void)state;
  size_t count, near = 0;
  ci_point *points = points_of(steep, 1e-3, MOST, &count);
  for (size_t i = 0; i < count; i++) near += fabs(points[i].alpha - 0.3) < 0.1;
  assert_true(count < 40 && 2 * near > count);
  ci_free(points);
}

static void a_jump_and_a_limit_end(void **state) {
  (void)state;
  size_t count;
  ci_point *points = points_of(jump, 1e-4, MOST, &count);
  assert_true(count < 200);
  ci_free(points);
  points = points_of(steep, 1e-6, 10, &count);
  assert_int_equal(count, 10);
  ci_free(points);
  points = points_of(steep, 1e-6, 1, &count);
  assert_int_equal(count, 2);
  ci_free(points);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_tolerance_is_kept),
                                     cmocka_unit_test(points_lie_where_the_function_changes),
                                     cmocka_unit_test(a_jump_and_a_limit_end)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
