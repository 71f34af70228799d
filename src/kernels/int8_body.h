/* Rows in 8 bits, for kernels_body.h: absmax codes, their widening, and exact products of codes.
 *
 * Sums of products of codes are 32-bit integers, so all instruction sets give the same bits. VNNI multiplies unsigned
 * by signed bytes: weights are moved up by 128, and 128 times the sum of x's codes is taken away again. Without it
 * codes go to 16 bits, where no pair of products can overflow (vpmaddubsw would saturate). */
#if defined(__AVX512VNNI__)
enum { CODES = 64, CODE_ROWS = 6, CODE_BIAS = 128 };
typedef __m512i code_sums;
typedef __m512i code_vector;

static inline code_vector load_codes(const int8_t *p, size_t n) {
  return n >= CODES ? _mm512_loadu_si512(p) : _mm512_maskz_loadu_epi8(((__mmask64)1 << n) - 1, p);
}
static inline code_vector load_weights(const int8_t *p, size_t n) {
  return _mm512_xor_si512(load_codes(p, n), _mm512_set1_epi8((char)0x80));
}
static inline code_sums add_products(code_sums s, code_vector w, code_vector x) {
  return _mm512_dpbusd_epi32(s, w, x);
}
#elif defined(__AVX512BW__)
enum { CODES = 32, CODE_ROWS = 6, CODE_BIAS = 0 };
typedef __m512i code_sums;
typedef __m512i code_vector;

static inline code_vector load_codes(const int8_t *p, size_t n) {
  __mmask32 all = n >= CODES ? ~(__mmask32)0 : ((__mmask32)1 << n) - 1;
  return _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(all, p));
}
static inline code_vector load_weights(const int8_t *p, size_t n) {
  return load_codes(p, n);
}
static inline code_sums add_products(code_sums s, code_vector w, code_vector x) {
  return _mm512_add_epi32(s, _mm512_madd_epi16(w, x));
}
#elif defined(__AVX2__)
enum { CODES = 16, CODE_ROWS = 2, CODE_BIAS = 0 };
typedef __m256i code_sums;
typedef __m256i code_vector;

static inline code_vector load_codes(const int8_t *p, size_t n) {
  __m128i bytes = _mm_setzero_si128();
  memcpy(&bytes, p, n >= CODES ? CODES : n);
  return _mm256_cvtepi8_epi16(bytes);
}
static inline code_vector load_weights(const int8_t *p, size_t n) {
  return load_codes(p, n);
}
static inline code_sums add_products(code_sums s, code_vector w, code_vector x) {
  return _mm256_add_epi32(s, _mm256_madd_epi16(w, x));
}
#else
enum { CODES = 8, CODE_ROWS = 2, CODE_BIAS = 0 };
typedef int32_t code_sums __attribute__((vector_size(32)));
typedef int16_t code_vector __attribute__((vector_size(16)));
typedef int8_t code_bytes __attribute__((vector_size(8)));

static inline code_vector load_codes(const int8_t *p, size_t n) {
  code_bytes bytes = {0};
  memcpy(&bytes, p, n >= CODES ? CODES : n);
  return __builtin_convertvector(bytes, code_vector);
}
static inline code_vector load_weights(const int8_t *p, size_t n) {
  return load_codes(p, n);
}
/* 128 times 127 fits 16 bits. */
static inline code_sums add_products(code_sums s, code_vector w, code_vector x) {
  return s + __builtin_convertvector(w * x, code_sums);
}
#endif

/* out[r] = the sum of s[r] */
#if defined(__AVX512BW__)
static inline void add_up(const code_sums s[4], int32_t out[4]) {
  __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(s[0], s[1]), _mm512_unpackhi_epi32(s[0], s[1]));
  __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(s[2], s[3]), _mm512_unpackhi_epi32(s[2], s[3]));
  __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
  _mm_storeu_si128((__m128i *)out, _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)));
}
#else
static inline void add_up(const code_sums s[4], int32_t out[4]) {
  for (int r = 0; r < 4; r++) {
    int32_t lanes[sizeof(code_sums) / 4], total = 0;
    memcpy(lanes, &s[r], sizeof lanes);
    for (size_t i = 0; i < sizeof lanes / 4; i++) total += lanes[i];
    out[r] = total;
  }
}
#endif

