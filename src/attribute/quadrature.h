/* Captum's five quadratures of a straight path: points and weights on [0, 1]. */
#ifndef CI_ATTRIBUTE_QUADRATURE_H
#define CI_ATTRIBUTE_QUADRATURE_H
#include "engine/subject.h"

#define CI_QUADRATURES "gausslegendre|riemann_left|riemann_right|riemann_middle|riemann_trapezoid"

/* rule: one of the above. CI_EINVAL when it has no rule of so many points. */
ci_status ci_quadrature(const char *rule, size_t n, ci_point *points, ci_error *err);

#endif
