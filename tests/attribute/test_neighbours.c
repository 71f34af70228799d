/* Nearest tokens are those that looking at all of them finds, nearest first. */
#include "attribute/neighbours.h"
#include "kernels/weight_types.h"
#include "support/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { VOCABULARY = 300, WIDTH = 12, COUNT = 20 };

static double apart(const float *table, int32_t x, int32_t y) {
  double sum = 0;
  for (size_t i = 0; i < WIDTH; i++) {
    double d = (double)table[x * WIDTH + (int32_t)i] - (double)table[y * WIDTH + (int32_t)i];
    sum += d * d;
  }
  return sum;
}

static void all_others_are_farther(void **state) {
  (void)state;
  static float table[VOCABULARY * WIDTH];
  uint64_t random = 5;
  ci_error err = {0};
  ci_compute compute;
  ci_neighbours n;
  random_floats(&random, table, VOCABULARY * WIDTH, 1);
  ci_weight weight = {.type = ci_weight_type_named("F32"), .data = table, .a = VOCABULARY, .b = WIDTH, .ld = WIDTH};
  assert_int_equal(ci_compute_open(&compute, 2, "auto", NULL, &err), CI_OK);
  assert_int_equal(ci_neighbours_open(&n, &compute, &weight, COUNT, &err), CI_OK);
  int32_t ids[VOCABULARY];
  for (int32_t i = 0; i < VOCABULARY; i++) ids[i] = i / 2 * 2; /* twice each */
  assert_int_equal(ci_neighbours_find(&n, ids, VOCABULARY, &err), CI_OK);
  assert_null(n.of[1]);
  for (int32_t id = 0; id < VOCABULARY; id += 2) {
    size_t nearer = 0;
    double farthest = apart(table, id, n.of[id][COUNT - 1]);
    for (size_t i = 0; i < COUNT; i++) assert_true(n.of[id][i] != id);
    for (size_t i = 1; i < COUNT; i++) assert_true(apart(table, id, n.of[id][i - 1]) <= apart(table, id, n.of[id][i]));
    for (int32_t other = 0; other < VOCABULARY; other++) nearer += other != id && apart(table, id, other) <= farthest;
    assert_int_equal(nearer, COUNT);
  }
  ci_neighbours_close(&n);
  assert_int_equal(ci_neighbours_open(&n, &compute, &weight, 100000, &err), CI_OK);
  assert_int_equal(n.count, VOCABULARY - 1);
  ci_neighbours_close(&n);
  ci_compute_close(&compute);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(all_others_are_farther)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
