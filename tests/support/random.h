/* Reproducible numbers for tests: the same on every machine. */
#ifndef CI_TESTS_RANDOM_H
#define CI_TESTS_RANDOM_H
#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* Steele et al. 2014, splitmix64 */
static inline uint64_t random_bits(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* Uniform in [-1, 1). */
static inline float random_float(uint64_t *state) {
  return (float)((double)(int64_t)random_bits(state) / 9223372036854775808.0);
}

static inline void random_floats(uint64_t *state, float *x, size_t n, float scale) {
  for (size_t i = 0; i < n; i++) x[i] = scale * random_float(state);
}

/* IEEE half precision with magnitudes of 2^-3 to 2^0, as weights have them; and bfloat16. */
static inline uint16_t random_half(uint64_t *state) {
  uint64_t bits = random_bits(state);
  return (uint16_t)((bits & 0x83ffu) | (12 + (bits >> 16) % 3) << 10);
}

static inline uint16_t random_bfloat(uint64_t *state) {
  uint64_t bits = random_bits(state);
  return (uint16_t)((bits & 0x807fu) | (124 + (bits >> 16) % 3) << 7);
}

/* What they stand for. */
static inline double half_value(uint16_t h) {
  int exponent = h >> 10 & 31, mantissa = h & 1023;
  double magnitude = exponent == 31 ? (mantissa ? (double)NAN : (double)INFINITY)
                     : exponent     ? ldexp(1024 + mantissa, exponent - 25)
                                    : ldexp(mantissa, -24);
  return h & 0x8000 ? -magnitude : magnitude;
}

static inline double bfloat_value(uint16_t h) {
  int exponent = h >> 7 & 255, mantissa = h & 127;
  double magnitude = exponent == 255 ? (mantissa ? (double)NAN : (double)INFINITY)
                     : exponent      ? ldexp(128 + mantissa, exponent - 134)
                                     : ldexp(mantissa, -133);
  return h & 0x8000 ? -magnitude : magnitude;
}

#endif
