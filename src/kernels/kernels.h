/* Loops over floats, compiled once for each instruction set (kernels_*.c) and chosen at run time: the rows of one
 * table. All accumulate in an order that depends on the sizes alone, so results do not depend on threads or blocks. */
#ifndef CI_KERNELS_KERNELS_H
#define CI_KERNELS_KERNELS_H
#include "formats/blocks.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CI_FEW_ROWS = 4 };
enum { CI_INT8_LONGEST = 128 * 1024 };
#define CI_INT8_STEP 7.874015718698502e-3f /* 1/127 */
typedef void ci_dot_blocks(size_t m, const float *x, size_t ldx, const uint8_t *w, size_t bytes, size_t rows, size_t n,
                           float *out, size_t ldout);

typedef struct {
  const char *id; /* "avx512_vnni", "avx512", "avx2", "portable" */
  /* sum of x[i] y[i] */
  float (*dot)(const float *x, const float *y, size_t n);
  /* out[i*ldout + r] = x[i, :] . w[r, :] for i < m <= CI_FEW_ROWS, r < rows, w in float32, half precision or bfloat16:
   * the matrix is read once */
  void (*dot_rows)(size_t m, const float *x, size_t ldx, const float *w, size_t ld, size_t rows, size_t n, float *out,
                   size_t ldout);
  void (*dot_rows_f16)(size_t m, const float *x, size_t ldx, const uint16_t *w, size_t ld, size_t rows, size_t n,
                       float *out, size_t ldout);
  void (*dot_rows_bf16)(size_t m, const float *x, size_t ldx, const uint16_t *w, size_t ld, size_t rows, size_t n,
                        float *out, size_t ldout);
  /* y[i] += a x[i] */
  void (*axpy)(float a, const float *x, float *y, size_t n);
  /* y[i] += sum_r x[r] w[r*ld + i] for r < rows, i < n */
  void (*axpy_rows)(const float *x, const float *w, size_t ld, size_t rows, size_t n, float *y);
  void (*axpy_rows_f16)(const float *x, const uint16_t *w, size_t ld, size_t rows, size_t n, float *y);
  void (*axpy_rows_bf16)(const float *x, const uint16_t *w, size_t ld, size_t rows, size_t n, float *y);
  /* c[m,n] = beta c + a[m,k] b[k,n]; a by element strides (row_stride, column_stride), b and c by rows: small matrices,
   * as attention has them, where a GEMM library's call would cost more than the work. beta is 0 or 1. */
  void (*matmul)(size_t m, size_t n, size_t k, const float *a, size_t a_row, size_t a_column, const float *b,
                 size_t ldb, float *c, size_t ldc, int beta);
  /* ci_gemm.multiply (kernels/gemm.h), for matrices of any size. */
  void (*gemm)(bool transposed, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb,
               float *c, size_t ldc, int beta);
  /* x[i] = exp(scale x[i] - shift); returns the sum (accumulated in double) */
  double (*exp_sum)(float *x, size_t n, float scale, float shift);
  float (*max)(const float *x, size_t n);
  double (*sum)(const float *x, size_t n);
  double (*sum_squares)(const float *x, size_t n, double mean); /* of x[i] - mean */
  double (*sum_products)(const float *x, const float *y, size_t n);
  /* Rows of normalisations: y = (x - mean) inverse scale + bias (bias NULL: none); the sums over i of h and h x, h = dy
   * scale; and dx (+)= inverse (h - a - (x - mean) inverse b). */
  void (*norm)(const float *x, float mean, float inverse, const float *scale, const float *bias, float *y, size_t n);
  void (*norm_sums)(const float *dy, const float *scale, const float *x, size_t n, double *sum_h, double *sum_hx);
  void (*norm_gradient)(const float *dy, const float *scale, const float *x, float mean, float inverse, float a,
                        float b, float *dx, size_t n, int accumulate);
  /* y[i] = a[i] b[i], or y[i] += a[i] b[i] */
  void (*multiply)(const float *a, const float *b, float *y, size_t n, int accumulate);
  /* Activations: y = f(x), and dx = dy f'(x). gelu_tanh is 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (Hendrycks &
   * Gimpel 2016), silu is x sigmoid(x). */
  void (*silu)(const float *x, float *y, size_t n);
  void (*silu_gradient)(const float *x, const float *dy, float *dx, size_t n);
  void (*gelu_tanh)(const float *x, float *y, size_t n);
  void (*gelu_tanh_gradient)(const float *x, const float *dy, float *dx, size_t n);
  /* y[i] = cap tanh(scale x[i] / cap) */
  void (*soft_cap)(const float *x, float *y, size_t n, float scale, float cap);
  void (*widen_f16)(const uint16_t *x, float *y, size_t n);
  void (*widen_bf16)(const uint16_t *x, float *y, size_t n);
  /* The nearest number of 16 bits, ties to even. */
  void (*narrow_f16)(const float *x, uint16_t *y, size_t n);
  void (*narrow_bf16)(const float *x, uint16_t *y, size_t n);
  /* LLM.int8() (Dettmers et al. 2022). codes[i] = round(x[i] (1 / scale 127)), halves to even, scale the largest |x[i]|
   * below the threshold (NaN: no threshold); numbers at or above it are outliers, whose codes are 0. sum: of the codes.
   * The number of outliers. The same bits in all tables. A row with NaN has the scale NaN. */
  size_t (*int8_quantize)(const float *x, size_t n, float threshold, int8_t *codes, float *scale, int32_t *sum);
  /* Where the outliers are: ascending, n at most. */
  size_t (*int8_outliers)(const float *x, size_t n, float threshold, uint32_t *at);
  /* y[i] = codes[i] scale CI_INT8_STEP, in bitsandbytes' order of operations */
  void (*int8_widen)(const int8_t *codes, float scale, float *y, size_t n);
  /* out[i*ldo + r] = sum_k x[i*ldx + k] w[r*ldw + k], exact for n <= CI_INT8_LONGEST. sums[i] = sum_k x[i*ldx + k]; x
   * is never -128. */
  void (*int8_dot)(size_t m, size_t rows, size_t n, const int8_t *x, size_t ldx, const int32_t *sums, const int8_t *w,
                   size_t ldw, int32_t *out, size_t ldo);
  /* Columns quantised into rows: top[j] = max(top[j], |x[j]|), NaN the largest of all; inverse[j] = 127 / top[j], 0
   * where that is no number; codes[j] = round(x[j] inverse[j]). */
  void (*absmax_columns)(const float *x, size_t n, float *top);
  void (*int8_inverse)(const float *top, float *inverse, size_t n);
  void (*int8_round)(const float *x, const float *inverse, size_t n, int8_t *codes);
  /* y[j*ldy + i] = x[i*ldx + j] for i < rows, j < columns */
  void (*transpose_bytes)(const int8_t *x, size_t ldx, size_t rows, size_t columns, int8_t *y, size_t ldy);
  /* For each type of blocks: to float32; and out[i*ldout + r] = x[i, :] . w[r, :] for i < m <= CI_FEW_ROWS, r < rows,
   * with w's rows `bytes` apart. n is a whole number of blocks. */
  ci_widen_blocks *widen_blocks[CI_BLOCKS];
  ci_dot_blocks *dot_blocks[CI_BLOCKS];
} ci_kernels;

/* The best table for this CPU. CINSEQ_KERNELS in the environment is not read: ask by id. NULL: not on this CPU. */
const ci_kernels *ci_kernels_best(void);
const ci_kernels *ci_kernels_named(const char *id);

#endif
