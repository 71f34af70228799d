/* The reference back end: our own vector loops, needing no library. */
#include "kernels/gemm.h"
#include "kernels/kernels.h"

static bool available(void) { return true; }

static void multiply(bool transposed, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb,
                     float *c, size_t ldc, int beta) {
  const ci_kernels *kernels = ci_kernels_best();
  if (!transposed) {
    kernels->matmul(m, n, k, a, lda, 1, b, ldb, c, ldc, beta);
    return;
  }
  for (size_t j = 0; j < n; j++)
    for (size_t i = 0; i < m; i++)
      c[i * ldc + j] = (beta ? c[i * ldc + j] : 0) + kernels->dot(a + i * lda, b + j * ldb, k);
}

extern const ci_gemm ci_gemm_naive;
const ci_gemm ci_gemm_naive = {
    .id = "naive", .help = "cinseq's own loops; the reference", .available = available, .multiply = multiply};
