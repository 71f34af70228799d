/* The one source of the kernels, included by kernels_portable.c, kernels_avx2.c and kernels_avx512.c, which differ in
 * the compiler's target flags, in KERNELS_LANES (floats in a vector) and in KERNELS_TABLE (the table's name). Written
 * with the compilers' vector extension, so the three are the same arithmetic; FMA is used where the target has it. */
#include "kernels/kernels.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { LANES = KERNELS_LANES };
typedef float vf __attribute__((vector_size(4 * KERNELS_LANES)));
typedef int32_t vi __attribute__((vector_size(4 * KERNELS_LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * KERNELS_LANES)));

static inline vf load(const float *p) {
  vf v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline void store(float *p, vf v) {
  memcpy(p, &v, sizeof v);
}

static inline vf splat(float x) {
  return x - (vf){0};
}

/* In halves: one addition after another would take longer than a short row. */
static inline float lanes_sum(vf v) {
  typedef float half_vector __attribute__((vector_size(2 * KERNELS_LANES)));
  half_vector low, high;
  memcpy(&low, &v, sizeof low);
  memcpy(&high, (const char *)&v + sizeof low, sizeof high);
  low += high;
#if KERNELS_LANES > 4
  typedef float quarter_vector __attribute__((vector_size(KERNELS_LANES)));
  quarter_vector first, second;
  memcpy(&first, &low, sizeof first);
  memcpy(&second, (const char *)&low + sizeof first, sizeof second);
  first += second;
#else
  half_vector first = low;
#endif
#if KERNELS_LANES > 8
  return (first[0] + first[2]) + (first[1] + first[3]);
#else
  return first[0] + first[1];
#endif
}

static float dot(const float *x, const float *y, size_t n) {
  vf a = {0}, b = {0}, c = {0}, d = {0};
  size_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    a += load(x + i) * load(y + i);
    b += load(x + i + LANES) * load(y + i + LANES);
    c += load(x + i + 2 * LANES) * load(y + i + 2 * LANES);
    d += load(x + i + 3 * LANES) * load(y + i + 3 * LANES);
  }
  for (; i + LANES <= n; i += LANES) a += load(x + i) * load(y + i);
  float s = lanes_sum((a + b) + (c + d));
  for (; i < n; i++) s += x[i] * y[i];
  return s;
}

/* IEEE half to float without hardware: the exponent is moved by a multiplication, which also handles subnormals. */
static inline float half_to_float(uint16_t h) {
  uint32_t magnitude = (uint32_t)(h & 0x7fffu) << 13, sign = (uint32_t)(h & 0x8000u) << 16, bits;
  float f;
  memcpy(&f, &magnitude, 4);
  f *= 0x1p112f;
  memcpy(&bits, &f, 4);
  if (f >= 65536.0f) bits = magnitude | 0x7f800000u;
  bits |= sign;
  memcpy(&f, &bits, 4);
  return f;
}

#if defined(__F16C__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

#if KERNELS_LANES == 4
/* Four shorts, or bytes, each in the lower part of a lane, with what every vector unit has. They come as words: a
 * vector that is put together in memory is waited for. */
static inline vi spread_shorts(uint64_t word) {
  typedef uint64_t v2 __attribute__((vector_size(16)));
  typedef uint16_t v8 __attribute__((vector_size(16)));
  return (vi)__builtin_shufflevector((v8)(v2){word, 0}, (v8){0}, 0, 8, 1, 9, 2, 10, 3, 11);
}

static inline vi load_shorts(const uint16_t *p) {
  uint64_t word;
  memcpy(&word, p, sizeof word);
  return spread_shorts(word);
}

static inline vi spread_bytes(uint32_t word) {
  typedef uint32_t v4 __attribute__((vector_size(16)));
  typedef uint8_t v16 __attribute__((vector_size(16)));
  typedef uint64_t v2 __attribute__((vector_size(16)));
  v16 b = __builtin_shufflevector((v16)(v4){word, 0, 0, 0}, (v16){0}, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22,
                                  7, 23);
  return spread_shorts(((v2)b)[0]);
}
#endif

static inline vf load_half(const uint16_t *p) {
#if KERNELS_LANES == 16 && defined(__AVX512F__)
  __m256i h;
  memcpy(&h, p, sizeof h);
  return (vf)_mm512_cvtph_ps(h);
#elif KERNELS_LANES == 8 && defined(__F16C__)
  __m128i h;
  memcpy(&h, p, sizeof h);
  return (vf)_mm256_cvtph_ps(h);
#else
  vi bits = load_shorts(p), magnitude = (bits & 0x7fff) << 13; /* as half_to_float */
  vf f = (vf)magnitude * splat(0x1p112f);
  vi large = f >= splat(65536.0f);
  return (vf)(((vi)f & ~large) | ((magnitude | 0x7f800000) & large) | (bits & 0x8000) << 16);
#endif
}

