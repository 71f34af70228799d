/* The shared body of gradient methods. See attribution.h. */
#include "attribute/attribution.h"
#include <math.h>

void ci_as_it_is(const float *x, const float *b, float *g, size_t n) { (void)x, (void)b, (void)g, (void)n; }

void ci_times_difference(const float *x, const float *b, float *g, size_t n) {
  for (size_t i = 0; i < n; i++) g[i] *= x[i] - b[i];
}

/* In place: gradients[row, target, :] reduced; rows that a target cannot see, and the last token's, are NaN. */
static ci_status finish(ci_attribution *a, ci_space_id space, float *gradients, bool has_baseline, ci_reduction *reduce,
                        ci_error *err) {
  size_t width = ci_attribution_width(a, space), rows = ci_subject_rows(&a->subject, space), targets = a->subject.target_count;
  float *x = NULL;
  const float *b = NULL;
  ci_status status = ci_attribution_values(a, space, &x, err);
  if (!status && has_baseline) status = ci_attribution_baseline(a, space, &b, err);
  for (size_t r = 0; r < rows && !status; r++)
    for (size_t t = 0; t < targets; t++) {
      float *g = gradients + (r * targets + t) * width;
      if (space == CI_ENCODER || r < a->start + t) reduce(x + r * width, b ? b + r * width : NULL, g, width);
      else
        for (size_t i = 0; i < width; i++) g[i] = NAN;
    }
  ci_free(x);
  return status;
}

ci_status ci_attribute_by_gradient(ci_attribution *a, const ci_point *points, size_t count, ci_reduction *reduce, ci_error *err) {
  ci_path path = {.points = points, .point_count = count};
  float *gradients[CI_SPACES] = {0};
  ci_status status = CI_OK;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++) {
    if (!a->wants[space]) continue;
    path.wanted[space] = true;
    ci_array *array;
    status = ci_attribution_array(a, space, 3, ci_attribution_width(a, space), 1, &array, err);
    if (!status) gradients[space] = array->data;
    if (!status && points) status = ci_attribution_baseline(a, space, &path.baseline[space], err);
  }
  if (!status) status = ci_subject_gradients(&a->subject, &path, &a->objective, gradients, err);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++)
    if (a->wants[space]) status = finish(a, space, gradients[space], points != NULL, reduce, err);
  return status;
}
