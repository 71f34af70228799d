/* The pool: every part runs once, on a thread that exists, in thousands of rounds, asleep or awake; sums are the same
 * for every number of threads. */
#include "base/threads.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

enum { MOST = 1000 };

typedef struct {
  atomic_int seen[MOST];
  atomic_int wrong; /* parts or threads that do not exist */
  size_t count;
  int threads;
  double sums[MOST];
} job;

static void count_part(void *context, size_t part, int thread) {
  job *j = context;
  if (part >= j->count || thread < 0 || thread >= j->threads)
    atomic_fetch_add(&j->wrong, 1);
  else
    atomic_fetch_add(&j->seen[part], 1);
}

static void run_round(ci_pool *pool, job *j, size_t count) {
  memset(j, 0, sizeof *j);
  j->count = count;
  j->threads = ci_pool_threads(pool);
  ci_pool_run(pool, count, count_part, j);
  assert_int_equal(atomic_load(&j->wrong), 0);
  for (size_t i = 0; i < count; i++) assert_int_equal(atomic_load(&j->seen[i]), 1);
}

static void every_part_once(void **state) {
  (void)state;
  static const int threads[] = {1, 2, 3, 8};
  static const size_t counts[] = {0, 1, 2, 3, 7, 100, MOST};
  job *j = malloc(sizeof *j);
  for (size_t t = 0; t < 4; t++) {
    ci_pool *pool;
    ci_error err = {0};
    assert_int_equal(ci_pool_create(threads[t], &pool, &err), CI_OK);
    assert_int_equal(ci_pool_threads(pool), threads[t]);
    for (int again = 0; again < 30; again++)
      for (size_t c = 0; c < 7; c++) run_round(pool, j, counts[c]);
    ci_pool_close(pool);
  }
  free(j);
}

/* Workers that went to sleep wake up; a pool closes while they sleep or spin. */
static void asleep_and_awake(void **state) {
  (void)state;
  job *j = malloc(sizeof *j);
  ci_pool *pool;
  ci_error err = {0};
  assert_int_equal(ci_pool_create(3, &pool, &err), CI_OK);
  for (int i = 0; i < 5; i++) {
    nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    for (int k = 0; k < 200; k++) run_round(pool, j, 5);
  }
  nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
  ci_pool_close(pool);
  for (int i = 0; i < 50; i++) { /* never used */
    assert_int_equal(ci_pool_create(4, &pool, &err), CI_OK);
    ci_pool_close(pool);
  }
  ci_pool_close(NULL);
  free(j);
}

static void sum_part(void *context, size_t part, int thread) {
  (void)thread;
  job *j = context;
  double sum = 0;
  for (size_t i = 1; i < 2000; i++) sum += 1.0 / (double)(i * (part + 1));
  j->sums[part] = sum;
}

static void results_do_not_depend_on_threads(void **state) {
  (void)state;
  job *one = calloc(1, sizeof *one), *many = calloc(1, sizeof *many);
  for (int threads = 1; threads <= 4; threads++) {
    ci_pool *pool;
    ci_error err = {0};
    assert_int_equal(ci_pool_create(threads, &pool, &err), CI_OK);
    ci_pool_run(pool, MOST, sum_part, threads == 1 ? one : many);
    if (threads > 1) assert_memory_equal(one->sums, many->sums, sizeof one->sums);
    ci_pool_close(pool);
  }
  free(one);
  free(many);
}

static void all_processors(void **state) {
  (void)state;
  ci_pool *pool;
  ci_error err = {0};
  assert_int_equal(ci_pool_create(0, &pool, &err), CI_OK);
  assert_true(ci_pool_threads(pool) >= 1);
  ci_pool_close(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_part_once), cmocka_unit_test(asleep_and_awake),
                                     cmocka_unit_test(results_do_not_depend_on_threads),
                                     cmocka_unit_test(all_processors)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