static inline vf load_bfloat(const uint16_t *p) {
#if KERNELS_LANES == 16 && defined(__AVX512F__)
  __m256i b;
  memcpy(&b, p, sizeof b);
  return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16);
#elif KERNELS_LANES == 8 && defined(__AVX2__)
  __m128i b;
  memcpy(&b, p, sizeof b);
  return (vf)_mm256_slli_epi32(_mm256_cvtepu16_epi32(b), 16);
#else
  return (vf)(load_shorts(p) << 16);
#endif
}

static inline float bfloat_to_float(uint16_t h) {
  uint32_t bits = (uint32_t)h << 16;
  float f;
  memcpy(&f, &bits, 4);
  return f;
}

static inline vf load_f32_at(const void *p) {
  return load(p);
}
static inline vf load_f16_at(const void *p) {
  return load_half(p);
}
static inline vf load_bf16_at(const void *p) {
  return load_bfloat(p);
}
static inline float f32_at(const void *p) {
  return *(const float *)p;
}
static inline float f16_at(const void *p) {
  return half_to_float(*(const uint16_t *)p);
}
static inline float bf16_at(const void *p) {
  return bfloat_to_float(*(const uint16_t *)p);
}

#define INLINE static inline __attribute__((always_inline))

/* A matrix is read as STREAMS rows side by side, each from a quarter of it: the processor fetches ahead along several
 * streams faster than along one (docs/benchmarks.md). With more rows of x there are as many fewer, for want of
 * registers. Where rows do not divide, streams overlap, and a row comes out twice. */
enum { STREAMS = LANES > 4 ? 4 : 1, FETCH_AHEAD = 2048 /* bytes */ };

INLINE size_t stream_start(size_t stream, size_t length, size_t rows) {
  return stream * length < rows - length ? stream * length : rows - length;
}

/* out[r*ldout + o] = x[r, :] . w[o, :] for r < m, o < rows, w's numbers of `size` bytes; m and streams are constants.
 */
INLINE void dot_numbers(size_t m, size_t streams, const float *x, size_t ldx, const char *w, size_t size, size_t ld,
                        size_t rows, size_t n, float *out, size_t ldout, vf (*load_row)(const void *),
                        float (*widen)(const void *)) {
  size_t length = (rows + streams - 1) / streams;
  for (size_t o = 0; o < length; o++) {
    const char *row[STREAMS];
    vf a[STREAMS][CI_FEW_ROWS], b[STREAMS][CI_FEW_ROWS];
    for (size_t s = 0; s < streams; s++) {
      row[s] = w + (stream_start(s, length, rows) + o) * ld * size;
      for (size_t r = 0; r < m; r++) a[s][r] = b[s][r] = (vf){0};
    }
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
      for (size_t s = 0; s < streams; s++) {
        const char *p = row[s] + i * size;
        for (size_t line = 0; line < 2 * LANES * size; line += 64) __builtin_prefetch(p + FETCH_AHEAD + line);
        vf u = load_row(p), v = load_row(p + LANES * size);
        for (size_t r = 0; r < m; r++) {
          a[s][r] += load(x + r * ldx + i) * u;
          b[s][r] += load(x + r * ldx + i + LANES) * v;
        }
      }
    for (size_t s = 0; s < streams; s++)
      for (size_t r = 0; r < m; r++) {
        float sum = lanes_sum(a[s][r] + b[s][r]);
        for (size_t k = i; k < n; k++) sum += x[r * ldx + k] * widen(row[s] + k * size);
        out[r * ldout + stream_start(s, length, rows) + o] = sum;
      }
  }
}

INLINE void dot_few(size_t m, const float *x, size_t ldx, const void *w, size_t size, size_t ld, size_t rows, size_t n,
                    float *out, size_t ldout, vf (*load_row)(const void *), float (*widen)(const void *)) {
  if (m == 1) dot_numbers(1, STREAMS, x, ldx, w, size, ld, rows, n, out, ldout, load_row, widen);
  if (m == 2) dot_numbers(2, (STREAMS + 1) / 2, x, ldx, w, size, ld, rows, n, out, ldout, load_row, widen);
  if (m == 3) dot_numbers(3, 1, x, ldx, w, size, ld, rows, n, out, ldout, load_row, widen);
  if (m == 4) dot_numbers(4, 1, x, ldx, w, size, ld, rows, n, out, ldout, load_row, widen);
}

