/* Matrix products of any size on one thread, part of kernels_body.h.
 *
 * A tile of c, TILE_ROWS rows by VECTORS vectors, stays in registers while the depth goes by; a step takes one number
 * of each row of a and a few vectors of a row of b. Once there are many rows, and always for b transposed, b comes out
 * of a copy in the order in which it is read, which stays in the second-level cache (Goto, van de Geijn, "Anatomy of
 * High-Performance Matrix Multiplication", 2008). */

enum {
  TILE_ROWS = LANES > 8 ? 8 : 4,
  VECTORS = 3,
  TILE_COLUMNS = VECTORS * LANES,
  HALF_ROWS = TILE_ROWS / 2, /* a tile of so few rows is twice as wide */
  FETCH_ROWS = 16,           /* of b, ahead */
  DEPTH = 256,
  COPY_COLUMNS = 288, /* whole tiles; DEPTH times as many floats are the copy */
  MANY_ROWS = 17,     /* from where on a copy of b pays, if it is not */
  SMALL = 16 * 1024,  /* floats, which all are in the first-level cache */
};

/* c[rows, vectors LANES] (+)= a b; rows and vectors are constants. */
INLINE void outer_tile(size_t rows, size_t vectors, size_t k, const float *a, size_t lda, const float *b, size_t ldb,
                       float *c, size_t ldc, int add) {
  vf s[TILE_ROWS][2 * VECTORS];
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 8
    for (size_t j = 0; j < vectors; j++) s[i][j] = (vf){0};
  for (size_t l = 0; l < k; l++) {
    vf v[2 * VECTORS];
#pragma GCC unroll 8
    for (size_t j = 0; j < vectors; j++) {
      v[j] = load(b + l * ldb + j * LANES);
      __builtin_prefetch(b + (l + FETCH_ROWS) * ldb + j * LANES);
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < rows; i++) {
      vf x = splat(a[i * lda + l]);
#pragma GCC unroll 8
      for (size_t j = 0; j < vectors; j++) s[i][j] += x * v[j];
    }
  }
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 8
    for (size_t j = 0; j < vectors; j++) {
      float *out = c + i * ldc + j * LANES;
      store(out, add ? load(out) + s[i][j] : s[i][j]);
    }
}

INLINE void outer_rows(size_t vectors, size_t rows, size_t k, const float *a, size_t lda, const float *b, size_t ldb,
                       float *c, size_t ldc, int add) {
  switch (rows) {
  case 1:
    outer_tile(1, vectors, k, a, lda, b, ldb, c, ldc, add);
    break;
  case 2:
    outer_tile(2, vectors, k, a, lda, b, ldb, c, ldc, add);
    break;
  case 3:
    outer_tile(3, vectors, k, a, lda, b, ldb, c, ldc, add);
    break;
  case 4:
    outer_tile(4, vectors, k, a, lda, b, ldb, c, ldc, add);
    break;
#if KERNELS_LANES > 8
  case 5:
    outer_tile(5, vectors, k, a, lda, b, ldb, c, ldc, add);
    break;
  case 6:
    outer_tile(6, vectors, k, a, lda, b, ldb, c, ldc, add);
    break;
  case 7:
    outer_tile(7, vectors, k, a, lda, b, ldb, c, ldc, add);
    break;
  case 8:
    outer_tile(8, vectors, k, a, lda, b, ldb, c, ldc, add);
    break;
#endif
  default:
    break;
  }
}

/* c[rows, vectors LANES], rows <= TILE_ROWS, vectors <= VECTORS */
static void outer_part(size_t vectors, size_t rows, size_t k, const float *a, size_t lda, const float *b, size_t ldb,
                       float *c, size_t ldc, int add) {
  if (vectors == 3) outer_rows(3, rows, k, a, lda, b, ldb, c, ldc, add);
  if (vectors == 2) outer_rows(2, rows, k, a, lda, b, ldb, c, ldc, add);
  if (vectors == 1) outer_rows(1, rows, k, a, lda, b, ldb, c, ldc, add);
}

