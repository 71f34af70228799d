/* The generator against its authors' known answers (Random123's kat_vectors), and the moments of what is made of it. */
#include "base/random.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void known_answers(void **state) {
  (void)state;
  static const uint64_t cases[][5] = {
      /* counter low, high, key, answer */
      {0, 0, 0, 0xca00a0459843d731, 0x66c24222c9a845b5},
      {UINT64_MAX, UINT64_MAX, UINT64_MAX, 0x65b021d60cd8310f, 0x4d02f3222f86df20},
      {0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x0a5e742c2997341c, 0xb0f883d38000de5d}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t bits[2];
    ci_random_bits(cases[i][2], cases[i][1], cases[i][0], bits);
    assert_true(bits[0] == cases[i][3] && bits[1] == cases[i][4]);
  }
}

static void moments(void **state) {
  (void)state;
  enum { N = 100000 };
  double uniform = 0, normal = 0, squares = 0, neighbours = 0, streams = 0;
  for (uint64_t i = 0; i < N; i++) {
    double u = ci_random_uniform(7, 3, i), z = ci_random_normal(7, 4, i);
    assert_true(u >= 0 && u < 1 && isfinite(z));
    uniform += u / N;
    normal += z / N;
    squares += z * z / N;
    neighbours += z * ci_random_normal(7, 4, i + 1) / N;
    streams += z * ci_random_normal(7, 5, i) / N;
  }
  /* five standard errors */
  assert_true(fabs(uniform - 0.5) < 0.005 && fabs(normal) < 0.016 && fabs(squares - 1) < 0.023);
  assert_true(fabs(neighbours) < 0.016 && fabs(streams) < 0.016);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(known_answers), cmocka_unit_test(moments)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
