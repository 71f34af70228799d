/* Products with blocks of 2 and 3 bits (Q2_K, Q3_K) in integers, for kernels_body.h where there is VNNI: 64 numbers an
 * instruction and digit, where floats are 16. Without it the floats of blocks_body.h are multiplied.
 *
 * 256 numbers of x are fixed-point numbers of 31 bits beside a power of two, so that only bits 2^-30 below the largest
 * of them are lost; their four digits to the base 256, -128 to 127, are kept apart. A weight is its block's d times a
 * code times a scale of the 16 codes beside it: that product fits a byte. Sums over a block are exact; blocks are added
 * up in float32. What x becomes does not depend on the weights, and is made once for all rows of them. */
#if defined(__AVX512VNNI__)
enum { FIXED = 256, DIGITS = 4, QUARTERS = 4, FIXED_ROOM = 32 /* blocks of x on the stack */ };

/* Codes lie in quarters as in the files: quarter k has the numbers 32 k to 32 k + 31 of both halves of a block. */
typedef struct {
  int8_t digits[QUARTERS][DIGITS][64];
  int32_t less_bias[DIGITS][16]; /* -128 times the sums of digits, as multiply_codes adds them up */
  float sums[16];                /* of x, 16 numbers each */
  float step;                    /* a fixed-point number times this is x */
} __attribute__((aligned(64))) fixed_block;

/* A power of two that leaves the largest magnitude below 2^30, and its inverse (NaN where there is no such). */
static inline float fixed_scale(const float *x, float *step) {
  vi top = {0};
  for (int i = 0; i < FIXED; i += LANES) top = larger_of(top, magnitude(load(x + i)));
  float largest = largest_lane(top), scale;
  uint32_t bits, exponent;
  memcpy(&bits, &largest, 4);
  exponent = bits >> 23;
  if (exponent < 30) exponent = 30; /* both stay normal: steps are 2^-126 at least */
  bits = (283 - exponent) << 23;
  memcpy(&scale, &bits, 4);
  bits = exponent == 255 ? 0x7fc00000u : (exponent - 29) << 23;
  memcpy(step, &bits, 4);
  return scale;
}

static void to_fixed(const float *x, fixed_block *f) {
  const __m512i middle = _mm512_set1_epi32(0x00808080);
  const __m512i by_digit = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const __m512i together = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512 scale = _mm512_set1_ps(fixed_scale(x, &f->step));
  for (int i = 0; i < FIXED; i += 16) {
    int8_t(*to)[64] = f->digits[i / 32 % 4];
    int at = i / 128 * 32 + i % 32;
    __m512 v = _mm512_loadu_ps(x + i);
    __m512i d = _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(v, scale)), middle);
    d = _mm512_permutexvar_epi32(together, _mm512_shuffle_epi8(_mm512_xor_si512(d, middle), by_digit));
    _mm_store_si128((__m128i *)(to[0] + at), _mm512_castsi512_si128(d));
    _mm_store_si128((__m128i *)(to[1] + at), _mm512_extracti32x4_epi32(d, 1));
    _mm_store_si128((__m128i *)(to[2] + at), _mm512_extracti32x4_epi32(d, 2));
    _mm_store_si128((__m128i *)(to[3] + at), _mm512_extracti32x4_epi32(d, 3));
    f->sums[i / 16] = lanes_sum((vf)v);
  }
  for (int j = 0; j < DIGITS; j++) {
    __m512i sum = _mm512_setzero_si512();
    for (int k = 0; k < QUARTERS; k++)
      sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8((char)128), _mm512_load_si512(f->digits[k][j]));
    _mm512_store_si512(f->less_bias[j], _mm512_sub_epi32(_mm512_setzero_si512(), sum));
  }
}

/* A block of weights: bytes are codes times scales, in quarters, plus 128 where there is a bias. */
typedef struct {
  __m512i bytes[QUARTERS];
  __m512 least; /* what each weight of 16 is lower by (without a bias) */
  float d;
} scaled_codes;
typedef void read_codes(const uint8_t *p, scaled_codes *c);

/* 16 scales of 16 numbers each, in the order of the numbers: as words, those of quarter k of the numbers that lane i
 * (of 16 bytes) holds in word k of lane i. */
