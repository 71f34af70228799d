/* Blocks of quantised numbers in vectors: the numbers that formats/blocks_body.h reads one by one, bit for bit, 32 at a
 * time. Included by kernels_body.h, once for each instruction set.
 *
 * A number is a code of at most 6 bits and a formula that the 16 or 32 numbers beside it share. Where a vector can be a
 * table (AVX-512), the formula is worked out once for all codes and numbers are looked up; elsewhere it is worked out
 * for each. block_TYPE(p, take, to) reads the block at p and gives 32 numbers at a time to take(to, v). */

enum { GROUP = 32, GROUP_VECTORS = GROUP / LANES, SUMS = 2 };

/* One take's destination: 32 numbers are stored, or multiplied with rows of x and added up. */
typedef struct {
  float *out;
  const float *x;
  size_t ldx;
  vf sums[CI_FEW_ROWS][SUMS];
} taker;
typedef void take_group(taker *to, const vf *v);

/* Number of a code: scale (code - shift), scale code - shift, or scale table[code]. Codes may have more bits above. */
typedef vf formula(vi code, vf scale, vf shift);

INLINE vf centred(vi code, vf scale, vf shift) {
  return (floats(code) - shift) * scale;
}
INLINE vf linear(vi code, vf scale, vf shift) {
  return floats(code) * scale - shift;
}
INLINE vf iq4(vi code, vf scale, vf shift) {
  (void)shift;
  static const int8_t values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  return floats(pick_byte(values, code)) * scale;
}
/* Twice the values of FP4 (E2M1), for half the scale. */
INLINE vf fp4(vi code, vf scale, vf shift) {
  (void)shift;
  static const int8_t values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  return floats(pick_byte(values, code)) * scale;
}

/* Codes of 2 bits and of 3 where a table saves moving them to the lowest bits: bits 2 and 3 of the index; the third bit
 * is bit 1. */
INLINE vf linear_above(vi index, vf scale, vf shift) {
  return linear(index >> 2, scale, shift);
}
INLINE vf centred_above(vi index, vf scale, vf shift) {
  return centred(index >> 2 | (index & 2) << 1, scale, shift);
}

#if KERNELS_LANES == 16 && defined(__AVX512F__)
enum { TABLES = 1 };
typedef struct {
  vf low, high;
} book; /* the numbers of 16 or 32 codes */

INLINE book open_book(formula *number, int bits, vf scale, vf shift) {
  const vi code = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  book b = {number(bits < 4 ? code & ((1 << bits) - 1) : code, scale, shift), {0}};
  if (bits == 5) b.high = number(code + 16, scale, shift);
  return b;
}

INLINE vf look_up(const book *b, formula *number, int bits, vi code) {
  (void)number;
  if (bits == 5) return (vf)_mm512_permutex2var_ps((__m512)b->low, (__m512i)code, (__m512)b->high);
  return (vf)_mm512_permutexvar_ps((__m512i)code, (__m512)b->low);
}
#else
enum { TABLES = 0 };
typedef struct {
  vf scale, shift;
} book;

INLINE book open_book(formula *number, int bits, vf scale, vf shift) {
  (void)number, (void)bits;
  return (book){scale, shift};
}

INLINE vf look_up(const book *b, formula *number, int bits, vi code) {
  return number(code & ((1 << bits) - 1), b->scale, b->shift);
}
#endif

/* 16 bytes: the low nibbles are the first 16 codes, the high ones the others. */
INLINE void take_nibbles(const uint8_t *p, formula *number, vf scale, vf shift, take_group *take, taker *to) {
  vf v[GROUP_VECTORS];
  book b = open_book(number, 4, scale, shift);
  for (int j = 0; j < GROUP_VECTORS / 2; j++) {
    vi q = load_bytes(p + j * LANES);
    v[j] = look_up(&b, number, 4, q);
    v[j + GROUP_VECTORS / 2] = look_up(&b, number, 4, shifted(q, 4));
  }
  take(to, v);
}

INLINE void block_q4_0(const uint8_t *p, take_group *take, taker *to) {
  take_nibbles(p + 2, centred, splat_half(p), splat(8), take, to);
}

INLINE void block_q4_1(const uint8_t *p, take_group *take, taker *to) {
  take_nibbles(p + 4, linear, splat_half(p), -splat_half(p + 2), take, to);
}

INLINE void block_iq4_nl(const uint8_t *p, take_group *take, taker *to) {
  take_nibbles(p + 2, iq4, splat_half(p), (vf){0}, take, to);
}

INLINE void block_mxfp4(const uint8_t *p, take_group *take, taker *to) {
  uint32_t bits = p[0] < 2 ? 0x00200000u << p[0] : (uint32_t)(p[0] - 1) << 23;
  take_nibbles(p + 1, fp4, (vf)splat_int((int32_t)bits), (vf){0}, take, to);
}

