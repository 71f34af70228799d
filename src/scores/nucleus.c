/* See nucleus.h. */
#include "scores/nucleus.h"
#include <math.h>
#include <stdlib.h>

static int descending(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x < y) - (x > y);
}

size_t ci_nucleus(float *sorted, size_t n, double top_p, size_t top_k, size_t least) {
  qsort(sorted, n, sizeof *sorted, descending);
  double total = 0, below = 0;
  for (size_t i = n; i-- > 0;) total += exp((double)sorted[i] - (double)sorted[0]);
  size_t kept = n;
  while (top_p < 1 && kept > least) {
    below += exp((double)sorted[kept - 1] - (double)sorted[0]) / total;
    if (below > 1 - top_p) break;
    kept--;
  }
  if (top_k && top_k < least) top_k = least;
  if (top_k && top_k < kept)
    for (kept = top_k; kept < n && sorted[kept] >= sorted[top_k - 1];) kept++;
  return kept;
}