INLINE __m512i scale_words(__m128i scales) {
  const __m512i order =
      _mm512_setr_epi64(0x0006000400020000, 0, 0x0007000500030001, 0, 0x000e000c000a0008, 0, 0x000f000d000b0009, 0);
  return _mm512_permutexvar_epi16(order, _mm512_castsi256_si512(_mm256_cvtepi8_epi16(scales)));
}

/* Codes times scales. Two bytes are multiplied as the number of 16 bits that they are: exact modulo 2^16, and so for
 * each byte once the products are in 0 to 255. */
INLINE __m512i scaled(__m512i codes, __m512i words, int k) {
  return _mm512_mullo_epi16(codes, _mm512_shuffle_epi8(words, _mm512_set1_epi16((int16_t)(k * 0x0202 + 0x0100))));
}

/* d scale code - dmin least */
INLINE void codes_q2_k(const uint8_t *p, scaled_codes *c) {
  const __m128i nibble = _mm_set1_epi8(15);
  __m512i q = _mm512_loadu_si512(p + 16);
  __m128i both;
  memcpy(&both, p, sizeof both);
  __m512i words = scale_words(_mm_and_si128(both, nibble));
  __m128i least = _mm_and_si128(_mm_srli_epi16(both, 4), nibble);
#pragma GCC unroll 4
  for (int k = 0; k < QUARTERS; k++)
    c->bytes[k] = scaled(_mm512_and_si512(_mm512_srli_epi16(q, (unsigned)(2 * k)), _mm512_set1_epi8(3)), words, k);
  c->least = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(least)), (__m512)splat_half(p + 82));
  c->d = half_at(p + 80);
}

/* d (scale - 32) (code - 4) = -d ((32 - scale) (code - 4)), which is in -128 to 124 */
INLINE void codes_q3_k(const uint8_t *p, scaled_codes *c) {
  const __m512i low = _mm512_set1_epi8(3), upper_half = _mm512_setr_epi64(0, 0, 0, 0, 4, 4, 4, 4);
  uint64_t codes[2];
  scale_codes_q3_k(p, codes);
  __m128i scales = _mm_set_epi64x((long long)codes[1], (long long)codes[0]);
  __m512i words = scale_words(_mm_sub_epi8(_mm_set1_epi8(32), scales));
  __m512i q = _mm512_loadu_si512(p + 32);
  __m512i third = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)p));
  third = _mm512_srlv_epi64(third, upper_half); /* bit k of quarter k in both halves */
#pragma GCC unroll 4
  for (int k = 0; k < QUARTERS; k++) {
    __m512i bit = k < 2 ? _mm512_slli_epi16(third, (unsigned)(2 - k)) : _mm512_srli_epi16(third, (unsigned)(k - 2));
    __m512i code =
        _mm512_ternarylogic_epi32(_mm512_srli_epi16(q, (unsigned)(2 * k)), bit, low, 0xe4); /* low ? q : bit */
    code = _mm512_sub_epi16(_mm512_and_si512(code, _mm512_set1_epi8(7)), _mm512_set1_epi16(0x0404));
    c->bytes[k] = _mm512_add_epi16(scaled(code, words, k), _mm512_set1_epi16((int16_t)0x8080));
  }
  c->d = -half_at(p + 108);
}

/* The block's product with one row of x, 16 sums that are still to be added up, on top of `sum`. */
INLINE __m512 multiply_codes(const scaled_codes *c, const fixed_block *x, bool biased, __m512 sum) {
  __m512i s[DIGITS];
  for (int j = 0; j < DIGITS; j++) {
    s[j] = biased ? _mm512_load_si512(x->less_bias[j]) : _mm512_setzero_si512();
    for (int k = 0; k < QUARTERS; k++)
      s[j] = _mm512_dpbusd_epi32(s[j], c->bytes[k], _mm512_load_si512(x->digits[k][j]));
  }
  __m512 v = _mm512_cvtepi32_ps(s[DIGITS - 1]);
  for (int j = DIGITS - 2; j >= 0; j--) v = _mm512_fmadd_ps(v, _mm512_set1_ps(256), _mm512_cvtepi32_ps(s[j]));
  if (!biased) sum = _mm512_fnmadd_ps(c->least, _mm512_load_ps(x->sums), sum);
  return _mm512_fmadd_ps(v, _mm512_set1_ps(c->d * x->step), sum);
}

