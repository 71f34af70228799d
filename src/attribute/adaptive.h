/* n_steps "auto": as many points as each target's tolerance takes, where its path needs them. */
#ifndef CI_ATTRIBUTE_ADAPTIVE_H
#define CI_ATTRIBUTE_ADAPTIVE_H
#include "attribute/completeness.h"

/* Integrated gradients of leaves, whose sum is within `tolerance` of f(x) - f(x'), as part of it:
 * forwards say where f changes along the path (profile.h), points are chosen for each target (panels.h), and targets
 * whose gradients then do not add up are taken again, more strictly. Step scores "completeness_error" and "n_steps". */
ci_status ci_attribute_adaptively(ci_attribution *a, ci_leaves *leaves, double tolerance, ci_error *err);

#endif
