/* oneDNN's sgemm: kernels compiled for the CPU it runs on. Debian's libdnnl brings libgomp; we call it from our own
 * threads, so OpenMP is told to use one thread for the length of the call, and the caller's setting is put back.
 *
 * Its kernels (seen in 2.6.3 with AVX-512) keep pointers below the stack's red zone, where a signal handler puts its
 * frame: they would then write anywhere. Signals wait until the call is over. */
#include "kernels/gemm.h"
#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

/* From libgomp's omp.h, which clang does not find: the OpenMP 4.5 API is a stable ABI. */
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);

static bool available(void) {
  return true;
}

static void version(char text[32]) {
  const dnnl_version_t *v = dnnl_version();
  snprintf(text, 32, "%d.%d.%d", v->major, v->minor, v->patch);
}

extern const ci_gemm ci_gemm_naive;

/* A call that finds no memory for its buffers has computed nothing: our loops need none. */
static void sgemm(char transposed, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb,
                  float *c, size_t ldc, int beta) {
  dnnl_status_t status = dnnl_sgemm('N', transposed, (dnnl_dim_t)m, (dnnl_dim_t)n, (dnnl_dim_t)k, 1.0f, a,
                                    (dnnl_dim_t)lda, b, (dnnl_dim_t)ldb, (float)beta, c, (dnnl_dim_t)ldc);
  if (status != dnnl_success) ci_gemm_naive.multiply(transposed == 'T', m, n, k, a, lda, b, ldb, c, ldc, beta);
}

/* x W^T is fast for up to 15 rows (95 to 105 GFLOP/s of 115 on one AVX-512 core) and slow from 16 on, where sgemm
 * copies W into another order on every call (40 to 60 at 16 to 64 rows, 90 at 500). So rows go in slices of at most 15,
 * against a tile of W that stays in the second-level cache. docs/benchmarks.md has the figures. */
static void transposed_in_slices(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb,
                                 float *c, size_t ldc, int beta) {
  enum { SLICE = 15, DEPTH = 1664, TILE_FLOATS = 128 * 1024 };
  size_t slice = (m + (m + SLICE - 1) / SLICE - 1) / ((m + SLICE - 1) / SLICE), depths = (k + DEPTH - 1) / DEPTH;
  size_t depth = depths > 1 ? (k / depths + 63) / 64 * 64 : k, tile = TILE_FLOATS / (depth ? depth : 1) / 16 * 16;
  for (size_t l = 0; l < k; l += depth)
    for (size_t j = 0; j < n; j += tile)
      for (size_t i = 0; i < m; i += slice)
        sgemm('T', m - i < slice ? m - i : slice, n - j < tile ? n - j : tile, k - l < depth ? k - l : depth,
              a + i * lda + l, lda, b + j * ldb + l, ldb, c + i * ldc + j, ldc, beta || l > 0);
}

/* to[columns, rows] = from[rows, columns]^T, in squares of a cache line. */
static void transpose(const float *from, size_t ld, size_t rows, size_t columns, float *to) {
  enum { SQUARE = 16 };
  for (size_t c = 0; c < columns; c += SQUARE)
    for (size_t r = 0; r < rows; r += SQUARE) {
      size_t high = rows - r < SQUARE ? rows : r + SQUARE, wide = columns - c < SQUARE ? columns : c + SQUARE;
      for (size_t i = c; i < wide; i++)
        for (size_t j = r; j < high; j++) to[i * rows + j] = from[j * ld + i];
    }
}

/* For many rows it pays to put W^T into order ourselves: x W runs at 150 GFLOP/s where slices reach 105 (Intel; on AMD
 * both at 105, and the copy costs a tenth at 128 rows). */
static void transposed_by_copy(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb,
                               float *c, size_t ldc, int beta) {
  enum { WIDE = 128, DEEP = 256 };
  _Alignas(64) float copy[WIDE * DEEP]; /* stays in the second-level cache */
  for (size_t j = 0; j < n; j += WIDE)
    for (size_t l = 0; l < k; l += DEEP) {
      size_t wide = n - j < WIDE ? n - j : WIDE, deep = k - l < DEEP ? k - l : DEEP;
      transpose(b + j * ldb + l, ldb, wide, deep, copy);
      sgemm('N', m, wide, deep, a + l, lda, copy, wide, c + j, ldc, beta || l > 0);
    }
}

/* All signals but those of a fault, which cannot wait: the kernel would end the process. */
static void hold_signals(sigset_t *before) {
  sigset_t held;
  sigfillset(&held);
  static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&held, faults[i]);
  pthread_sigmask(SIG_BLOCK, &held, before);
}

enum { MANY_ROWS = 128 };

static void multiply(bool transposed, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                     size_t ldb, float *c, size_t ldc, int beta) {
  sigset_t signals;
  hold_signals(&signals);
  int threads = omp_get_max_threads();
  if (threads != 1) omp_set_num_threads(1);
  if (transposed && m >= MANY_ROWS)
    transposed_by_copy(m, n, k, a, lda, b, ldb, c, ldc, beta);
  else if (transposed)
    transposed_in_slices(m, n, k, a, lda, b, ldb, c, ldc, beta);
  else
    sgemm('N', m, n, k, a, lda, b, ldb, c, ldc, beta);
  if (threads != 1) omp_set_num_threads(threads);
  pthread_sigmask(SIG_SETMASK, &signals, NULL);
}

extern const ci_gemm ci_gemm_onednn;
const ci_gemm ci_gemm_onednn = {.id = "onednn",
                                .help = "oneDNN's sgemm, one thread a call",
                                .available = available,
                                .library = "oneDNN",
                                .version = version,
                                .multiply = multiply};