/* c[rows, 2 TILE_COLUMNS], rows <= HALF_ROWS */
static void outer_half(size_t rows, size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c,
                       size_t ldc, int add) {
  if (rows == 1) outer_tile(1, 2 * VECTORS, k, a, lda, b, ldb, c, ldc, add);
  if (rows == 2) outer_tile(2, 2 * VECTORS, k, a, lda, b, ldb, c, ldc, add);
#if KERNELS_LANES > 8
  if (rows == 3) outer_tile(3, 2 * VECTORS, k, a, lda, b, ldb, c, ldc, add);
  if (rows == 4) outer_tile(4, 2 * VECTORS, k, a, lda, b, ldb, c, ldc, add);
#endif
}

/* Rows of the i-th of the tiles that m rows are cut into, as even as can be. */
static inline size_t even_share(size_t m, size_t tiles, size_t i) {
  return m / tiles + (i < m % tiles);
}

/* c[rows, count] (+)= columns first.. of a product with one vector of columns of b: what fills no vector. */
static void outer_rest(size_t first, size_t count, size_t rows, size_t k, const float *a, size_t lda, const float *b,
                       size_t ldb, float *c, size_t ldc, int add) {
  float sums[TILE_ROWS * LANES];
  outer_part(1, rows, k, a, lda, b, ldb, sums, LANES, 0);
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < count; j++) c[i * ldc + j] = (add ? c[i * ldc + j] : 0) + sums[i * LANES + first + j];
}

/* b's columns [0, n) in strips of [k, TILE_COLUMNS], one after another; 0 beside the last, to a whole vector. Row by
 * row, as b lies. */
static void copy_columns(size_t n, size_t k, const float *b, size_t ldb, float *to) {
  for (size_t l = 0; l < k; l++, b += ldb, to += TILE_COLUMNS) {
    float *strip = to;
    size_t j = 0;
    for (; j + TILE_COLUMNS <= n; j += TILE_COLUMNS, strip += k * TILE_COLUMNS)
      for (size_t q = 0; q < TILE_COLUMNS; q += LANES) store(strip + q, load(b + j + q));
    for (size_t q = 0; j + q / LANES * LANES < n; q++) strip[q] = j + q < n ? b[j + q] : 0;
  }
}

#if KERNELS_LANES == 16
#define ZIP_LOW  0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define ZIP_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif KERNELS_LANES == 8
#define ZIP_LOW  0, 8, 1, 9, 2, 10, 3, 11
#define ZIP_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define ZIP_LOW  0, 4, 1, 5
#define ZIP_HIGH 2, 6, 3, 7
#endif

/* to[LANES, ldt] = from[LANES, ldf]^T: rows i and i + LANES/2 are zipped, as often as halving goes. */
static void turn_square(const float *from, size_t ldf, float *to, size_t ldt) {
  vf v[LANES], w[LANES];
#pragma GCC unroll 16
  for (size_t i = 0; i < LANES; i++) v[i] = load(from + i * ldf);
#pragma GCC unroll 4
  for (size_t round = LANES; round > 1; round /= 2) {
#pragma GCC unroll 8
    for (size_t i = 0; i < LANES / 2; i++) {
      w[2 * i] = __builtin_shufflevector(v[i], v[i + LANES / 2], ZIP_LOW);
      w[2 * i + 1] = __builtin_shufflevector(v[i], v[i + LANES / 2], ZIP_HIGH);
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < LANES; i++) v[i] = w[i];
  }
#pragma GCC unroll 16
  for (size_t i = 0; i < LANES; i++) store(to + i * ldt, v[i]);
}

