/* The cubic spline: what it must reproduce, and how fast it nears what it does not. */
#include "attribute/spline.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const double places[] = {0, 0.1, 0.15, 0.3, 0.32, 0.5, 0.9, 1};
enum { PLACES = sizeof places / sizeof *places };

static double cubic(double x) {
  return 2 - x + 3 * x * x - 5 * x * x * x;
}

/* "Not a knot": a cubic polynomial is its own spline, on uneven places too, up to the ends. */
static void a_cubic_is_reproduced(void **state) {
  (void)state;
  double values[3 * PLACES];
  ci_error err;
  for (size_t i = 0; i < PLACES; i++) values[3 * i + 1] = cubic(places[i]);
  ci_spline spline = {.at = places, .values = values + 1, .stride = 3, .count = PLACES};
  assert_int_equal(ci_spline_fit(&spline, &err), CI_OK);
  for (double x = 0; x <= 1; x += 1.0 / 64) {
    assert_true(fabs(ci_spline_value(&spline, x) - cubic(x)) < 1e-13);
    assert_true(fabs(ci_spline_slope(&spline, x) - (-1 + 6 * x - 15 * x * x)) < 1e-12);
  }
  ci_spline_free(&spline);
}

static double largest_error(size_t count) {
  double at[65], values[65], largest = 0;
  ci_error err;
  for (size_t i = 0; i < count; i++) values[i] = sin(7 * (at[i] = (double)i / (double)(count - 1)));
  ci_spline spline = {.at = at, .values = values, .stride = 1, .count = count};
  assert_int_equal(ci_spline_fit(&spline, &err), CI_OK);
  for (size_t i = 0; i < count; i++) assert_true(fabs(ci_spline_value(&spline, at[i]) - values[i]) < 1e-15);
  for (double x = 0; x <= 1; x += 1.0 / 1024) largest = fmax(largest, fabs(ci_spline_value(&spline, x) - sin(7 * x)));
  ci_spline_free(&spline);
  return largest;
}

/* Fourth order: half the width, a sixteenth of the error. */
static void errors_fall_with_the_fourth_power(void **state) {
  (void)state;
  double before = largest_error(17), after = largest_error(33);
  assert_true(before < 1e-3 && after < before / 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_cubic_is_reproduced),
                                     cmocka_unit_test(errors_fall_with_the_fourth_power)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
