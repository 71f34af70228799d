/* The aggregation functions, against values worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "aggregate/aggregator.h"

static double apply(const char *id, const float *values, size_t count) {
  const ci_function *function = ci_function_find(id);
  assert_non_null(function);
  return function->reduce(values, count, 2);
}

static void test_values(void **state) {
  (void)state;
  const float values[] = {3, -4, 0.5f, 2};
  static const struct {
    const char *id;
    double wanted;
  } cases[] = {{"mean", 0.375}, {"max", 3}, {"min", -4}, {"sum", 1.5}, {"prod", -12}, {"absmax", -4}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_true(apply(cases[i].id, values, 4) == cases[i].wanted);
  assert_true(fabs(apply("vnorm", values, 4) - sqrt(29.25)) < 1e-12);
  assert_true(apply("absmax", (const float[]){-2, 2}, 2) == -2); /* the first of equals */
}

static void test_nan(void **state) {
  (void)state;
  const float values[] = {1, NAN, -2};
  static const char *const propagate[] = {"mean", "max", "min", "sum", "prod", "vnorm"};
  for (size_t i = 0; i < sizeof propagate / sizeof *propagate; i++) assert_true(isnan(apply(propagate[i], values, 3)));
  assert_true(apply("absmax", values, 3) == -2);
  assert_true(apply("absmax", (const float[]){NAN, 3}, 2) == 3);
  assert_true(isnan(apply("absmax", (const float[]){NAN, NAN}, 2)));
}

/* 2^24 + many ones: lost when the sum is a float. */
static void test_precision(void **state) {
  (void)state;
  static float values[1001];
  values[0] = 16777216;
  for (int i = 1; i < 1001; i++) values[i] = 1;
  assert_true(apply("sum", values, 1001) == 16778216.0);
}

static void test_table(void **state) {
  (void)state;
  size_t count;
  const ci_function *functions = ci_functions(&count);
  assert_int_equal(count, 7);
  for (size_t i = 0; i < count; i++) assert_ptr_equal(ci_function_find(functions[i].id), &functions[i]);
  assert_null(ci_function_find("median"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values),
      cmocka_unit_test(test_nan),
      cmocka_unit_test(test_precision),
      cmocka_unit_test(test_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