static inline int32_t less_bias(int32_t total, int32_t sum) {
  return (int32_t)((uint32_t)total - (uint32_t)CODE_BIAS * (uint32_t)sum); /* right modulo 2^32, and the result fits */
}

/* m rows of x against up to 4 rows of weights: sums stay in registers over n. */
static inline __attribute__((always_inline)) void int8_tile(size_t m, size_t rows, size_t n, const int8_t *x,
                                                            size_t ldx, const int32_t *sums, const int8_t *w,
                                                            size_t ldw, int32_t *out, size_t ldo) {
  code_sums s[CODE_ROWS][4];
  memset(s, 0, sizeof s);
  for (size_t k = 0; k < n; k += CODES) {
    code_vector v[4];
    for (size_t r = 0; r < rows; r++) v[r] = load_weights(w + r * ldw + k, n - k);
    for (size_t i = 0; i < m; i++) {
      code_vector u = load_codes(x + i * ldx + k, n - k);
      for (size_t r = 0; r < rows; r++) s[i][r] = add_products(s[i][r], v[r], u);
    }
  }
  for (size_t i = 0; i < m; i++) {
    int32_t total[4];
    add_up(s[i], total);
    for (size_t r = 0; r < rows; r++) out[i * ldo + r] = less_bias(total[r], sums[i]);
  }
}

/* One row of x against four rows of weights, four streams from memory. */
static inline void int8_one(size_t n, const int8_t *x, const int8_t *w, size_t ldw, int32_t out[4]) {
  code_sums s[4];
  memset(s, 0, sizeof s);
  size_t k = 0;
  for (; k + CODES <= n; k += CODES) {
    code_vector u = load_codes(x + k, CODES);
    for (size_t r = 0; r < 4; r++) {
      if (k % 64 == 0) __builtin_prefetch(w + r * ldw + k + 1024);
      s[r] = add_products(s[r], load_weights(w + r * ldw + k, CODES), u);
    }
  }
  if (k < n)
    for (size_t r = 0; r < 4; r++) s[r] = add_products(s[r], load_weights(w + r * ldw + k, n - k), load_codes(x + k, n - k));
  add_up(s, out);
}

static inline __attribute__((always_inline)) void int8_rows(size_t m, size_t rows, size_t n, const int8_t *x,
                                                            size_t ldx, const int32_t *sums, const int8_t *w,
                                                            size_t ldw, int32_t *out, size_t ldo) {
  size_t i = 0;
  for (; i + CODE_ROWS <= m; i += CODE_ROWS)
    int8_tile(CODE_ROWS, rows, n, x + i * ldx, ldx, sums + i, w, ldw, out + i * ldo, ldo);
  for (; i < m; i++) int8_tile(1, rows, n, x + i * ldx, ldx, sums + i, w, ldw, out + i * ldo, ldo);
}

static void int8_dot(size_t m, size_t rows, size_t n, const int8_t *x, size_t ldx, const int32_t *sums, const int8_t *w,
                     size_t ldw, int32_t *out, size_t ldo) {
  size_t r = 0;
  for (; m == 1 && r + 4 <= rows; r += 4) {
    int8_one(n, x, w + r * ldw, ldw, out + r);
    for (size_t i = 0; i < 4; i++) out[r + i] = less_bias(out[r + i], sums[0]);
  }
  for (; r + 4 <= rows; r += 4) int8_rows(m, 4, n, x, ldx, sums, w + r * ldw, ldw, out + r, ldo);
  for (; r < rows; r++) int8_rows(m, 1, n, x, ldx, sums, w + r * ldw, ldw, out + r, ldo);
}

typedef int8_t vb __attribute__((vector_size(KERNELS_LANES)));

static inline vi magnitude(vf v) {
  return (vi)v & 0x7fffffff;
}

/* The larger of two magnitudes as bits: NaN is the largest of all. */
static inline vi larger_of(vi a, vi b) {
  vi larger = a > b;
  return (a & larger) | (b & ~larger);
}

static inline float largest_lane(vi bits) {
  int32_t top = 0;
  float value;
  for (int i = 0; i < LANES; i++) top = bits[i] > top ? bits[i] : top;
  memcpy(&value, &top, sizeof value);
  return value;
}