static void dot_rows(size_t m, const float *x, size_t ldx, const float *w, size_t ld, size_t rows, size_t n, float *out,
                     size_t ldout) {
  dot_few(m, x, ldx, w, sizeof *w, ld, rows, n, out, ldout, load_f32_at, f32_at);
}

static void dot_rows_f16(size_t m, const float *x, size_t ldx, const uint16_t *w, size_t ld, size_t rows, size_t n,
                         float *out, size_t ldout) {
  dot_few(m, x, ldx, w, sizeof *w, ld, rows, n, out, ldout, load_f16_at, f16_at);
}

static void dot_rows_bf16(size_t m, const float *x, size_t ldx, const uint16_t *w, size_t ld, size_t rows, size_t n,
                          float *out, size_t ldout) {
  dot_few(m, x, ldx, w, sizeof *w, ld, rows, n, out, ldout, load_bf16_at, bf16_at);
}

static inline vf floats(vi v) {
  return __builtin_convertvector(v, vf);
}

static inline vi splat_int(int32_t x) {
  return x - (vi){0};
}

/* LANES bytes as integers: gcc 12 makes scalar code of a conversion over two steps of width. */
static inline vi load_bytes(const uint8_t *p) {
#if KERNELS_LANES == 16 && defined(__AVX512F__)
  __m128i b;
  memcpy(&b, p, sizeof b);
  return (vi)_mm512_cvtepu8_epi32(b);
#elif KERNELS_LANES == 8 && defined(__AVX2__)
  __m128i b = _mm_loadu_si64(p);
  return (vi)_mm256_cvtepu8_epi32(b);
#else
  uint32_t word;
  memcpy(&word, p, sizeof word);
  return spread_bytes(word);
#endif
}

/* The same of bytes [first, first + LANES) of two words in registers: through memory it would take the time that two
 * stores take to arrive. */
static inline vi bytes_of(const uint64_t words[2], int first) {
#if KERNELS_LANES == 16 && defined(__AVX512F__)
  (void)first;
  return (vi)_mm512_cvtepu8_epi32(_mm_set_epi64x((long long)words[1], (long long)words[0]));
#elif KERNELS_LANES == 8 && defined(__AVX2__)
  return (vi)_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)words[first / 8]));
#else
  return spread_bytes((uint32_t)(words[first / 8] >> first % 8 * 8));
#endif
}

static inline vi load_signed(const uint8_t *p) {
#if KERNELS_LANES == 16 && defined(__AVX512F__)
  __m128i b;
  memcpy(&b, p, sizeof b);
  return (vi)_mm512_cvtepi8_epi32(b);
#elif KERNELS_LANES == 8 && defined(__AVX2__)
  __m128i b = _mm_loadu_si64(p);
  return (vi)_mm256_cvtepi8_epi32(b);
#else
  return load_bytes(p) << 24 >> 24;
#endif
}

static inline float half_at(const uint8_t *p) {
  uint16_t h;
  memcpy(&h, p, sizeof h);
#if defined(__F16C__)
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
#else
  return half_to_float(h);
#endif
}

static inline vf splat_half(const uint8_t *p) {
#if KERNELS_LANES == 16 && defined(__AVX512F__)
  int16_t h;
  memcpy(&h, p, sizeof h);
  return (vf)_mm512_cvtph_ps(_mm256_set1_epi16(h));
#else
  return splat(half_at(p));
#endif
}

/* values[code & 15] of each lane */
static inline vi pick_byte(const int8_t *values, vi code) {
#if KERNELS_LANES == 8 && defined(__AVX2__)
  __m128i table;
  memcpy(&table, values, sizeof table);
  vi index = (code & 15) | (vi)splat_int((int32_t)0x80808000u); /* the other bytes become 0 */
  vi v = (vi)_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), (__m256i)index);
  return v << 24 >> 24;
#elif KERNELS_LANES == 4
  return (vi){values[code[0] & 15], values[code[1] & 15], values[code[2] & 15], values[code[3] & 15]};
#else
  vi v;
  for (int i = 0; i < LANES; i++) v[i] = values[code[i] & 15];
  return v;
#endif
}

/* Integers that are not negative, `by` bits down. */
static inline vi shifted(vi v, int by) {
  return by ? v >> by : v;
}

/* Bit `from` becomes bit `to`; the others move along. */
static inline vi placed(vi v, int from, int to) {
  return from > to ? v >> (from - to) : from < to ? v << (to - from) : v;
}

