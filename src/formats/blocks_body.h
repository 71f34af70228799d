/* Blocks of quantised numbers to float32, bit for bit as the gguf package (gguf.quants, ggml-quants.c) has them.
 * Included by dtype.c, which defines half_to_float before. Products with weights read them 32 at a time, in
 * kernels/blocks_body.h, to the same bits: products that are added to something are exact in float32 (11 bits of a
 * half, 6 of a scale, 5 of a number at most), so a fused multiply-add changes nothing. */
#include "formats/blocks.h"
#include <string.h>

static inline float block_half(const uint8_t *p) {
  return half_to_float((uint16_t)(p[0] | p[1] << 8));
}

/* half d, 16 bytes: number i is the low nibble of byte i, number i + 16 the high one; d (q - 8) */
static inline void widen_q4_0(const uint8_t *p, size_t count, float *out) {
  for (; count--; p += 18, out += 32) {
    float d = block_half(p);
    for (int i = 0; i < 16; i++) out[i] = (float)((p[2 + i] & 15) - 8) * d;
    for (int i = 0; i < 16; i++) out[i + 16] = (float)((p[2 + i] >> 4) - 8) * d;
  }
}

/* half d, half m, nibbles as above; d q + m */
static inline void widen_q4_1(const uint8_t *p, size_t count, float *out) {
  for (; count--; p += 20, out += 32) {
    float d = block_half(p), m = block_half(p + 2);
    for (int i = 0; i < 16; i++) out[i] = (float)(p[4 + i] & 15) * d + m;
    for (int i = 0; i < 16; i++) out[i + 16] = (float)(p[4 + i] >> 4) * d + m;
  }
}

