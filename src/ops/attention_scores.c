/* Caps (Gemma 2, 2024) and position biases of attention scores: T5's (Raffel et al. 2020), ALiBi (Press et al. 2022). See
 * attention_scores.h, and ci_position_bias for the formula. */
#include "ops/attention_scores.h"

/* Keys [first, first + n) in three stretches: before the table, within it, past it. */
static void add_bias(const ci_position_bias *bias, size_t head, size_t position, size_t first, size_t n, float *s) {
  const float *row = bias->table ? bias->table + head * (bias->before + 1 + bias->after) : NULL;
  const float slope = bias->slopes ? bias->slopes[head] : 0;
  const ptrdiff_t low = -(ptrdiff_t)bias->before, high = (ptrdiff_t)bias->after, end = (ptrdiff_t)n;
  const ptrdiff_t start = (ptrdiff_t)first - (bias->by_key ? 0 : (ptrdiff_t)position); /* distance of the first key */
  ptrdiff_t k = 0;
  for (; k < end && start + k < low; k++) s[k] += (row ? row[0] : 0) + slope * (float)(start + k - low);
  if (row)
    for (; k < end && start + k <= high; k++) s[k] += row[start + k - low];
  else if (k < end && start + k <= high) k = end < high - start + 1 ? end : high - start + 1;
  for (; k < end; k++) s[k] += (row ? row[high - low] : 0) + slope * (float)(start + k - high);
}

float ci_attention_adjust(const ci_kernels *kernels, const ci_attention_params *params, size_t head, size_t position,
                          size_t first, size_t n, float *s, float *slopes) {
  if (params->soft_cap <= 0 && !params->bias) return params->scale;
  if (params->soft_cap > 0) kernels->soft_cap(s, s, n, params->scale, params->soft_cap);
  else
    for (size_t k = 0; k < n; k++) s[k] *= params->scale;
  for (size_t k = 0; slopes && k < n; k++) slopes[k] = 1 - s[k] / params->soft_cap * (s[k] / params->soft_cap);
  if (params->bias) add_bias(params->bias, head, position, first, n, s);
  return 1;
}
