/* Sizes that overflow are refused, memory is aligned, arenas keep what they gave. */
#include "base/memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void overflow(void **state) {
  (void)state;
  static const size_t sizes[][2] = {{SIZE_MAX, 2},         {SIZE_MAX / 2 + 1, 2},
                                    {SIZE_MAX / 4 + 1, 4}, {(size_t)1 << 33, (size_t)1 << 33},
                                    {SIZE_MAX, 1},         {SIZE_MAX - 32, 1}};
  ci_arena *arena = ci_arena_create();
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    assert_null(ci_alloc(sizes[i][0], sizes[i][1]));
    assert_null(ci_arena_alloc(arena, sizes[i][0], sizes[i][1]));
    if (i < 4) {
      assert_null(ci_alloc_zeroed(sizes[i][0], sizes[i][1]));
      assert_null(ci_resize(NULL, sizes[i][0], sizes[i][1]));
    }
  }
  ci_arena_close(arena);
  void *items = NULL;
  size_t capacity = 0;
  assert_int_equal(ci_reserve(&items, &capacity, SIZE_MAX / 4, 16), -1);
  assert_null(items);
  assert_int_equal(capacity, 0);
  assert_null(ci_duplicate_n("x", SIZE_MAX));
}

/* Linux would promise it, and kill whoever uses it. */
static void more_than_the_machine_has(void **state) {
  (void)state;
  size_t available = ci_memory_available();
  if (!available) skip();
  assert_null(ci_alloc(2 * available, 1));
  assert_null(ci_alloc_zeroed(2 * available, 1));
  assert_null(ci_resize(NULL, 2 * available, 1));
}

/* What is given out in huge pages is all there, to its last byte. */
static void large_sizes(void **state) {
  (void)state;
  for (size_t n = 1024 * 1024; n < (size_t)16 * 1024 * 1024; n += n / 3 + 1) {
    unsigned char *a = ci_alloc(n, 1);
    assert_non_null(a);
    assert_int_equal((uintptr_t)a % 64, 0);
    memset(a, 1, n);
    assert_int_equal(a[n - 1], 1);
    ci_free(a);
  }
}

static void small_sizes(void **state) {
  (void)state;
  for (size_t n = 0; n < 200; n++) {
    unsigned char *a = ci_alloc(n, 1), *b = ci_alloc_zeroed(n, 1);
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal((uintptr_t)a % 64, 0);
    memset(a, 1, n);
    for (size_t i = 0; i < n; i++) assert_int_equal(b[i], 0);
    ci_free(a);
    ci_free(b);
  }
  ci_free(NULL);
  void *zero = ci_resize(NULL, 0, 4);
  assert_non_null(zero);
  ci_free(zero);
}

static void reserve_grows(void **state) {
  (void)state;
  int *items = NULL;
  size_t capacity = 0, moves = 0;
  for (size_t i = 0; i < 10000; i++) {
    size_t before = capacity;
    assert_int_equal(ci_reserve((void **)&items, &capacity, i + 1, sizeof *items), 0);
    assert_true(capacity > i);
    moves += capacity != before;
    items[i] = (int)i;
  }
  for (size_t i = 0; i < 10000; i++) assert_int_equal(items[i], i);
  assert_true(moves < 15);
  ci_free(items);
}

static void arenas(void **state) {
  (void)state;
  ci_arena *arena = ci_arena_create();
  enum { COUNT = 500 };
  unsigned char *given[COUNT];
  for (size_t i = 0; i < COUNT; i++) { /* some larger than a chunk */
    size_t n = i % 50 == 7 ? 200000 : i * 3;
    given[i] = ci_arena_alloc(arena, n, 1);
    assert_int_equal((uintptr_t)given[i] % 64, 0);
    for (size_t k = 0; k < n; k++) assert_int_equal(given[i][k], 0);
    memset(given[i], (int)(i % 251), n);
  }
  for (size_t i = 0; i < COUNT; i++)
    for (size_t k = 0; k < (i % 50 == 7 ? 200000 : i * 3); k++) assert_int_equal(given[i][k], i % 251);
  assert_string_equal(ci_arena_text(arena, "name"), "name");
  assert_string_equal(ci_arena_text(arena, ""), "");
  ci_arena_close(arena);
  ci_arena_close(NULL);
}

static void texts_and_facts(void **state) {
  (void)state;
  char *a = ci_duplicate("abc"), *b = ci_duplicate_n("abc", 2), *c = ci_duplicate_n(NULL, 0);
  assert_string_equal(a, "abc");
  assert_string_equal(b, "ab");
  assert_string_equal(c, "");
  ci_free(a);
  ci_free(b);
  ci_free(c);
  assert_true(ci_memory_available() > 0);
  assert_true(ci_memory_peak() > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(overflow),    cmocka_unit_test(more_than_the_machine_has),
                                     cmocka_unit_test(small_sizes), cmocka_unit_test(large_sizes), cmocka_unit_test(reserve_grows),
                                     cmocka_unit_test(arenas),      cmocka_unit_test(texts_and_facts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
