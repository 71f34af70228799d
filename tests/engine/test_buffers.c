/* Memory that goes from hand to hand: never given twice at a time, and used again. */
#include "engine/buffers.h"
#include "support/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void taken_once(void **state) {
  (void)state;
  enum { HANDS = 20 };
  float *held[HANDS] = {NULL};
  size_t size[HANDS] = {0};
  uint64_t random = 1;
  ci_buffers *b = ci_buffers_open();
  for (int step = 0; step < 3000; step++) {
    size_t h = random_bits(&random) % HANDS;
    for (size_t i = 0; i < size[h]; i++) assert_true(held[h][i] == (float)h); /* nobody else wrote there */
    ci_buffers_give(b, held[h]);
    size[h] = random_bits(&random) % 300;
    held[h] = ci_buffers_take(b, size[h]);
    assert_non_null(held[h]);
    for (size_t i = 0; i < size[h]; i++) held[h][i] = (float)h;
  }
  ci_buffers_give(b, NULL);
  ci_buffers_close(b);
  ci_buffers_close(NULL);
}

static void used_again(void **state) {
  (void)state;
  ci_buffers *b = ci_buffers_open();
  float *large = ci_buffers_take(b, 1000), *small = ci_buffers_take(b, 10);
  assert_ptr_not_equal(large, small);
  ci_buffers_give(b, large);
  ci_buffers_give(b, small);
  assert_ptr_equal(ci_buffers_take(b, 8), small); /* the smallest that is large enough */
  assert_ptr_equal(ci_buffers_take(b, 900), large);
  assert_null(ci_buffers_take(b, (size_t)-1 / 2));
  ci_buffers_close(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(taken_once), cmocka_unit_test(used_again)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
