/* See spline.h. */
#include "attribute/spline.h"
#include "base/memory.h"

static double value(const ci_spline *s, size_t i) {
  return s->values[i * s->stride];
}

static double width(const ci_spline *s, size_t i) {
  return s->at[i + 1] - s->at[i];
}

static double secant(const ci_spline *s, size_t i) {
  return (value(s, i + 1) - value(s, i)) / width(s, i);
}

/* The equations of the slopes: below[i] m[i-1] + on[i] m[i] + above[i] m[i+1] = right[i]. */
typedef struct {
  double *below, *on, *above, *right;
} equations;

static void set_up(const ci_spline *s, equations e) {
  size_t n = s->count, last = n - 1;
  for (size_t i = 1; i < last; i++) {
    double before = width(s, i - 1), after = width(s, i);
    e.below[i] = after;
    e.on[i] = 2 * (before + after);
    e.above[i] = before;
    e.right[i] = 3 * (after * secant(s, i - 1) + before * secant(s, i));
  }
  double h = width(s, 0), next = width(s, 1), both = h + next;
  e.on[0] = next;
  e.above[0] = both;
  e.right[0] = ((h + 2 * both) * next * secant(s, 0) + h * h * secant(s, 1)) / both;
  h = width(s, n - 2), next = width(s, n - 3), both = h + next;
  e.on[last] = next;
  e.below[last] = both;
  e.right[last] = ((h + 2 * both) * next * secant(s, n - 2) + h * h * secant(s, n - 3)) / both;
}

ci_status ci_spline_fit(ci_spline *s, ci_error *err) {
  size_t n = s->count;
  double *room = ci_alloc_zeroed(4 * n, sizeof *room);
  ci_free(s->slopes);
  s->slopes = ci_alloc(n, sizeof *s->slopes);
  if (!room || !s->slopes) return ci_free(room), ci_fail_memory(err);
  equations e = {room, room + n, room + 2 * n, room + 3 * n};
  set_up(s, e);
  for (size_t i = 1; i < n; i++) {
    double factor = e.below[i] / e.on[i - 1];
    e.on[i] -= factor * e.above[i - 1];
    e.right[i] -= factor * e.right[i - 1];
  }
  s->slopes[n - 1] = e.right[n - 1] / e.on[n - 1];
  for (size_t i = n - 1; i-- > 0;) s->slopes[i] = (e.right[i] - e.above[i] * s->slopes[i + 1]) / e.on[i];
  ci_free(room);
  return CI_OK;
}

/* The piece that x lies in. */
static size_t piece(const ci_spline *s, double x) {
  size_t low = 0, high = s->count - 1;
  while (high - low > 1) {
    size_t middle = (low + high) / 2;
    if (s->at[middle] <= x)
      low = middle;
    else
      high = middle;
  }
  return low;
}

double ci_spline_value(const ci_spline *s, double x) {
  size_t i = piece(s, x);
  double h = width(s, i), t = (x - s->at[i]) / h, u = 1 - t;
  return u * u * ((1 + 2 * t) * value(s, i) + t * h * s->slopes[i]) +
         t * t * ((1 + 2 * u) * value(s, i + 1) - u * h * s->slopes[i + 1]);
}

double ci_spline_slope(const ci_spline *s, double x) {
  size_t i = piece(s, x);
  double t = (x - s->at[i]) / width(s, i), u = 1 - t;
  return 6 * t * u * secant(s, i) + u * (u - 2 * t) * s->slopes[i] + t * (t - 2 * u) * s->slopes[i + 1];
}

void ci_spline_free(ci_spline *s) {
  ci_free(s->slopes);
  s->slopes = NULL;
}