/* out[r*ldout + o] (+)= x[r, :] . w[o, :] for r < m, o < rows, a multiple of streams; x[m, most], of which `blocks` are
 * read; m, streams, size, read and biased are constants. */
INLINE void dot_fixed_blocks(size_t m, size_t streams, const fixed_block *x, size_t most, const uint8_t *w,
                             size_t bytes, size_t rows, size_t blocks, size_t size, read_codes *read, bool biased,
                             bool add, float *out, size_t ldout) {
  size_t length = rows / streams;
  for (size_t o = 0; o < length; o++) {
    __m512 sums[STREAMS][CI_FEW_ROWS];
    for (size_t s = 0; s < streams; s++)
      for (size_t r = 0; r < m; r++) sums[s][r] = _mm512_setzero_ps();
    for (size_t i = 0; i < blocks; i++)
      for (size_t s = 0; s < streams; s++) {
        const uint8_t *block = w + (s * length + o) * bytes + i * size;
        scaled_codes c;
        for (size_t line = 0; line < size; line += 64) __builtin_prefetch(block + FETCH_AHEAD + line);
        read(block, &c);
        for (size_t r = 0; r < m; r++) sums[s][r] = multiply_codes(&c, x + r * most + i, biased, sums[s][r]);
      }
    for (size_t s = 0; s < streams; s++)
      for (size_t r = 0; r < m; r++) {
        float *to = out + r * ldout + s * length + o, sum = lanes_sum((vf)sums[s][r]);
        *to = add ? *to + sum : sum;
      }
  }
}

INLINE void dot_fixed(size_t m, size_t streams, const float *x, size_t ldx, const uint8_t *w, size_t bytes, size_t rows,
                      size_t blocks, size_t size, read_codes *read, bool biased, float *out, size_t ldout) {
  fixed_block room[FIXED_ROOM];
  size_t most = FIXED_ROOM / m, even = rows / streams * streams, first = 0;
  do {
    size_t count = blocks - first < most ? blocks - first : most;
    for (size_t r = 0; r < m; r++)
      for (size_t i = 0; i < count; i++) to_fixed(x + r * ldx + (first + i) * FIXED, &room[r * most + i]);
    dot_fixed_blocks(m, streams, room, most, w + first * size, bytes, even, count, size, read, biased, first > 0, out,
                     ldout);
    dot_fixed_blocks(m, 1, room, most, w + even * bytes + first * size, bytes, rows - even, count, size, read, biased,
                     first > 0, out + even, ldout);
    first += count;
  } while (first < blocks);
}

INLINE bool dot_in_integers(int type, size_t m, const float *x, size_t ldx, const uint8_t *w, size_t bytes, size_t rows,
                            size_t blocks, size_t size, float *out, size_t ldout) {
  bool is_q2 = type == CI_BLOCK_q2_k;
  read_codes *read = is_q2 ? codes_q2_k : codes_q3_k;
  if (!is_q2 && type != CI_BLOCK_q3_k) return false;
  if (m == 1) dot_fixed(1, STREAMS, x, ldx, w, bytes, rows, blocks, size, read, !is_q2, out, ldout);
  if (m == 2) dot_fixed(2, 2, x, ldx, w, bytes, rows, blocks, size, read, !is_q2, out, ldout);
  if (m == 3) dot_fixed(3, 1, x, ldx, w, bytes, rows, blocks, size, read, !is_q2, out, ldout);
  if (m == 4) dot_fixed(4, 1, x, ldx, w, bytes, rows, blocks, size, read, !is_q2, out, ldout);
  return true;
}
#else
INLINE bool dot_in_integers(int type, size_t m, const float *x, size_t ldx, const uint8_t *w, size_t bytes, size_t rows,
                            size_t blocks, size_t size, float *out, size_t ldout) {
  (void)type, (void)m, (void)x, (void)ldx, (void)w, (void)bytes, (void)rows, (void)blocks, (void)size, (void)out;
  (void)ldout;
  return false;
}
#endif
