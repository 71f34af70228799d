/* Every back end against sums in double: shapes around its blocks, leading dimensions with gaps, added or written. */
#include "kernels/gemm.h"
#include "kernels/kernels.h"
#include "support/random.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <cmocka.h>

enum { GAP = 5 };

static float *random_array(uint64_t *state, size_t n) {
  float *x = malloc(n * sizeof *x + 1);
  random_floats(state, x, n, 1);
  return x;
}

typedef void multiply_function(bool transposed, size_t m, size_t n, size_t k, const float *a, size_t lda,
                               const float *b, size_t ldb, float *c, size_t ldc, int beta);

static void check_function(const char *id, multiply_function *multiply, bool transposed, size_t m, size_t n, size_t k,
                           int beta) {
  uint64_t random = m * 1000 + n * 10 + k;
  size_t lda = k + GAP, ldb = (transposed ? k : n) + GAP, ldc = n + GAP, b_rows = transposed ? n : k;
  float *a = random_array(&random, (m - 1) * lda + k),
        *b = random_array(&random, (b_rows - 1) * ldb + (transposed ? k : n));
  float *c = random_array(&random, m * ldc), *old = malloc(m * ldc * sizeof *old);
  memcpy(old, c, m * ldc * sizeof *c);
  multiply(transposed, m, n, k, a, lda, b, ldb, c, ldc, beta);
  for (size_t i = 0; i < m; i++) {
    for (size_t j = 0; j < n; j++) {
      double expected = beta ? (double)old[i * ldc + j] : 0, found = (double)c[i * ldc + j];
      for (size_t l = 0; l < k; l++)
        expected += (double)a[i * lda + l] * (double)(transposed ? b[j * ldb + l] : b[l * ldb + j]);
      if (!(fabs(found - expected) <= 1e-6 * sqrt((double)k) * (1 + fabs(expected))))
        fail_msg("%s%s: %zu x %zu x %zu, beta %d, [%zu, %zu]: %.9g, expected %.9g", id, transposed ? " transposed" : "",
                 m, n, k, beta, i, j, found, expected);
    }
    assert_memory_equal(c + i * ldc + n, old + i * ldc + n, GAP * sizeof *c);
  }
  free(a);
  free(b);
  free(c);
  free(old);
}

static void check(const ci_gemm *g, bool transposed, size_t m, size_t n, size_t k, int beta) {
  check_function(g->id, g->multiply, transposed, m, n, k, beta);
}

static void back_ends(void **state) {
  (void)state;
  static const size_t rows[] = {1, 2, 3, 7, 14, 15, 16, 17, 31, 46, 64, 97}, columns[] = {1, 2, 15, 16, 17, 63, 130},
                      depths[] = {1, 3, 16, 33, 100};
  size_t count = 0;
  for (const ci_gemm *g; (g = ci_gemm_at(count)) != NULL; count++) {
    assert_non_null(g->help);
    if (!g->available()) continue;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
      for (size_t j = 0; j < sizeof columns / sizeof *columns; j++)
        for (size_t l = 0; l < sizeof depths / sizeof *depths; l++)
          for (int way = 0; way < 4; way++) check(g, way & 1, rows[i], columns[j], depths[l], way >> 1);
    for (int way = 0; way < 4; way++) { /* deep and wide: cut for the caches */
      check(g, way & 1, 17, 70, 3400, way >> 1);
      check(g, way & 1, 3, 9000, 40, way >> 1);
      check(g, way & 1, 33, 100, 1665, way >> 1);
      check(g, way & 1, 128, 150, 300, way >> 1);
      check(g, way & 1, 131, 128, 257, way >> 1);
    }
  }
  assert_true(count >= 2);
}

/* Our own products in each instruction set that this CPU has: shapes around tiles, strips, copies and their depth. */
static void instruction_sets(void **state) {
  (void)state;
  static const char *const ids[] = {"portable", "avx2", "avx512", "avx512_vnni"};
  static const size_t rows[] = {1, 4, 5, 8, 9, 11, 12, 16, 17, 25},
                      columns[] = {1, 3, 5, 11, 12, 13, 23, 25, 47, 49, 111}, depths[] = {1, 3, 5, 15, 17, 31, 70};
  for (size_t id = 0; id < sizeof ids / sizeof *ids; id++) {
    const ci_kernels *kernels = ci_kernels_named(ids[id]);
    if (!kernels) continue;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
      for (size_t j = 0; j < sizeof columns / sizeof *columns; j++)
        for (size_t l = 0; l < sizeof depths / sizeof *depths; l++)
          for (int way = 0; way < 4; way++)
            check_function(ids[id], kernels->gemm, way & 1, rows[i], columns[j], depths[l], way >> 1);
    for (int way = 0; way < 4; way++) {
      check_function(ids[id], kernels->gemm, way & 1, 5, 300, 1030, way >> 1);
      check_function(ids[id], kernels->gemm, way & 1, 30, 290, 257, way >> 1);
      check_function(ids[id], kernels->gemm, way & 1, 20, 595, 513, way >> 1);
    }
  }
}

