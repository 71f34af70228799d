/* oneDNN's sgemm: kernels compiled for the CPU it runs on. Debian's libdnnl brings libgomp; we call it from our own threads,
 * so OpenMP is told to use one thread for the length of the call, and the caller's setting is put back. */
#include "kernels/gemm.h"
#include <oneapi/dnnl/dnnl.h>

/* From libgomp's omp.h, which clang does not find: the OpenMP 4.5 API is a stable ABI. */
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);

static bool available(void) { return true; }

static void multiply(bool transposed, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb,
                     float *c, size_t ldc, int beta) {
  int threads = omp_get_max_threads();
  if (threads != 1) omp_set_num_threads(1);
  dnnl_sgemm('N', transposed ? 'T' : 'N', (dnnl_dim_t)m, (dnnl_dim_t)n, (dnnl_dim_t)k, 1.0f, a, (dnnl_dim_t)lda, b,
             (dnnl_dim_t)ldb, (float)beta, c, (dnnl_dim_t)ldc);
  if (threads != 1) omp_set_num_threads(threads);
}

extern const ci_gemm ci_gemm_onednn;
const ci_gemm ci_gemm_onednn = {
    .id = "onednn", .help = "oneDNN's sgemm, one thread a call", .available = available, .multiply = multiply};