/* The first half of a, the second of b. */
static inline vf halves(vf a, vf b) {
  vi first;
  for (int i = 0; i < LANES; i++) first[i] = i < LANES / 2 ? -1 : 0;
  return (vf)(((vi)a & first) | ((vi)b & ~first));
}

/* Bits [first, first + LANES) of the word, one a lane, at bit 4. */
static inline vi fifth_bits(uint32_t word, int first) {
#if KERNELS_LANES == 4
  return (((int32_t)(word >> first) & (vi){1, 2, 4, 8}) != 0) & 16;
#else
  vu lane;
  for (uint32_t i = 0; i < LANES; i++) lane[i] = i;
  word = first ? word >> (first - 4) : word << 4;
  return (vi)((vu)splat_int((int32_t)word) >> lane) & 16;
#endif
}

static void axpy(float a, const float *x, float *y, size_t n) {
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, load(y + i) + splat(a) * load(x + i));
  for (; i < n; i++) y[i] += a * x[i];
}

/* The same for floats and for two bytes a value; load and widen are inlined. */
static inline __attribute__((always_inline)) void axpy_rows_of(const float *x, const char *w, size_t size, size_t ld,
                                                               size_t rows, size_t n, float *y,
                                                               vf (*load_row)(const void *),
                                                               float (*widen)(const void *)) {
  size_t r = 0;
  for (; r + 8 <= rows; r += 8) {
    const char *p = w + r * ld * size;
    vf a[8];
    for (int j = 0; j < 8; j++) a[j] = splat(x[r + (size_t)j]);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
      vf u = load(y + i), v = {0};
      for (size_t j = 0; j < 8; j += 2) {
        u += a[j] * load_row(p + (j * ld + i) * size);
        v += a[j + 1] * load_row(p + ((j + 1) * ld + i) * size);
      }
      store(y + i, u + v);
    }
    for (; i < n; i++)
      for (size_t j = 0; j < 8; j++) y[i] += x[r + j] * widen(p + (j * ld + i) * size);
  }
  for (; r < rows; r++) {
    const char *p = w + r * ld * size;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) store(y + i, load(y + i) + splat(x[r]) * load_row(p + i * size));
    for (; i < n; i++) y[i] += x[r] * widen(p + i * size);
  }
}

static void axpy_rows(const float *x, const float *w, size_t ld, size_t rows, size_t n, float *y) {
  axpy_rows_of(x, (const char *)w, 4, ld, rows, n, y, load_f32_at, f32_at);
}

static void axpy_rows_f16(const float *x, const uint16_t *w, size_t ld, size_t rows, size_t n, float *y) {
  axpy_rows_of(x, (const char *)w, 2, ld, rows, n, y, load_f16_at, f16_at);
}

static void axpy_rows_bf16(const float *x, const uint16_t *w, size_t ld, size_t rows, size_t n, float *y) {
  axpy_rows_of(x, (const char *)w, 2, ld, rows, n, y, load_bf16_at, bf16_at);
}

/* One tile of 4 rows by up to 4 vectors: sums stay in registers over k. */
static inline __attribute__((always_inline)) void tile(size_t rows, size_t vectors, size_t k, const float *a,
                                                       size_t a_row, size_t a_column, const float *b, size_t ldb,
                                                       float *c, size_t ldc, int beta) {
  vf s[4][4];
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < vectors; j++) s[i][j] = beta ? load(c + i * ldc + j * LANES) : (vf){0};
  for (size_t l = 0; l < k; l++) {
    vf v[4];
    for (size_t j = 0; j < vectors; j++) v[j] = load(b + l * ldb + j * LANES);
    for (size_t i = 0; i < rows; i++) {
      vf x = splat(a[i * a_row + l * a_column]);
      for (size_t j = 0; j < vectors; j++) s[i][j] += x * v[j];
    }
  }
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < vectors; j++) store(c + i * ldc + j * LANES, s[i][j]);
}

static inline __attribute__((always_inline)) void tile_rows(size_t m, size_t vectors, size_t k, const float *a,
                                                            size_t a_row, size_t a_column, const float *b, size_t ldb,
                                                            float *c, size_t ldc, int beta) {
  size_t i = 0;
  for (; i + 4 <= m; i += 4) tile(4, vectors, k, a + i * a_row, a_row, a_column, b, ldb, c + i * ldc, ldc, beta);
  for (; i < m; i++) tile(1, vectors, k, a + i * a_row, a_row, a_column, b, ldb, c + i * ldc, ldc, beta);
}

