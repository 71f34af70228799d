/* float32 products on the matrix units (AMX) of x86 servers, which multiply bfloat16 16 times as fast as vectors of
 * float32 are multiplied.
 *
 * A float32 is the exact sum of three bfloat16: high + middle + low, 8 bits of its 24 each. Of the nine products of the
 * parts of two numbers the six largest are added up in float32; what is left out is below 2^-21 of the product, 2^-24
 * on the average, as much as one rounding of float32 (Henry, Tang, Heinecke, "Leveraging the bfloat16 Artificial
 * Intelligence Datatype For Higher-Precision Computations", 2019). Parts below 2^-126 count as 0 and an infinity comes
 * out as NaN.
 *
 * Weights that came from bfloat16 have one part, and take three products; float16 has two and takes five.
 *
 * Left: rows of numbers along the depth, 16 in a tile. Right: columns, of which a tile holds pairs of depths. A step is
 * 32 rows by 32 columns by 32 deep: 24 products of tiles, 4 sums. In y = x W^T, W is turned over while it is put into
 * tiles.
 *
 * The process needs the system's permission for the tiles' registers; it is asked for once, and kept. */
#include "kernels/gemm.h"
#include "kernels/amx_tiles.h"

extern const ci_gemm ci_gemm_amx, ci_gemm_vector;

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Depth and columns of the right matrix that stay in the second-level cache. Deep, since sums are read and written once a
 * block: at 128 deep that was a fifth of the time of a product. */
enum { STEP = CI_AMX_STEP, DEEP = 768, WIDE = 192, PANEL_VALUES = DEEP / STEP * CI_AMX_STEP_VALUES };

typedef struct {
  uint16_t left[PANEL_VALUES], right[WIDE / STEP * PANEL_VALUES];
} workspace;

/* 1 MB: much for the stack of somebody else's thread. */
static _Thread_local _Alignas(64) workspace room;

static bool permitted(void) {
  enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 }; /* arch/x86/include/uapi/asm/prctl.h */
  return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool usable;

static void look(void) {
  enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24 }; /* of leaf 7, EDX */
  unsigned a, b, c, d;
  bool vectors = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
  usable = vectors && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & AMX_BF16) && (d & AMX_TILE) && permitted();
}

static bool available(void) {
  return !pthread_once(&once, look) && usable;
}

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

static size_t steps_of(size_t depth) {
  return (depth + STEP - 1) / STEP;
}

/* The left matrix: as it is, or in panels of `steps` steps each, of which the product begins at the panels' own start.
 */
typedef struct {
  const float *a;
  size_t lda;
  const uint16_t *panels;
  size_t steps;
} left_side;

/* c[m,n] (+)= a[:, l..] b; at most WIDE columns, DEEP deep */
static void multiply_block(workspace *w, bool transposed, size_t m, size_t n, size_t l, size_t k, const left_side *left,
                           const float *b, size_t ldb, float *c, size_t ldc, bool add) {
  size_t parts = ci_amx_pack_right(transposed, b, ldb, n, k, w->right), steps = steps_of(k);
  for (size_t i = 0; i < m; i += STEP) {
    size_t rows = least(m - i, STEP);
    const uint16_t *panel = w->left;
    if (left->panels)
      panel = left->panels + (i / STEP * left->steps + l / STEP) * CI_AMX_STEP_VALUES;
    else
      ci_amx_pack_left(left->a + i * left->lda + l, left->lda, rows, k, w->left);
    for (size_t j = 0; j < n; j += STEP)
      ci_amx_multiply(panel, w->right + j / STEP * steps * CI_AMX_STEP_VALUES, steps, parts, rows, least(n - j, STEP),
                      c + i * ldc + j, ldc, add);
  }
}

static void multiply_all(bool transposed, size_t m, size_t n, size_t k, const left_side *left, const float *b,
                         size_t ldb, float *c, size_t ldc, int beta) {
  ci_amx_begin();
  for (size_t j = 0; j < n; j += WIDE)
    for (size_t l = 0; l < k; l += DEEP)
      multiply_block(&room, transposed, m, least(n - j, WIDE), l, least(k - l, DEEP), left,
                     b + (transposed ? j * ldb + l : l * ldb + j), ldb, c + j, ldc, beta || l > 0);
  ci_amx_end();
}

/* Below this, putting the numbers into tiles costs more than is won. */
static bool worth_it(size_t m, size_t n, size_t k) {
  enum { ROWS = 48, COLUMNS = 32, DEPTH = 32 };
  return m >= ROWS && n >= COLUMNS && k >= DEPTH;
}

static void multiply(bool transposed, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                     size_t ldb, float *c, size_t ldc, int beta) {
  const left_side left = {.a = a, .lda = lda};
  if (worth_it(m, n, k))
    multiply_all(transposed, m, n, k, &left, b, ldb, c, ldc, beta);
  else
    ci_gemm_vector.multiply(transposed, m, n, k, a, lda, b, ldb, c, ldc, beta);
}

static size_t packed_bytes(size_t k) {
  return steps_of(k) * CI_AMX_STEP_VALUES / STEP * sizeof(uint16_t);
}

static void pack(size_t m, size_t k, const float *a, size_t lda, void *packed) {
  for (size_t i = 0; i < m; i += STEP)
    ci_amx_pack_left(a + i * lda, lda, least(m - i, STEP), k,
                     (uint16_t *)packed + i / STEP * steps_of(k) * CI_AMX_STEP_VALUES);
}

static void multiply_packed(bool transposed, size_t m, size_t n, size_t k, const void *packed, size_t depth,
                            size_t first, const float *b, size_t ldb, float *c, size_t ldc, int beta) {
  const left_side left = {.panels = (const uint16_t *)packed + first / STEP * CI_AMX_STEP_VALUES,
                          .steps = steps_of(depth)};
  multiply_all(transposed, m, n, k, &left, b, ldb, c, ldc, beta);
}

const ci_gemm ci_gemm_amx = {.id = "amx",
                             .help = "float32 as three bfloat16 each on the matrix units",
                             .available = available,
                             .multiply = multiply,
                             .worth_packing = worth_it,
                             .pack_rows = STEP,
                             .pack_depth = STEP,
                             .pack_wide = WIDE,
                             .packed_bytes = packed_bytes,
                             .pack = pack,
                             .multiply_packed = multiply_packed};
#else
static bool available(void) {
  return false;
}

const ci_gemm ci_gemm_amx = {.id = "amx", .help = "matrix units of x86", .available = available};
#endif
