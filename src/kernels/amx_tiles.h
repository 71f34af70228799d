/* Numbers in tiles for the matrix units of x86 servers (AMX), and their products. See gemm_amx.c. Only for a CPU that
 * has them, once the system has permitted their use.
 *
 * A panel is 32 rows of a left matrix, or 32 columns of a right one, in steps of 32 along the depth; what is not there
 * is 0. */
#ifndef CI_KERNELS_AMX_TILES_H
#define CI_KERNELS_AMX_TILES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CI_AMX_STEP = 32, CI_AMX_STEP_VALUES = 3 * CI_AMX_STEP * CI_AMX_STEP };

/* Before and after products on a thread. */
void ci_amx_begin(void);
void ci_amx_end(void);

/* a[rows, depth], rows <= 32; panels: CI_AMX_STEP_VALUES for each step, 64-byte aligned */
void ci_amx_pack_left(const float *a, size_t lda, size_t rows, size_t depth, uint16_t *panel);
/* b[depth, columns], or [columns, depth] when transposed, into one panel after the other. How many parts its numbers
 * have: 1 of bfloat16, 2 of float16, 3 of float32. */
size_t ci_amx_pack_right(bool transposed, const float *b, size_t ldb, size_t columns, size_t depth, uint16_t *panels);
/* c[rows, columns] (+)= left right over `steps` steps, of which right has that many parts; rows, columns <= 32 */
void ci_amx_multiply(const uint16_t *left, const uint16_t *right, size_t steps, size_t parts, size_t rows,
                     size_t columns, float *c, size_t ldc, bool add);

#endif
