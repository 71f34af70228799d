/* See amx_tiles.h. Built with the flags of AMX and AVX-512 (CMakeLists.txt). */
#if defined(__x86_64__)
#include "kernels/amx_tiles.h"
#include <immintrin.h>
#include <string.h>

enum { LANES = 16, STEP = CI_AMX_STEP, PARTS = 3, TILE = LANES * STEP, STEP_VALUES = CI_AMX_STEP_VALUES };

static __mmask16 first_lanes(size_t count) {
  return (__mmask16)(count >= LANES ? 0xffffu : (1u << count) - 1);
}

/* Takes the high 8 bits of each number away from it. */
static inline __m512i take_high(__m512 *x) {
  __m512i high = _mm512_and_si512(_mm512_castps_si512(*x), _mm512_set1_epi32((int)0xffff0000u));
  *x = _mm512_sub_ps(*x, _mm512_castsi512_ps(high));
  return high;
}

/* parts[] of STEP numbers of one row, in order; count of them are there. */
static inline void split_row(const float *row, size_t count, __m512i parts[PARTS]) {
  const __m512i odd =
      _mm512_add_epi16(_mm512_set1_epi16(1),
                       _mm512_slli_epi16(_mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17,
                                                          16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                                         1));
  __m512 x = _mm512_maskz_loadu_ps(first_lanes(count), row);
  __m512 y = count > LANES ? _mm512_maskz_loadu_ps(first_lanes(count - LANES), row + LANES) : _mm512_setzero_ps();
  for (int p = 0; p < PARTS; p++) {
    __m512i high = take_high(&x);
    parts[p] = _mm512_permutex2var_epi16(high, odd, take_high(&y));
  }
}

void ci_amx_pack_left(const float *a, size_t lda, size_t rows, size_t depth, uint16_t *panel) {
  for (size_t k = 0; k < depth; k += STEP, panel += STEP_VALUES)
    for (size_t r = 0; r < STEP; r++) {
      uint16_t *to = panel + r / LANES * TILE + r % LANES * STEP;
      __m512i parts[PARTS] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
      if (r < rows) split_row(a + r * lda + k, depth - k, parts);
      for (int p = 0; p < PARTS; p++) _mm512_store_si512(to + p * 2 * TILE, parts[p]);
    }
}

/* How many parts there are: whole[p] has the bits of all values of part p. */
static size_t parts_of(const __m512i whole[PARTS]) {
  size_t parts = PARTS;
  while (parts > 1 && !_mm512_test_epi32_mask(whole[parts - 1], whole[parts - 1])) parts--;
  return parts;
}

static size_t steps_of(size_t depth) {
  return (depth + STEP - 1) / STEP;
}

/* Rows of weights are far apart, so that the processor does not see by itself what comes next: two lines of what is
 * read soon. Reading past the end of the weights is no fault here. */
static inline void fetch(const float *next) {
  _mm_prefetch((const char *)next, _MM_HINT_T0);
  _mm_prefetch((const char *)(next + LANES), _MM_HINT_T0);
}

/* of b[depth, columns]: pairs of rows from one end to the other, as they lie in memory, while the rows AHEAD of them are
 * fetched */
static size_t pack_columns(const float *b, size_t ldb, size_t columns, size_t depth, uint16_t *panels) {
  enum { AHEAD = 16 };
  __m512i whole[PARTS] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
  for (size_t k = 0; k < steps_of(depth) * STEP; k += 2) {
    uint16_t *to = panels + k / STEP * STEP_VALUES + k % STEP * LANES;
    for (size_t j = 0; j < columns; j += STEP, to += steps_of(depth) * STEP_VALUES) {
      fetch(b + (k + AHEAD) * ldb + j);
      fetch(b + (k + 1 + AHEAD) * ldb + j);
      for (size_t half = 0; half < 2; half++) {
        size_t column = j + half * LANES;
        __mmask16 some = column < columns ? first_lanes(columns - column) : 0;
        __m512 x = _mm512_maskz_loadu_ps(k < depth ? some : 0, b + k * ldb + column);
        __m512 y = _mm512_maskz_loadu_ps(k + 1 < depth ? some : 0, b + (k + 1) * ldb + column);
        for (int p = 0; p < PARTS; p++) {
          __m512i low = _mm512_srli_epi32(take_high(&x), 16), pair = _mm512_or_si512(take_high(&y), low);
          whole[p] = _mm512_or_si512(whole[p], pair);
          _mm512_store_si512(to + p * 2 * TILE + half * TILE, pair);
        }
      }
    }
  }
  return parts_of(whole);
}

