/* Our own products, with the vectors of this CPU: kernels/gemm_body.h. */
#include "kernels/gemm.h"
#include "kernels/kernels.h"

static bool available(void) {
  return true;
}

static void multiply(bool transposed, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                     size_t ldb, float *c, size_t ldc, int beta) {
  ci_kernels_best()->gemm(transposed, m, n, k, a, lda, b, ldb, c, ldc, beta);
}

extern const ci_gemm ci_gemm_vector;
const ci_gemm ci_gemm_vector = {.id = "vector",
                                .help = "cinseq's own blocks, in registers and caches",
                                .available = available,
                                .multiply = multiply};
