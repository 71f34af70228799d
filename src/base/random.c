/* See random.h. */
#include "base/random.h"
#include <math.h>

void ci_random_bits(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bits[2]) {
  uint64_t low = index, high = stream, key = seed;
  for (int round = 0; round < 10; round++) {
    __extension__ unsigned __int128 product = (unsigned __int128)low * 0xD2B74407B1CE6E93u;
    low = (uint64_t)(product >> 64) ^ key ^ high;
    high = (uint64_t)product;
    key += 0x9E3779B97F4A7C15u;
  }
  bits[0] = low;
  bits[1] = high;
}

static double to_uniform(uint64_t bits) {
  return (double)(bits >> 11) * 0x1p-53;
}

double ci_random_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
  uint64_t bits[2];
  ci_random_bits(seed, stream, index, bits);
  return to_uniform(bits[0]);
}

double ci_random_normal(uint64_t seed, uint64_t stream, uint64_t index) {
  uint64_t bits[2];
  ci_random_bits(seed, stream, index, bits);
  return sqrt(-2 * log(1 - to_uniform(bits[0]))) * cos(2 * M_PI * to_uniform(bits[1]));
}