/* rows[i] lane j becomes rows[j] lane i, of 16 x 16 numbers of 32 bits. */
static inline void transpose(__m512i rows[LANES]) {
  __m512i a[LANES], b[LANES];
  for (int i = 0; i < LANES; i += 2) {
    a[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < LANES; i += 4)
    for (int j = 0; j < 2; j++) {
      b[i + 2 * j] = _mm512_unpacklo_epi64(a[i + j], a[i + j + 2]);
      b[i + 2 * j + 1] = _mm512_unpackhi_epi64(a[i + j], a[i + j + 2]);
    }
  for (int i = 0; i < LANES; i += 8)
    for (int j = 0; j < 4; j++) {
      a[i + j] = _mm512_shuffle_i32x4(b[i + j], b[i + j + 4], 0x88);
      a[i + j + 4] = _mm512_shuffle_i32x4(b[i + j], b[i + j + 4], 0xdd);
    }
  for (int j = 0; j < 8; j++) {
    rows[j] = _mm512_shuffle_i32x4(a[j], a[j + 8], 0x88);
    rows[j + 8] = _mm512_shuffle_i32x4(a[j], a[j + 8], 0xdd);
  }
}

/* of b[columns, depth], a step of up to STEP columns; whole: see parts_of */
static void pack_rows_step(const float *b, size_t ldb, size_t columns, size_t depth, uint16_t *to,
                           __m512i whole[PARTS]) {
  for (size_t half = 0; half < 2; half++, to += TILE) {
    __m512i tile[PARTS][LANES], parts[PARTS];
    for (size_t i = 0; i < LANES; i++) {
      size_t column = half * LANES + i;
      for (int p = 0; p < PARTS; p++) parts[p] = _mm512_setzero_si512();
      if (column < columns) {
        split_row(b + column * ldb, depth, parts);
        fetch(b + (column + STEP) * ldb);
      }
      for (int p = 0; p < PARTS; p++) tile[p][i] = parts[p], whole[p] = _mm512_or_si512(whole[p], parts[p]);
    }
    for (int p = 0; p < PARTS; p++) {
      transpose(tile[p]);
      for (size_t i = 0; i < LANES; i++) _mm512_store_si512(to + (size_t)p * 2 * TILE + i * STEP, tile[p][i]);
    }
  }
}

/* of b[columns, depth] */
static size_t pack_rows(const float *b, size_t ldb, size_t columns, size_t depth, uint16_t *panels) {
  __m512i whole[PARTS] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
  for (size_t j = 0; j < columns; j += STEP)
    for (size_t k = 0; k < depth; k += STEP, panels += STEP_VALUES)
      pack_rows_step(b + j * ldb + k, ldb, columns - j, depth - k, panels, whole);
  return parts_of(whole);
}

size_t ci_amx_pack_right(bool transposed, const float *b, size_t ldb, size_t columns, size_t depth, uint16_t *panels) {
  return (transposed ? pack_rows : pack_columns)(b, ldb, columns, depth, panels);
}

enum { HIGH = 0, MIDDLE = 2 * TILE, LOW = 4 * TILE };

/* Numbers of registers must be constants: sums 0 to 3, left 4 and 5, right 6 and 7. */
static inline void load_left(const uint16_t *tiles) {
  _tile_loadd(4, tiles, 64);
  _tile_loadd(5, tiles + TILE, 64);
}
static inline void load_right(const uint16_t *tiles) {
  _tile_loadd(6, tiles, 64);
  _tile_loadd(7, tiles + TILE, 64);
}

/* Two tiles of the next step into the first-level cache: while tiles multiply, which is when nothing else is read. */
static inline void fetch_tiles(const uint16_t *tiles) {
  for (int line = 0; line < 2 * LANES; line++) _mm_prefetch((const char *)(tiles + line * STEP), _MM_HINT_T0);
}
static inline void add_products(void) {
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(1, 4, 7);
  _tile_dpbf16ps(2, 5, 6);
  _tile_dpbf16ps(3, 5, 7);
}

/* c[STEP, STEP] (+)= left right over `steps` steps of two panels; the order loads the fewest tiles. */
static void multiply_panels(const uint16_t *left, const uint16_t *right, size_t steps, size_t parts, float *c,
                            size_t ldc, bool add) {
  size_t stride = ldc * sizeof *c;
  __asm__ volatile(""
                   :
                   : "r"(left), "r"(right), "r"(c)
                   : "memory"); /* gcc 12 does not know that tiles are loaded from memory */
  if (add) {
    _tile_loadd(0, c, stride);
    _tile_loadd(1, c + LANES, stride);
    _tile_loadd(2, c + LANES * ldc, stride);
    _tile_loadd(3, c + LANES * ldc + LANES, stride);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (size_t s = 0; s < steps; s++) {
    const uint16_t *l = left, *r = right;
    left += STEP_VALUES, right += STEP_VALUES;
    if (parts > 1) {
      load_left(l + HIGH);
      if (parts > 2) {
        load_right(r + LOW);
        add_products();
        fetch_tiles(right + LOW);
      }
      load_right(r + MIDDLE);
      add_products();
      fetch_tiles(right + MIDDLE);
    }
    load_left(l + MIDDLE);
    if (parts > 1) add_products();
    fetch_tiles(left + MIDDLE);
    load_right(r + HIGH);
    add_products();
    fetch_tiles(right + HIGH);
    load_left(l + LOW);
    add_products();
    fetch_tiles(left + LOW);
    load_left(l + HIGH);
    add_products();
    fetch_tiles(left + HIGH);
  }
  _tile_stored(0, c, stride);
  _tile_stored(1, c + LANES, stride);
  _tile_stored(2, c + LANES * ldc, stride);
  _tile_stored(3, c + LANES * ldc + LANES, stride);
}

/* At an edge of c, where fewer are there, through a copy: the same sums in the same order. */
static void multiply_edge(const uint16_t *left, const uint16_t *right, size_t steps, size_t parts, size_t rows,
                          size_t columns, float *c, size_t ldc, bool add) {
  _Alignas(64) float copy[STEP * STEP] = {0};
  for (size_t i = 0; add && i < rows; i++) memcpy(copy + i * STEP, c + i * ldc, columns * sizeof *c);
  multiply_panels(left, right, steps, parts, copy, STEP, add);
  for (size_t i = 0; i < rows; i++) memcpy(c + i * ldc, copy + i * STEP, columns * sizeof *c);
}

void ci_amx_multiply(const uint16_t *left, const uint16_t *right, size_t steps, size_t parts, size_t rows,
                     size_t columns, float *c, size_t ldc, bool add) {
  if (rows == STEP && columns == STEP)
    multiply_panels(left, right, steps, parts, c, ldc, add);
  else
    multiply_edge(left, right, steps, parts, rows, columns, c, ldc, add);
}

void ci_amx_begin(void) {
  static const struct {
    uint8_t palette, start, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } all_whole = {1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
  _tile_loadconfig(&all_whole);
}

void ci_amx_end(void) {
  _tile_release();
}

#else
typedef int ci_amx_none; /* a file must hold something */
#endif
