/* The attributed function along the straight line from the baseline to the text, known at as few places as say how it
 * runs: forwards alone, each for all targets. */
#ifndef CI_ATTRIBUTE_PROFILE_H
#define CI_ATTRIBUTE_PROFILE_H
#include "attribute/spline.h"
#include <stdbool.h>

typedef struct {
  /* out[count, targets] = the values at these places */
  ci_status (*measure)(void *context, const double *at, size_t count, double *out, ci_error *err);
  void *context;
  size_t targets;
  double *at;     /* [count] ascending, from 0 to 1 */
  double *values; /* [count, targets] */
  /* [count, targets], of the piece after a place: how far the value at its younger end was from a spline through the
   * places before, as part of |f(1) - f(0)| */
  double *surprises;
  size_t count, capacity, value_capacity, surprise_capacity;
} ci_profile;

/* A piece is cut in halves where its last value was a surprise of more than `part` for a target that is not `done`, or of
 * 16 times that in a piece beside it; until none is, pieces are 2^-14 long, or there are 2,048 places. At first `profile`
 * has its three members above, and zeros. */
ci_status ci_profile_extend(ci_profile *profile, const bool *done, double part, ci_error *err);
/* The spline of a target, which borrows the profile; ci_spline_free. */
ci_status ci_profile_spline(const ci_profile *profile, size_t target, ci_spline *spline, ci_error *err);
void ci_profile_free(ci_profile *profile);

#endif