/* The 32 fifth bits, of which bit i is number i's. */
static inline uint32_t block_bits(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* half d, fifth bits, nibbles; d (q - 16) */
static inline void widen_q5_0(const uint8_t *p, size_t count, float *out) {
  for (; count--; p += 22, out += 32) {
    float d = block_half(p);
    uint32_t high = block_bits(p + 2);
    for (int i = 0; i < 16; i++) out[i] = (float)((int)((p[6 + i] & 15u) | (high >> i & 1u) << 4) - 16) * d;
    for (int i = 0; i < 16; i++) out[i + 16] = (float)((int)((p[6 + i] >> 4) | (high >> (i + 16) & 1u) << 4) - 16) * d;
  }
}

/* half d, half m, fifth bits, nibbles; d q + m */
static inline void widen_q5_1(const uint8_t *p, size_t count, float *out) {
  for (; count--; p += 24, out += 32) {
    float d = block_half(p), m = block_half(p + 2);
    uint32_t high = block_bits(p + 4);
    for (int i = 0; i < 16; i++) out[i] = (float)(int)((p[8 + i] & 15u) | (high >> i & 1u) << 4) * d + m;
    for (int i = 0; i < 16; i++)
      out[i + 16] = (float)(int)((uint32_t)(p[8 + i] >> 4) | (high >> (i + 16) & 1u) << 4) * d + m;
  }
}

/* half d, 32 signed bytes */
static inline void widen_q8_0(const uint8_t *p, size_t count, float *out) {
  for (; count--; p += 34, out += 32) {
    float d = block_half(p);
    for (int i = 0; i < 32; i++) out[i] = (float)(int8_t)p[2 + i] * d;
  }
}

/* 16 bytes of 4-bit scales and minima for 16 numbers each, 64 bytes of 2-bit numbers, half d, half dmin */
static inline void widen_q2_k(const uint8_t *p, size_t count, float *out) {
  for (; count--; p += 84) {
    float d = block_half(p + 80), dmin = block_half(p + 82);
    for (int g = 0; g < 16; g++, out += 16) {
      const uint8_t *q = p + 16 + g / 8 * 32 + g % 2 * 16;
      int shift = g % 8 / 2 * 2;
      float scale = d * (float)(p[g] & 15), least = dmin * (float)(p[g] >> 4);
      for (int i = 0; i < 16; i++) out[i] = scale * (float)(q[i] >> shift & 3) - least;
    }
  }
}

/* 32 bytes of third bits (0: minus 4), 64 bytes of 2-bit numbers, 12 bytes of 6-bit scales, half d */
static inline void widen_q3_k(const uint8_t *p, size_t count, float *out) {
  for (; count--; p += 110) {
    const uint8_t *s = p + 96;
    float d = block_half(p + 108);
    for (int g = 0; g < 16; g++, out += 16) {
      int low = g < 8 ? s[g] & 15 : s[g - 8] >> 4, high = s[8 + g % 4] >> g / 4 * 2 & 3;
      const uint8_t *q = p + 32 + g / 8 * 32 + g % 2 * 16, *h = p + g % 2 * 16;
      int shift = g % 8 / 2 * 2, bit = g / 2;
      float scale = d * (float)((low | high << 4) - 32);
      for (int i = 0; i < 16; i++) out[i] = scale * (float)((q[i] >> shift & 3) - (h[i] >> bit & 1 ? 0 : 4));
    }
  }
}

/* Scale and minimum (6 bits each) number j of 8, packed in 12 bytes. */
static inline void block_scale_min(const uint8_t *s, int j, float *scale, float *least) {
  *scale = (float)(j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4);
  *least = (float)(j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4);
}

/* half d, half dmin, 12 bytes of scales and minima, 128 bytes of nibbles: 32 low ones, then the 32 high ones of the
 * same bytes */
static inline void widen_q4_k(const uint8_t *p, size_t count, float *out) {
  for (; count--; p += 144) {
    float d = block_half(p), dmin = block_half(p + 2);
    for (int g = 0; g < 8; g++, out += 32) {
      const uint8_t *q = p + 16 + g / 2 * 32;
      int shift = g % 2 * 4;
      float scale, least;
      block_scale_min(p + 4, g, &scale, &least);
      scale *= d;
      least *= dmin;
      for (int i = 0; i < 32; i++) out[i] = scale * (float)(q[i] >> shift & 15) - least;
    }
  }
}

/* as Q4_K, with 32 bytes of fifth bits before the nibbles: bit g of byte i for number i of group g */
static inline void widen_q5_k(const uint8_t *p, size_t count, float *out) {
  for (; count--; p += 176) {
    float d = block_half(p), dmin = block_half(p + 2);
    for (int g = 0; g < 8; g++, out += 32) {
      const uint8_t *q = p + 48 + g / 2 * 32, *h = p + 16;
      int shift = g % 2 * 4;
      float scale, least;
      block_scale_min(p + 4, g, &scale, &least);
      scale *= d;
      least *= dmin;
      for (int i = 0; i < 32; i++) out[i] = scale * (float)((q[i] >> shift & 15) | (h[i] >> g & 1) << 4) - least;
    }
  }
}

/* 128 bytes of low nibbles, 64 bytes of upper 2 bits, 16 signed scales of 16 numbers each, half d; d scale (q - 32) */
static inline void widen_q6_k(const uint8_t *p, size_t count, float *out) {
  for (; count--; p += 210) {
    float d = block_half(p + 208);
    for (int g = 0; g < 16; g++, out += 16) {
      const uint8_t *low = p + g / 8 * 64 + g % 4 * 16, *high = p + 128 + g / 8 * 32 + g % 2 * 16;
      int nibble = g % 8 / 4 * 4, shift = g % 8 / 2 * 2;
      float scale = d * (float)(int8_t)p[192 + g];
      for (int i = 0; i < 16; i++) out[i] = scale * (float)((low[i] >> nibble & 15) + (high[i] >> shift & 3) * 16 - 32);
    }
  }
}

static const int8_t block_iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/* half d, nibbles as in Q4_0 that choose from 16 values */
static inline void widen_iq4_nl(const uint8_t *p, size_t count, float *out) {
  for (; count--; p += 18, out += 32) {
    float d = block_half(p);
    for (int i = 0; i < 16; i++) out[i] = d * (float)block_iq4[p[2 + i] & 15];
    for (int i = 0; i < 16; i++) out[i + 16] = d * (float)block_iq4[p[2 + i] >> 4];
  }
}

/* half d, 2 bytes of upper 2 bits and 4 bytes of lower 4 bits of 8 scales, 8 times 16 bytes of nibbles */
static inline void widen_iq4_xs(const uint8_t *p, size_t count, float *out) {
  for (; count--; p += 136) {
    float d = block_half(p);
    unsigned upper = p[2] | (unsigned)p[3] << 8;
    for (int g = 0; g < 8; g++, out += 32) {
      const uint8_t *q = p + 8 + g * 16;
      int low = p[4 + g / 2] >> g % 2 * 4 & 15, high = (int)(upper >> 2 * g & 3u);
      float scale = d * (float)((low | high << 4) - 32);
      for (int i = 0; i < 16; i++) out[i] = scale * (float)block_iq4[q[i] & 15];
      for (int i = 0; i < 16; i++) out[i + 16] = scale * (float)block_iq4[q[i] >> 4];
    }
  }
}

/* Twice the values of FP4 (E2M1), for half the scale (OCP Microscaling Formats 1.0). */
static const int8_t block_mxfp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* a byte e, nibbles as in Q4_0; 2^(e - 128) value */
static inline void widen_mxfp4(const uint8_t *p, size_t count, float *out) {
  for (; count--; p += 17, out += 32) {
    uint32_t bits = p[0] < 2 ? 0x00200000u << p[0] : (uint32_t)(p[0] - 1) << 23;
    float d;
    memcpy(&d, &bits, sizeof d);
    for (int i = 0; i < 16; i++) out[i] = d * (float)block_mxfp4[p[1 + i] & 15];
    for (int i = 0; i < 16; i++) out[i + 16] = d * (float)block_mxfp4[p[1 + i] >> 4];
  }
}