/* Nibbles, and 32 fifth bits in a word. */
INLINE void take_fives(const uint8_t *high, const uint8_t *p, formula *number, vf scale, vf shift, take_group *take,
                       taker *to) {
  vf v[GROUP_VECTORS];
  book b = open_book(number, 5, scale, shift);
  uint32_t word;
  memcpy(&word, high, sizeof word);
  for (int j = 0; j < GROUP_VECTORS; j++) {
    int half = j / (GROUP_VECTORS / 2), first = j * LANES;
    vi q = shifted(load_bytes(p + j % (GROUP_VECTORS / 2) * LANES), half * 4);
    v[j] = look_up(&b, number, 5, (q & 15) | fifth_bits(word, first));
  }
  take(to, v);
}

INLINE void block_q5_0(const uint8_t *p, take_group *take, taker *to) {
  take_fives(p + 2, p + 6, centred, splat_half(p), splat(16), take, to);
}

INLINE void block_q5_1(const uint8_t *p, take_group *take, taker *to) {
  take_fives(p + 4, p + 8, linear, splat_half(p), -splat_half(p + 2), take, to);
}

INLINE void block_q8_0(const uint8_t *p, take_group *take, taker *to) {
  vf v[GROUP_VECTORS], scale = splat_half(p);
  for (int j = 0; j < GROUP_VECTORS; j++) v[j] = floats(load_signed(p + 2 + j * LANES)) * scale;
  take(to, v);
}

/* Loads that spread one number over a vector cost nothing; taking it out of a register costs the unit that looks
 * numbers up. So the compiler is told to leave them in memory. */
INLINE void keep_in_memory(float *numbers) {
  __asm__("" : "+m"(*(float(*)[16])numbers));
}

/* scale[i] = (codes[i] - 32) d for i < 16 */
INLINE void scale_codes(const uint64_t codes[2], vf d, float *scale) {
  for (int j = 0; j < 16; j += LANES) store(scale + j, centred(bytes_of(codes, j), d, splat(32)));
  keep_in_memory(scale);
}

/* Group g of 32 codes of 2 bits at q, each beside those of the same numbers in three other groups. */
INLINE void take_q2(const uint8_t *q, int g, bool above, const float *scale, const float *least, take_group *take,
                    taker *to) {
  vf v[GROUP_VECTORS];
  for (int j = 0; j < GROUP_VECTORS; j++) {
    int s = 2 * g + j * LANES / 16, bits = above ? 4 : 2;
    book b = open_book(above ? linear_above : linear, bits, splat(scale[s]), splat(least[s]));
    vi index = shifted(load_bytes(q + j * LANES), above ? g % 4 * 2 - 2 : g % 4 * 2);
    v[j] = look_up(&b, above ? linear_above : linear, bits, index);
  }
  take(to, v);
}

INLINE void block_q2_k(const uint8_t *p, take_group *take, taker *to) {
  float scale[16], least[16];
  vf d = splat_half(p + 80), dmin = splat_half(p + 82);
  for (int j = 0; j < 16; j += LANES) {
    vi both = load_bytes(p + j);
    store(scale + j, floats(both & 15) * d);
    store(least + j, floats(shifted(both, 4)) * dmin);
  }
  keep_in_memory(scale);
  keep_in_memory(least);
#pragma GCC unroll 4
  for (int g = 0; g < 8; g += 2) {
    take_q2(p + 16 + g / 4 * 32, g, false, scale, least, take, to);
    take_q2(p + 16 + g / 4 * 32, g + 1, TABLES, scale, least, take, to);
  }
}

/* The same with bit g of the bytes at `high` as third bits. */
INLINE void take_q3(const uint8_t *q, const uint8_t *high, int g, bool above, const float *scale, take_group *take,
                    taker *to) {
  vf v[GROUP_VECTORS];
  for (int j = 0; j < GROUP_VECTORS; j++) {
    int bits = above ? 4 : 3, mask = above ? 12 : 3;
    book b = open_book(above ? centred_above : centred, bits, splat(scale[2 * g + j * LANES / 16]), splat(4));
    vi index = shifted(load_bytes(q + j * LANES), above ? g % 4 * 2 - 2 : g % 4 * 2);
    vi third = placed(load_bytes(high + j * LANES), g, above ? 1 : 2);
    v[j] = look_up(&b, above ? centred_above : centred, bits, (index & mask) | (third & ~mask));
  }
  take(to, v);
}

