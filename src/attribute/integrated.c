/* See integrated.h. */
#include "attribute/integrated.h"
#include "attribute/adaptive.h"
#include <string.h>

enum { MOST_STEPS = 1000000 };

static ci_status integrate(ci_attribution *a, const ci_integrated_options *o, ci_leaves *leaves, size_t steps,
                           ci_error *err) {
  ci_point *points = ci_alloc(steps, sizeof *points);
  ci_status status = points ? ci_quadrature(o->method, steps, points, err) : ci_fail_memory(err);
  ci_gradient_request request = {.points = points, .point_count = steps};
  request.reduce = o->multiply_by_inputs ? ci_times_difference : ci_as_it_is;
  if (!status) status = ci_attribute_leaves(a, leaves, &request, err);
  ci_free(points);
  return status;
}

ci_status ci_integrated_steps(const ci_integrated_options *o, size_t *steps, ci_error *err) {
  int64_t number = 0;
  bool is_auto = json_is_string(o->n_steps) && !strcmp(json_string_value(o->n_steps), "auto");
  if (!is_auto && (!ci_json_as_int(o->n_steps, &number) || number < 1 || number > MOST_STEPS))
    return ci_fail(err, CI_EINVAL, "n_steps", "expected an integer from 1 to %d, or \"auto\"", MOST_STEPS);
  *steps = (size_t)number;
  return CI_OK;
}

ci_status ci_attribute_integrated(ci_attribution *a, const ci_integrated_options *o, int layer, ci_error *err) {
  size_t steps;
  ci_status status = ci_integrated_steps(o, &steps, err);
  if (status) return status;
  bool is_auto = !steps;
  if (is_auto && !o->multiply_by_inputs)
    return ci_fail(err, CI_EINVAL, "n_steps",
                   "\"auto\" goes by the sum of the scores, which need multiply_by_inputs for it");
  if (is_auto && strcmp(o->method, "gausslegendre") != 0)
    return ci_fail(err, CI_EINVAL, "n_steps",
                   "\"auto\" takes Gauss' points: expected method \"gausslegendre\", not \"%s\"", o->method);
  ci_leaves leaves;
  ci_leaves_open(a, layer, &leaves);
  status = is_auto ? ci_attribute_adaptively(a, &leaves, o->tolerance, err) : integrate(a, o, &leaves, steps, err);
  if (!status && o->return_convergence_delta) status = ci_add_deltas(a, &leaves, err);
  ci_leaves_close(&leaves);
  return status;
}