/* torch divides a number by a tensor so: 127 times the reciprocal, rounded twice. */
static inline float inverse_of(float top) {
  float inverse = 1.0f / top * 127.0f;
  return inverse <= 3.402823466e38f ? inverse : 0.0f; /* rows of zeros, and NaN */
}

/* To the nearest whole number, halves to even. x has been stored: the product that made it may not be fused into the
 * sum. */
static inline vi nearest(vf x) {
  const vf magic = splat(12582912.0f);
  return (vi)(x + magic) - (vi)magic;
}

static size_t int8_quantize(const float *x, size_t n, float threshold, int8_t *codes, float *scale, int32_t *sum) {
  enum { STRETCH = 256 };
  const vf edge = splat(threshold);
  vi top = {0}, beyond = {0}, total = {0};
  for (size_t i = 0; i < n; i += LANES) {
    vf v = i + LANES <= n ? load(x + i) : load_rest(x + i, n - i);
    vi out = (vf)magnitude(v) >= edge;
    beyond -= out;
    top = larger_of(top, magnitude(v) & ~out);
  }
  *scale = largest_lane(top);
  const vf inverse = splat(inverse_of(*scale));
  for (size_t i = 0; i < n; i += STRETCH) {
    float scaled[STRETCH];
    int8_t rounded[STRETCH];
    size_t count = n - i < STRETCH ? n - i : STRETCH;
    for (size_t j = 0; j < count; j += LANES) {
      vf v = j + LANES <= count ? load(x + i + j) : load_rest(x + i + j, count - j);
      vi out = (vf)magnitude(v) >= edge;
      store(scaled + j, (vf)((vi)v & ~out) * inverse);
    }
    __asm__ volatile("" ::: "memory");
    for (size_t j = 0; j < count; j += LANES) {
      vb bytes = __builtin_convertvector(nearest(load(scaled + j)), vb); /* of NaN: anything */
      total += __builtin_convertvector(bytes, vi);
      memcpy(rounded + j, &bytes, sizeof bytes);
    }
    memcpy(codes + i, rounded, count);
  }
  *sum = 0;
  size_t outliers = 0;
  for (int i = 0; i < LANES; i++) {
    *sum += total[i];
    outliers += (size_t)beyond[i];
  }
  return outliers;
}

static size_t int8_outliers(const float *x, size_t n, float threshold, uint32_t *at) {
  const vf edge = splat(threshold);
  size_t count = 0;
  for (size_t i = 0; i < n; i += LANES) {
    vi out = (vf)magnitude(i + LANES <= n ? load(x + i) : load_rest(x + i, n - i)) >= edge;
    int64_t words[LANES / 2], any = 0;
    memcpy(words, &out, sizeof words);
    for (int j = 0; j < LANES / 2; j++) any |= words[j];
    for (int j = 0; any && j < LANES; j++)
      if (out[j]) at[count++] = (uint32_t)i + (uint32_t)j;
  }
  return count;
}

static void int8_widen(const int8_t *codes, float scale, float *y, size_t n) {
  const vf s = splat(scale), c = splat(CI_INT8_STEP);
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    vb bytes;
    memcpy(&bytes, codes + i, sizeof bytes);
    store(y + i, __builtin_convertvector(__builtin_convertvector(bytes, vi), vf) * s * c);
  }
  for (; i < n; i++) y[i] = (float)codes[i] * scale * CI_INT8_STEP;
}

static void absmax_columns(const float *x, size_t n, float *top) {
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) store(top + i, (vf)larger_of(magnitude(load(x + i)), (vi)load(top + i)));
  if (i < n)
    store_rest(top + i, (vf)larger_of(magnitude(load_rest(x + i, n - i)), (vi)load_rest(top + i, n - i)), n - i);
}

static void int8_inverse(const float *top, float *inverse, size_t n) {
  for (size_t i = 0; i < n; i++) inverse[i] = inverse_of(top[i]);
}

