/* Points of a straight path that are dense where a value changes fast along it, and few elsewhere. */
#ifndef CI_ATTRIBUTE_PANELS_H
#define CI_ATTRIBUTE_PANELS_H
#include "attribute/spline.h"
#include "engine/subject.h"

/* [0, 1] is cut in halves, and these again, with Gauss' two points in each piece: where the integral of the spline's
 * slope by them is farthest from the difference of its values, until their sum is within `tolerance` of f(1) - f(0),
 * and the root of the sum of squares within four times that (so that errors that happen to cancel do not pass), or
 * there are `most` points. points: NULL before, the caller's, also after an error. Points of several splines coincide
 * where their pieces do. */
ci_status ci_panels(const ci_spline *spline, double tolerance, size_t most, ci_point **points, size_t *count,
                    ci_error *err);

#endif