/* The same of b transposed: its rows [0, n). */
static void turn_columns(size_t n, size_t k, const float *b, size_t ldb, float *to) {
  for (size_t j = 0; j < n; j += TILE_COLUMNS, to += k * TILE_COLUMNS)
    for (size_t q = j; q < j + TILE_COLUMNS && q < n; q += LANES) {
      bool whole = q + LANES <= n && k >= LANES;
      for (size_t l = 0; whole && l < k; l += LANES) { /* the last square begins in the one before it */
        size_t at = l + LANES <= k ? l : k - LANES;
        turn_square(b + q * ldb + at, ldb, to + at * TILE_COLUMNS + q - j, TILE_COLUMNS);
      }
      for (size_t l = 0; !whole && l < k; l++)
        for (size_t i = q; i < q + LANES; i++) to[l * TILE_COLUMNS + i - j] = i < n ? b[i * ldb + l] : 0;
    }
}

static void outer_copied(bool transposed, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                         size_t ldb, float *c, size_t ldc, int beta) {
  _Alignas(64) float copy[DEPTH * COPY_COLUMNS];
  size_t tiles = (m + TILE_ROWS - 1) / TILE_ROWS;
  for (size_t j = 0; j < n; j += COPY_COLUMNS)
    for (size_t l = 0; l < k || l == 0; l += DEPTH) {
      size_t columns = n - j < COPY_COLUMNS ? n - j : COPY_COLUMNS, depth = k - l < DEPTH ? k - l : DEPTH;
      if (transposed)
        turn_columns(columns, depth, b + j * ldb + l, ldb, copy);
      else
        copy_columns(columns, depth, b + l * ldb + j, ldb, copy);
      for (size_t t = 0, i = 0, rows; t < tiles; t++, i += rows) {
        rows = even_share(m, tiles, t);
        for (size_t q = 0; q < columns; q += TILE_COLUMNS) {
          size_t n_here = columns - q < TILE_COLUMNS ? columns - q : TILE_COLUMNS, whole = n_here / LANES * LANES;
          const float *x = a + i * lda + l, *strip = copy + q * depth;
          float *out = c + i * ldc + j + q;
          outer_part(n_here / LANES, rows, depth, x, lda, strip, TILE_COLUMNS, out, ldc, beta || l > 0);
          if (whole < n_here)
            outer_rest(0, n_here - whole, rows, depth, x, lda, strip + whole, TILE_COLUMNS, out + whole, ldc,
                       beta || l > 0);
        }
      }
    }
}

/* b is read where it lies; its columns fill a vector. */
static void outer_direct(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c,
                         size_t ldc, int beta) {
  size_t tiles = (m + TILE_ROWS - 1) / TILE_ROWS, j = 0;
  if (m <= HALF_ROWS)
    for (; j + 2 * TILE_COLUMNS <= n; j += 2 * TILE_COLUMNS) outer_half(m, k, a, lda, b + j, ldb, c + j, ldc, beta);
  for (size_t vectors, count; j < n; j += count) {
    vectors = n - j < TILE_COLUMNS ? (n - j) / LANES : VECTORS;
    count = vectors ? vectors * LANES : n - j;
    for (size_t t = 0, i = 0, rows; t < tiles; t++, i += rows) {
      rows = even_share(m, tiles, t);
      if (vectors)
        outer_part(vectors, rows, k, a + i * lda, lda, b + j, ldb, c + i * ldc + j, ldc, beta);
      else
        outer_rest(LANES - count, count, rows, k, a + i * lda, lda, b + n - LANES, ldb, c + i * ldc + j, ldc, beta);
    }
  }
}

/* The sums of an element are the same for any m: in order over the depth, DEPTH at a time. */
static void gemm(bool transposed, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb,
                 float *c, size_t ldc, int beta) {
  if (transposed || n < LANES || (m >= MANY_ROWS && n * k > SMALL))
    outer_copied(transposed, m, n, k, a, lda, b, ldb, c, ldc, beta);
  else
    for (size_t l = 0; l < k || l == 0; l += DEPTH)
      outer_direct(m, n, k - l < DEPTH ? k - l : DEPTH, a + l, lda, b + l * ldb, ldb, c, ldc, beta || l > 0);
}