/* Parts of a product whose rows are packed once give the bits of the whole product. */
static void packed(void **state) {
  (void)state;
  enum { M = 100, N = 90, K = 300, PART = 33, FIRST = 64 };
  uint64_t random = 5;
  float *a = random_array(&random, M * K), *b = random_array(&random, N * K), *whole = malloc(M * N * sizeof *whole),
        *parts = malloc(M * N * sizeof *parts);
  const ci_gemm *g;
  for (size_t index = 0; (g = ci_gemm_at(index)) != NULL; index++) {
    if (!g->available() || !g->pack) continue;
    assert_true(g->worth_packing(M, N, K));
    assert_int_equal(FIRST % g->pack_depth, 0);
    size_t rows = (M + g->pack_rows - 1) / g->pack_rows * g->pack_rows;
    void *packed = aligned_alloc(64, rows * g->packed_bytes(K));
    g->pack(M, K, a, K, packed);
    for (int transposed = 0; transposed < 2; transposed++) {
      size_t ldb = transposed ? K : N;
      g->multiply(transposed, M, N, FIRST, a, K, b, ldb, whole, N, 0);
      g->multiply(transposed, M, N, K - FIRST, a + FIRST, K, b + FIRST * (transposed ? 1 : N), ldb, whole, N, 1);
      for (size_t j = 0; j < N; j += PART) {
        const float *columns = b + j * (transposed ? K : 1);
        size_t n = N - j < PART ? N - j : PART;
        g->multiply_packed(transposed, M, n, FIRST, packed, K, 0, columns, ldb, parts + j, N, 0);
        g->multiply_packed(transposed, M, n, K - FIRST, packed, K, FIRST, columns + FIRST * (transposed ? 1 : N), ldb,
                           parts + j, N, 1);
      }
      assert_memory_equal(whole, parts, M * N * sizeof *whole);
    }
    free(packed);
  }
  free(a);
  free(b);
  free(whole);
  free(parts);
}

/* float32 in parts of bfloat16: large and small numbers next to each other keep their digits. */
static void digits(void **state) {
  (void)state;
  enum { M = 64, N = 64, K = 64 };
  uint64_t random = 3;
  float *a = random_array(&random, M * K), *b = random_array(&random, K * N), *c = malloc(M * N * sizeof *c);
  for (size_t i = 0; i < M * K; i++)
    a[i] = ldexpf(a[i], (int)(i / K) - M / 2), b[i] = ldexpf(b[i], M / 2 - (int)(i % N));
  const ci_gemm *g;
  for (size_t index = 0; (g = ci_gemm_at(index)) != NULL; index++) {
    if (!g->available()) continue;
    g->multiply(false, M, N, K, a, K, b, N, c, N, 0);
    for (size_t i = 0; i < M; i++)
      for (size_t j = 0; j < N; j++) {
        double exact = 0, size = 0;
        for (size_t k = 0; k < K; k++) {
          double term = (double)a[i * K + k] * (double)b[k * N + j];
          exact += term;
          size += fabs(term);
        }
        if (!(fabs(exact - (double)c[i * N + j]) <= 4e-7 * size))
          fail_msg("%s: %.9g, expected %.9g", g->id, (double)c[i * N + j], exact);
      }
  }
  free(a);
  free(b);
  free(c);
}

/* Our own sums are in the same order for any number of rows. */
static void any_rows(void **state) {
  (void)state;
  enum { M = 30, N = 111, K = 300 };
  uint64_t random = 11;
  float *a = random_array(&random, M * K), *b = random_array(&random, N * K), *all = malloc(M * N * sizeof *all),
        *some = malloc(M * N * sizeof *some);
  const ci_gemm *g = ci_gemm_named("vector");
  for (int way = 0; way < 2; way++) {
    g->multiply(way, M, N, K, a, K, b, way ? K : N, all, N, 0);
    for (size_t m = 1; m < M; m++) {
      g->multiply(way, m, N, K, a, K, b, way ? K : N, some, N, 0);
      assert_memory_equal(all, some, m * N * sizeof *all);
    }
  }
  free(a);
  free(b);
  free(all);
  free(some);
}

static volatile sig_atomic_t signals_seen;

static void on_signal(int number) {
  (void)number;
  signals_seen++;
}

/* A program's signal handlers run on our stack: what a back end keeps below the red zone would be overwritten, and
 * pointers among it write anywhere. Without holding signals back, oneDNN 2.6.3 ends here in a corrupted heap. */
static void signals(void **state) {
  (void)state;
  enum { M = 512, N = 64, K = 172, TIMES = 3000 };
  uint64_t random = 7;
  float *a = random_array(&random, M * K), *b = random_array(&random, K * N), *c = malloc(M * N * sizeof *c),
        *calm = malloc(M * N * sizeof *calm);
  struct sigaction action = {.sa_handler = on_signal}, before;
  sigaction(SIGALRM, &action, &before);
  const ci_gemm *g = ci_gemm_named("onednn");
  if (!g) g = ci_gemm_named("auto");
  for (int way = 0; way < 2; way++) {
    const struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    g->multiply(way, M, N, K, a, K, b, way ? K : N, calm, N, 0);
    signals_seen = 0;
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < TIMES; i++) {
      g->multiply(way, M, N, K, a, K, b, way ? K : N, c, N, 0);
      if (memcmp(c, calm, M * N * sizeof *c))
        fail_msg("another product in round %d, after %d signals", i, (int)signals_seen);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    assert_true(signals_seen > 10); /* they are late, not lost */
  }
  sigaction(SIGALRM, &before, NULL);
  free(a);
  free(b);
  free(c);
  free(calm);
}

static void names(void **state) {
  (void)state;
  assert_string_equal(ci_gemm_named("naive")->id, "naive");
  assert_null(ci_gemm_named("fastest"));
  assert_ptr_equal(ci_gemm_named("auto"), ci_gemm_at(0));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(back_ends), cmocka_unit_test(instruction_sets),
                                     cmocka_unit_test(any_rows),  cmocka_unit_test(packed),
                                     cmocka_unit_test(digits),    cmocka_unit_test(signals),
                                     cmocka_unit_test(names)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
