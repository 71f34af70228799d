/* See alibi.h. Slopes are powers in float32, as transformers' build_alibi_tensor has them. */
#include "models/alibi.h"
#include <math.h>

const float *ci_alibi_slopes(ci_builder *b, size_t heads) {
  float *slopes = ci_build_alloc(b, heads, sizeof *slopes);
  size_t n = 1;
  while (n <= heads / 2) n *= 2;
  float base = (float)pow(2, -8.0 / (double)n), between = (float)pow(2, -4.0 / (double)n);
  for (size_t i = 0; slopes && i < heads; i++)
    slopes[i] = i < n ? powf(base, (float)(i + 1)) : powf(between, (float)(2 * (i - n) + 1));
  return slopes;
}

const float *ci_alibi_slopes_mpt(ci_builder *b, size_t heads, double most) {
  float *slopes = ci_build_alloc(b, heads, sizeof *slopes);
  size_t n = 1;
  while (n < heads) n *= 2;
  for (size_t i = 0; slopes && i < heads; i++) {
    size_t power = n == heads ? i + 1 : i < n / 2 ? 2 * i + 2 : 2 * (i - n / 2) + 1;
    slopes[i] = 1 / powf(2, (float)power * (float)(most / (double)n));
  }
  return slopes;
}

const ci_position_bias *ci_alibi(ci_builder *b, const float *slopes) {
  ci_position_bias *bias = ci_build_alloc(b, 1, sizeof *bias);
  if (bias) *bias = (ci_position_bias){.slopes = slopes};
  return bias;
}
