/* How far attributions are from adding up to the difference f(x) - f(x') between the text and its baseline (the axiom
 * of completeness, Sundararajan et al. 2017). */
#ifndef CI_ATTRIBUTE_COMPLETENESS_H
#define CI_ATTRIBUTE_COMPLETENESS_H
#include "attribute/gradient.h"

/* out[targets] = f(x), the attributed function at the text. */
void ci_values_at_text(ci_attribution *a, double *out);
/* out[targets] = f(x'), where the leaves have their baseline's values. */
ci_status ci_values_at_baseline(ci_attribution *a, ci_leaves *leaves, double *out, ci_error *err);
/* out[count, targets] = f where the leaves are baseline + at[i] (text - baseline). */
ci_status ci_values_on_line(ci_attribution *a, ci_leaves *leaves, const double *at, size_t count, double *out,
                            ci_error *err);
/* out[targets] = sum of all attributions of the result. */
void ci_attribution_sums(const ci_attribution *a, double *out);

/* A step score: values[targets]. */
ci_status ci_add_step_score(ci_attribution *a, const char *name, const double *values, ci_error *err);
/* The step score "deltas" of Captum's return_convergence_delta: sum - (f(x) - f(x')). */
ci_status ci_add_deltas(ci_attribution *a, ci_leaves *leaves, ci_error *err);

/* The row of an option table that asks for them; `member` is a bool of the struct. */
#define CI_DELTA_OPTION(arguments, member)                                                                             \
  {                                                                                                                    \
    "return_convergence_delta", NULL, CI_BOOL, offsetof(arguments, member), "false", 0, 0, NULL,                       \
        "Step score \"deltas\": how far the scores are from adding up to the difference to the baseline."              \
  }

#endif