/* n < LANES columns: against a copy of b that is padded to a vector, made for all rows; out of a copy of c. */
static void last_columns(size_t m, size_t n, size_t k, const float *a, size_t a_row, size_t a_column, const float *b,
                         size_t ldb, float *c, size_t ldc, int beta) {
  enum { DEPTH = 128, ROWS = 32 };
  float wide[DEPTH * LANES], sums[ROWS * LANES];
  for (size_t l = 0; l < k || l == 0; l += DEPTH) {
    size_t depth = k - l < DEPTH ? k - l : DEPTH;
    for (size_t r = 0; r < depth; r++)
      for (size_t q = 0; q < LANES; q++) wide[r * LANES + q] = q < n ? b[(l + r) * ldb + q] : 0;
    for (size_t i = 0; i < m; i += ROWS) {
      size_t rows = m - i < ROWS ? m - i : ROWS;
      tile_rows(rows, 1, depth, a + i * a_row + l * a_column, a_row, a_column, wide, LANES, sums, LANES, 0);
      for (size_t r = 0; r < rows; r++)
        for (size_t q = 0; q < n; q++) {
          float *out = c + (i + r) * ldc + q;
          *out = (beta || l > 0 ? *out : 0) + sums[r * LANES + q];
        }
    }
  }
}

static void matmul(size_t m, size_t n, size_t k, const float *a, size_t a_row, size_t a_column, const float *b,
                   size_t ldb, float *c, size_t ldc, int beta) {
  size_t j = 0;
  for (; j + 4 * LANES <= n; j += 4 * LANES) tile_rows(m, 4, k, a, a_row, a_column, b + j, ldb, c + j, ldc, beta);
  for (; j + 2 * LANES <= n; j += 2 * LANES) tile_rows(m, 2, k, a, a_row, a_column, b + j, ldb, c + j, ldc, beta);
  for (; j + LANES <= n; j += LANES) tile_rows(m, 1, k, a, a_row, a_column, b + j, ldb, c + j, ldc, beta);
  if (j < n) last_columns(m, n - j, k, a, a_row, a_column, b + j, ldb, c + j, ldc, beta);
}

#include "kernels/gemm_body.h"

#include "kernels/functions_body.h"

static void widen_f16(const uint16_t *x, float *y, size_t n) {
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, load_half(x + i));
  for (; i < n; i++) y[i] = half_to_float(x[i]);
}

static void widen_bf16(const uint16_t *x, float *y, size_t n) {
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, load_bfloat(x + i));
  for (; i < n; i++) y[i] = bfloat_to_float(x[i]);
}

#include "kernels/int8_body.h"

#include "kernels/blocks_body.h"

extern const ci_kernels KERNELS_TABLE;
const ci_kernels KERNELS_TABLE = {
    .id = KERNELS_ID,
    .dot = dot,
    .dot_rows = dot_rows,
    .dot_rows_f16 = dot_rows_f16,
    .dot_rows_bf16 = dot_rows_bf16,
    .axpy = axpy,
    .axpy_rows = axpy_rows,
    .axpy_rows_f16 = axpy_rows_f16,
    .axpy_rows_bf16 = axpy_rows_bf16,
    .matmul = matmul,
    .gemm = gemm,
    .exp_sum = exp_sum,
    .max = maximum,
    .sum = sum,
    .sum_squares = sum_squares,
    .sum_products = sum_products,
    .norm = norm,
    .norm_sums = norm_sums,
    .norm_gradient = norm_gradient,
    .multiply = multiply,
    .silu = silu,
    .silu_gradient = silu_gradient,
    .gelu_tanh = gelu_tanh,
    .gelu_tanh_gradient = gelu_tanh_gradient,
    .soft_cap = soft_cap,
    .widen_f16 = widen_f16,
    .widen_bf16 = widen_bf16,
    .narrow_f16 = narrow_f16,
    .narrow_bf16 = narrow_bf16,
    .int8_quantize = int8_quantize,
    .int8_outliers = int8_outliers,
    .int8_widen = int8_widen,
    .int8_dot = int8_dot,
    .absmax_columns = absmax_columns,
    .int8_inverse = int8_inverse,
    .int8_round = int8_round,
    .transpose_bytes = transpose_bytes,
#define CI_BLOCK(member, type, name, id, elements, bytes)                                                              \
  .widen_blocks[CI_BLOCK_##member] = widen_blocks_##member, .dot_blocks[CI_BLOCK_##member] = dot_blocks_##member,
#include "formats/blocks.def"
#undef CI_BLOCK
};