static void int8_round(const float *x, const float *inverse, size_t n, int8_t *codes) {
  enum { STRETCH = 256 };
  for (size_t i = 0; i < n; i += STRETCH) {
    float scaled[STRETCH];
    int8_t rounded[STRETCH];
    size_t count = n - i < STRETCH ? n - i : STRETCH;
    for (size_t j = 0; j < count; j += LANES) {
      bool whole = j + LANES <= count;
      vf v = whole ? load(x + i + j) : load_rest(x + i + j, count - j);
      store(scaled + j, v * (whole ? load(inverse + i + j) : load_rest(inverse + i + j, count - j)));
    }
    __asm__ volatile("" ::: "memory"); /* see nearest */
    for (size_t j = 0; j < count; j += LANES) {
      vb bytes = __builtin_convertvector(nearest(load(scaled + j)), vb);
      memcpy(rounded + j, &bytes, sizeof bytes);
    }
    memcpy(codes + i, rounded, count);
  }
}

typedef int8_t bytes16 __attribute__((vector_size(16)));

/* 16 rows of 16 bytes. Each step interleaves row i with row i + 8; after four of them every index has gone from one
 * side to the other. */
static inline void transpose16(const int8_t *x, size_t ldx, int8_t *y, size_t ldy) {
  bytes16 a[16], b[16];
  for (size_t i = 0; i < 16; i++) memcpy(&a[i], x + i * ldx, sizeof a[i]);
  for (int step = 0; step < 4; step++) {
    for (int i = 0; i < 8; i++) {
      b[2 * i] = __builtin_shufflevector(a[i], a[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      b[2 * i + 1] =
          __builtin_shufflevector(a[i], a[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    memcpy(a, b, sizeof a);
  }
  for (size_t i = 0; i < 16; i++) memcpy(y + i * ldy, &a[i], sizeof a[i]);
}

static void transpose_bytes(const int8_t *x, size_t ldx, size_t rows, size_t columns, int8_t *y, size_t ldy) {
  size_t whole = columns - columns % 16;
  for (size_t j = 0; j < whole; j += 16)
    for (size_t i = 0; i + 16 <= rows; i += 16) transpose16(x + i * ldx + j, ldx, y + j * ldy + i, ldy);
  for (size_t j = 0; j < columns; j++)
    for (size_t i = j < whole ? rows - rows % 16 : 0; i < rows; i++) y[j * ldy + i] = x[i * ldx + j];
}

/* The nearest half, ties to even; too large: infinity. */
static inline uint16_t float_to_half(float x) {
  uint32_t bits, magnitude_bits, sign;
  memcpy(&bits, &x, 4);
  sign = bits >> 16 & 0x8000u;
  magnitude_bits = bits & 0x7fffffffu;
  if (magnitude_bits > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
  if (magnitude_bits >= 0x47800000u) return (uint16_t)(sign | 0x7c00u); /* 65536 and more */
  if (magnitude_bits < 0x38800000u) { /* below 2^-14: the float adder rounds to multiples of 2^-24 */
    float f;
    memcpy(&f, &magnitude_bits, 4);
    f += 0.5f;
    memcpy(&magnitude_bits, &f, 4);
    return (uint16_t)(sign | (magnitude_bits - 0x3f000000u));
  }
  magnitude_bits += (magnitude_bits >> 13 & 1u) + 0xfffu - (112u << 23);
  return (uint16_t)(sign | magnitude_bits >> 13);
}

static void narrow_f16(const float *x, uint16_t *y, size_t n) {
  size_t i = 0;
#if defined(__AVX512F__)
  for (; i + 16 <= n; i += 16)
    _mm256_storeu_si256((__m256i *)(y + i),
                        _mm512_cvtps_ph(_mm512_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif defined(__F16C__)
  for (; i + 8 <= n; i += 8)
    _mm_storeu_si128((__m128i *)(y + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
#endif
  for (; i < n; i++) y[i] = float_to_half(x[i]);
}

static void narrow_bf16(const float *x, uint16_t *y, size_t n) {
  typedef uint16_t shorts __attribute__((vector_size(2 * KERNELS_LANES)));
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    vf v = load(x + i);
    vu bits = (vu)v, rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16, quiet = bits >> 16 | 0x40u, nan = (vu)(v != v);
    shorts narrowed = __builtin_convertvector((rounded & ~nan) | (quiet & nan), shorts);
    memcpy(y + i, &narrowed, sizeof narrowed);
  }
  for (; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, 4);
    uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16, quiet = bits >> 16 | 0x40u;
    y[i] = (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
  }
}
