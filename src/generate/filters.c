/* Processors of sampling: temperature, top_k (Fan et al. 2018), top_p (Holtzman et al. 2019). They keep at least one
 * token. Arithmetic as torch: float32 scores, cumulated in double. */
#include "generate/processors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool ci_temperature_applies(const ci_search *search) {
  return search->options->do_sample && search->options->temperature != 1;
}

void ci_temperature(const ci_search *search, const int32_t *ids, size_t count, float *scores) {
  (void)ids, (void)count;
  float temperature = (float)search->options->temperature;
  for (size_t i = 0; i < search->stepper->vocabulary; i++) scores[i] /= temperature;
}

/* The k-th largest of values[0..n), 1 <= k <= n (Hoare's selection; values are reordered). */
static float select_largest(float *values, size_t n, size_t k) {
  size_t low = 0, high = n - 1, wanted = k - 1;
  while (low < high) {
    float pivot = values[low + (high - low) / 2];
    size_t i = low, j = high;
    for (;;) {
      while (values[i] > pivot) i++;
      while (values[j] < pivot) j--;
      if (i >= j) break;
      float swap = values[i];
      values[i++] = values[j];
      values[j--] = swap;
    }
    /* values[low..i) >= pivot >= values[j+1..high] */
    if (wanted <= j && j < high)
      high = j;
    else if (wanted >= i && i > low)
      low = i;
    else
      return pivot;
  }
  return values[wanted];
}

bool ci_top_k_applies(const ci_search *search) {
  return search->options->do_sample && search->options->top_k > 0;
}

void ci_top_k(const ci_search *search, const int32_t *ids, size_t count, float *scores) {
  (void)ids, (void)count;
  size_t n = search->stepper->vocabulary;
  if ((uint64_t)search->options->top_k >= n) return;
  memcpy(search->scratch, scores, n * sizeof *scores);
  float least = select_largest(search->scratch, n, (size_t)search->options->top_k);
  for (size_t i = 0; i < n; i++)
    if (scores[i] < least) scores[i] = -INFINITY;
}

static int ascending(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

bool ci_top_p_applies(const ci_search *search) {
  return search->options->do_sample && search->options->top_p < 1;
}

/* From the least likely on, tokens go while their probabilities sum to at most 1 - top_p. Of tokens with the same score
 * as the first that stays all stay. */
void ci_top_p(const ci_search *search, const int32_t *ids, size_t count, float *scores) {
  (void)ids, (void)count;
  size_t n = search->stepper->vocabulary, finite = 0;
  float *sorted = search->scratch;
  for (size_t i = 0; i < n; i++)
    if (scores[i] > -INFINITY) sorted[finite++] = scores[i];
  if (!finite) return;
  qsort(sorted, finite, sizeof *sorted, ascending);
  double sum = 0, cumulated = 0;
  float most = sorted[finite - 1], limit = (float)(1 - search->options->top_p), least = most;
  for (size_t i = 0; i < finite; i++) sum += expf(sorted[i] - most);
  for (size_t i = 0; i < finite; i++) {
    cumulated += (float)(expf(sorted[i] - most) / sum);
    if ((float)cumulated <= limit) continue;
    least = sorted[i];
    break;
  }
  for (size_t i = 0; i < n; i++)
    if (scores[i] < least) scores[i] = -INFINITY;
}
