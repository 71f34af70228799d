/* Matrix multiplication back ends: rows of gemm.def, chosen at run time. Each is called from one thread on the part of
 * a product that belongs to it; threads are ours (compute.h). */
#ifndef CI_KERNELS_GEMM_H
#define CI_KERNELS_GEMM_H
#include <stdbool.h>
#include <stddef.h>

typedef struct {
  const char *id;
  const char *help;
  bool (*available)(void);
  const char *library; /* whose it is, and the version of that; NULL: ours */
  void (*version)(char text[32]);
  /* c[m,n] = beta c + a[m,k] b, row-major with leading dimensions; b is [k,n], or [n,k] when transposed. beta is 0
   * or 1. */
  void (*multiply)(bool transposed, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                   size_t ldb, float *c, size_t ldc, int beta);
  /* A back end that puts numbers into an order of its own does so with a once for all parts of a product that is worth
   * it; without pack there is none. a is packed in groups of pack_rows rows, which follow each other, packed_bytes(k) a
   * row, 64-byte aligned. */
  bool (*worth_packing)(size_t m, size_t n, size_t k);
  size_t pack_rows, pack_depth, pack_wide; /* pack_wide: columns of b that a part should have */
  size_t (*packed_bytes)(size_t k);
  void (*pack)(size_t m, size_t k, const float *a, size_t lda, void *packed);
  /* multiply over the depths [first, first + k) of what was packed with `depth` of them; first: a multiple of
   * pack_depth */
  void (*multiply_packed)(bool transposed, size_t m, size_t n, size_t k, const void *packed, size_t depth, size_t first,
                          const float *b, size_t ldb, float *c, size_t ldc, int beta);
} ci_gemm;

/* The table's rows by index; NULL past the end. */
const ci_gemm *ci_gemm_at(size_t index);
/* NULL: no such back end here. "auto" is the first available row. */
const ci_gemm *ci_gemm_named(const char *id);

#endif