/* 16 codes of 6 bits: the scales plus 32. */
INLINE void scale_codes_q3_k(const uint8_t *p, uint64_t codes[2]) {
  uint64_t low;
  uint32_t high;
  memcpy(&low, p + 96, sizeof low);
  memcpy(&high, p + 104, sizeof high);
  for (int j = 0; j < 2; j++) { /* 4 bits of a scale from `low`, 2 from `high` */
    uint64_t upper = (high >> 4 * j & 0x03030303u) | (uint64_t)(high >> (4 * j + 2) & 0x03030303u) << 32;
    codes[j] = (low >> 4 * j & 0x0f0f0f0f0f0f0f0fu) | upper << 4;
  }
}

INLINE void block_q3_k(const uint8_t *p, take_group *take, taker *to) {
  uint64_t codes[2];
  float scale[16];
  scale_codes_q3_k(p, codes);
  scale_codes(codes, splat_half(p + 108), scale);
#pragma GCC unroll 4
  for (int g = 0; g < 8; g += 2) {
    take_q3(p + 32 + g / 4 * 32, p, g, false, scale, take, to);
    take_q3(p + 32 + g / 4 * 32, p, g + 1, TABLES, scale, take, to);
  }
}

/* The 8 scales (6 bits each) of Q4_K and Q5_K times d, then the 8 minima times dmin. */
INLINE void scales_and_minima(const uint8_t *p, float *both) {
  uint32_t a, b, c;
  memcpy(&a, p + 4, sizeof a);
  memcpy(&b, p + 8, sizeof b);
  memcpy(&c, p + 12, sizeof c);
  uint64_t codes[2] = {(a & 0x3f3f3f3fu) | (uint64_t)((c & 0x0f0f0f0fu) | (a >> 6 & 0x03030303u) << 4) << 32,
                       (b & 0x3f3f3f3fu) | (uint64_t)((c >> 4 & 0x0f0f0f0fu) | (b >> 6 & 0x03030303u) << 4) << 32};
  vf d = splat_half(p), dmin = splat_half(p + 2);
  for (int j = 0; j < 16; j += LANES) {
    store(both + j, floats(bytes_of(codes, j)) * (LANES == 16 ? halves(d, dmin) : j < 8 ? d : dmin));
  }
  keep_in_memory(both);
}

INLINE void block_q4_k(const uint8_t *p, take_group *take, taker *to) {
  float scale[16], *least = scale + 8;
  scales_and_minima(p, scale);
#pragma GCC unroll 8
  for (int g = 0; g < 8; g++) {
    vf v[GROUP_VECTORS];
    book b = open_book(linear, 4, splat(scale[g]), splat(least[g]));
    for (int j = 0; j < GROUP_VECTORS; j++)
      v[j] = look_up(&b, linear, 4, shifted(load_bytes(p + 16 + g / 2 * 32 + j * LANES), g % 2 * 4));
    take(to, v);
  }
}

INLINE void block_q5_k(const uint8_t *p, take_group *take, taker *to) {
  float scale[16], *least = scale + 8;
  scales_and_minima(p, scale);
#pragma GCC unroll 8
  for (int g = 0; g < 8; g++) {
    vf v[GROUP_VECTORS];
    book b = open_book(linear, 5, splat(scale[g]), splat(least[g]));
    for (int j = 0; j < GROUP_VECTORS; j++) {
      vi q = shifted(load_bytes(p + 48 + g / 2 * 32 + j * LANES), g % 2 * 4), h = load_bytes(p + 16 + j * LANES);
      v[j] = look_up(&b, linear, 5, (q & 15) | (placed(h, g, 4) & 16));
    }
    take(to, v);
  }
}

INLINE void block_q6_k(const uint8_t *p, take_group *take, taker *to) {
  float scale[16];
  for (int j = 0; j < 16; j += LANES) store(scale + j, floats(load_signed(p + 192 + j)) * splat_half(p + 208));
  keep_in_memory(scale);
#pragma GCC unroll 8
  for (int g = 0; g < 8; g++) {
    vf v[GROUP_VECTORS];
    int half = g / 4, quarter = g % 4;
    for (int j = 0; j < GROUP_VECTORS; j++) {
      vi low = shifted(load_bytes(p + half * 64 + quarter % 2 * 32 + j * LANES), quarter / 2 * 4);
      vi high = placed(load_bytes(p + 128 + half * 32 + j * LANES), quarter * 2, 4);
      v[j] = centred((low & 15) | (high & 48), splat(scale[2 * g + j * LANES / 16]), splat(32));
    }
    take(to, v);
  }
}

