/* See panels.h. */
#include "attribute/panels.h"
#include "base/memory.h"
#include <math.h>

enum { POINTS = 2 };                          /* of a piece */
static const double FINEST = 1.0 / (1 << 14); /* a piece so narrow is not cut: there f jumps */
static const double SPREAD = 4;

typedef struct {
  double begin, width, error;
} piece;

/* Gauss' points of a piece: 1/2 -+ 1/sqrt(12), half its width each. */
static double point_of(const piece *p, int which) {
  return p->begin + p->width * (which ? 0.5 + sqrt(1.0 / 12) : 0.5 - sqrt(1.0 / 12));
}

static piece measured(const ci_spline *s, double begin, double width) {
  piece p = {begin, width, 0};
  double sum = 0;
  for (int i = 0; i < POINTS; i++) sum += ci_spline_slope(s, point_of(&p, i));
  p.error = sum * width / POINTS - (ci_spline_value(s, begin + width) - ci_spline_value(s, begin));
  return p;
}

/* The piece to cut; `count`: none, the sum is as good as it can be. */
static size_t worst(const piece *pieces, size_t count, double tolerance) {
  double sum = 0, squares = 0;
  size_t which = count;
  for (size_t i = 0; i < count; i++) {
    sum += pieces[i].error;
    squares += pieces[i].error * pieces[i].error;
    bool can_be_cut = pieces[i].width > FINEST;
    if (can_be_cut && (which == count || fabs(pieces[i].error) > fabs(pieces[which].error))) which = i;
  }
  return fabs(sum) <= tolerance && sqrt(squares) <= SPREAD * tolerance ? count : which;
}

ci_status ci_panels(const ci_spline *s, double tolerance, size_t most, ci_point **points, size_t *count,
                    ci_error *err) {
  size_t n = 1, most_pieces = most / POINTS ? most / POINTS : 1, cut;
  piece *pieces = ci_alloc(most_pieces, sizeof *pieces);
  *points = ci_alloc(most_pieces * POINTS, sizeof **points);
  if (!pieces || !*points) return ci_free(pieces), ci_fail_memory(err);
  pieces[0] = measured(s, 0, 1);
  while (n < most_pieces && (cut = worst(pieces, n, tolerance)) < n) {
    piece whole = pieces[cut];
    pieces[cut] = measured(s, whole.begin, whole.width / 2);
    pieces[n++] = measured(s, whole.begin + whole.width / 2, whole.width / 2);
  }
  *count = 0;
  for (size_t i = 0; i < n; i++)
    for (int k = 0; k < POINTS; k++)
      (*points)[(*count)++] = (ci_point){point_of(&pieces[i], k), pieces[i].width / POINTS};
  ci_free(pieces);
  return CI_OK;
}
