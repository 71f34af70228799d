/* What is known of a function at few places tells it everywhere; places lie where it changes, also for the steepest of
 * several targets; what is done is not looked at; jumps and rounding end. */
#include "attribute/profile.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { TARGETS = 3 };

static double smooth(double x) {
  return exp(2 * x);
}

static double steep(double x) { /* within three thousandths of the way */
  return 1 / (1 + exp(-2000 * (x - 0.3)));
}

static double jump(double x) {
  return x < 0.7;
}

static double (*const functions[TARGETS])(double) = {smooth, steep, jump};

static ci_status measure(void *context, const double *at, size_t count, double *out, ci_error *err) {
  (void)err;
  *(size_t *)context += count;
  for (size_t i = 0; i < count; i++)
    for (size_t t = 0; t < TARGETS; t++) out[i * TARGETS + t] = functions[t](at[i]);
  return CI_OK;
}

static double largest_error(const ci_profile *p, size_t target) {
  ci_error err;
  ci_spline spline;
  double largest = 0;
  assert_int_equal(ci_profile_spline(p, target, &spline, &err), CI_OK);
  for (double x = 0; x <= 1; x += 1.0 / (1 << 15))
    largest = fmax(largest, fabs(ci_spline_value(&spline, x) - functions[target](x)));
  ci_spline_free(&spline);
  return largest;
}

static void the_spline_tells_the_function(void **state) {
  (void)state;
  size_t measured = 0;
  bool done[TARGETS] = {false, true, true};
  ci_error err;
  ci_profile p = {.measure = measure, .context = &measured, .targets = TARGETS};
  assert_int_equal(ci_profile_extend(&p, done, 1e-3, &err), CI_OK);
  assert_true(measured == 33 && p.count == 33); /* the first pieces, and a look into each */
  assert_true(largest_error(&p, 0) < 1e-3);
  done[1] = false;
  assert_int_equal(ci_profile_extend(&p, done, 1e-3, &err), CI_OK);
  assert_true(measured == p.count && p.count < 200);
  assert_true(largest_error(&p, 1) < 2e-3);
  for (size_t i = 1; i < p.count; i++) assert_true(p.at[i] > p.at[i - 1]);
  ci_profile_free(&p);
}

static void a_jump_ends(void **state) {
  (void)state;
  size_t measured = 0;
  const bool done[TARGETS] = {true, true, false};
  ci_error err;
  ci_profile p = {.measure = measure, .context = &measured, .targets = TARGETS};
  assert_int_equal(ci_profile_extend(&p, done, 1e-3, &err), CI_OK);
  assert_true(p.count < 250);
  ci_profile_free(&p);
}

static ci_status rounded(void *context, const double *at, size_t count, double *out, ci_error *err) {
  (void)context, (void)err;
  for (size_t i = 0; i < count; i++) out[i] = 0.5 + 1e-7 * (fmod(at[i] * 1e5, 1) - 0.5);
  return CI_OK;
}

/* Noise of float32 on a function that hardly changes is no surprise. */
static void rounding_is_no_surprise(void **state) {
  (void)state;
  const bool done = false;
  ci_error err;
  ci_profile p = {.measure = rounded, .targets = 1};
  assert_int_equal(ci_profile_extend(&p, &done, 1e-3, &err), CI_OK);
  assert_int_equal(p.count, 33);
  ci_profile_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_spline_tells_the_function), cmocka_unit_test(a_jump_ends),
                                     cmocka_unit_test(rounding_is_no_surprise)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