INLINE void block_iq4_xs(const uint8_t *p, take_group *take, taker *to) {
  uint16_t upper;
  uint32_t lower;
  memcpy(&upper, p + 2, sizeof upper);
  memcpy(&lower, p + 4, sizeof lower);
  uint64_t low = lower, high = upper; /* 8 times 4 and 2 bits, which move to a byte each */
  low = (low | low << 16) & 0x0000ffff0000ffffu;
  low = (low | low << 8) & 0x00ff00ff00ff00ffu;
  low = (low | low << 4) & 0x0f0f0f0f0f0f0f0fu;
  high = (high | high << 24) & 0x000000ff000000ffu;
  high = (high | high << 12) & 0x000f000f000f000fu;
  high = (high | high << 6) & 0x0303030303030303u;
  uint64_t codes[2] = {low | high << 4, 0};
  float scale[16];
  scale_codes(codes, splat_half(p), scale);
#pragma GCC unroll 8
  for (int g = 0; g < 8; g++) take_nibbles(p + 8 + g * 16, iq4, splat(scale[g]), (vf){0}, take, to);
}

INLINE void store_group(taker *to, const vf *v) {
  for (int j = 0; j < GROUP_VECTORS; j++) store(to->out + j * LANES, v[j]);
  to->out += GROUP;
}

INLINE void dot_group(taker *to, const vf *v, size_t rows) {
  for (size_t r = 0; r < rows; r++)
    for (int j = 0; j < GROUP_VECTORS; j++) to->sums[r][j % SUMS] += load(to->x + r * to->ldx + j * LANES) * v[j];
  to->x += GROUP;
}

INLINE void dot_1(taker *to, const vf *v) {
  dot_group(to, v, 1);
}
INLINE void dot_2(taker *to, const vf *v) {
  dot_group(to, v, 2);
}
INLINE void dot_3(taker *to, const vf *v) {
  dot_group(to, v, 3);
}
INLINE void dot_4(taker *to, const vf *v) {
  dot_group(to, v, 4);
}

typedef void read_block(const uint8_t *p, take_group *take, taker *to);

/* out[r*ldout + o] = x[r, :] . w[o, :] for r < m, o < rows; m, streams, size, read and take are constants. */
INLINE void dot_rows_of_blocks(size_t m, size_t streams, const float *x, size_t ldx, const uint8_t *w, size_t bytes,
                               size_t rows, size_t blocks, size_t size, read_block *read, take_group *take, float *out,
                               size_t ldout) {
  size_t length = (rows + streams - 1) / streams;
  for (size_t o = 0; o < length; o++) {
    taker to[STREAMS];
    const uint8_t *p[STREAMS];
    for (size_t s = 0; s < streams; s++) {
      p[s] = w + (stream_start(s, length, rows) + o) * bytes;
      to[s].x = x;
      to[s].ldx = ldx;
      for (size_t r = 0; r < m; r++) to[s].sums[r][0] = to[s].sums[r][1] = (vf){0};
    }
    for (size_t i = 0; i < blocks; i++)
      for (size_t s = 0; s < streams; s++) {
        const uint8_t *block = p[s] + i * size;
        for (size_t line = 0; line < size; line += 64) __builtin_prefetch(block + FETCH_AHEAD + line);
        read(block, take, &to[s]);
      }
    for (size_t s = 0; s < streams; s++)
      for (size_t r = 0; r < m; r++)
        out[r * ldout + stream_start(s, length, rows) + o] = lanes_sum(to[s].sums[r][0] + to[s].sums[r][1]);
  }
}

#include "kernels/fixed_body.h"

#define CI_BLOCK(member, type, name, id, elements, size)                                                               \
  static void widen_blocks_##member(const uint8_t *p, size_t count, float *out) {                                      \
    taker to;                                                                                                          \
    to.out = out;                                                                                                      \
    for (; count--; p += size) block_##member(p, store_group, &to);                                                    \
  }                                                                                                                    \
  static void dot_blocks_##member(size_t m, const float *x, size_t ldx, const uint8_t *w, size_t bytes, size_t rows,   \
                                  size_t n, float *out, size_t ldout) {                                                \
    if (dot_in_integers(CI_BLOCK_##member, m, x, ldx, w, bytes, rows, n / elements, size, out, ldout)) return;         \
    if (m == 1)                                                                                                        \
      dot_rows_of_blocks(1, STREAMS, x, ldx, w, bytes, rows, n / elements, size, block_##member, dot_1, out, ldout);   \
    if (m == 2)                                                                                                        \
      dot_rows_of_blocks(2, (STREAMS + 1) / 2, x, ldx, w, bytes, rows, n / elements, size, block_##member, dot_2, out, \
                         ldout);                                                                                       \
    if (m == 3)                                                                                                        \
      dot_rows_of_blocks(3, 1, x, ldx, w, bytes, rows, n / elements, size, block_##member, dot_3, out, ldout);         \
    if (m == 4)                                                                                                        \
      dot_rows_of_blocks(4, 1, x, ldx, w, bytes, rows, n / elements, size, block_##member, dot_4, out, ldout);         \
  }
#include "formats/blocks.def"
#undef CI_BLOCK
