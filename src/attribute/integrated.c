/* See integrated.h. */
#include "attribute/integrated.h"
#include <math.h>
#include <string.h>

enum { LEAST_STEPS = 4, MOST_AUTO_STEPS = 1024, MOST_STEPS = 1000000 };

static ci_status integrate(ci_attribution *a, const ci_integrated_options *o, int layer, size_t steps, const bool *skip,
                           ci_error *err) {
  ci_point *points = ci_alloc(steps, sizeof *points);
  ci_status status = points ? ci_quadrature(o->method, steps, points, err) : ci_fail_memory(err);
  ci_gradient_request request = {.layer = layer, .points = points, .point_count = steps, .skip = skip};
  request.reduce = o->multiply_by_inputs ? ci_times_difference : ci_as_it_is;
  if (!status) status = ci_attribute_by_gradient(a, &request, err);
  ci_free(points);
  return status;
}

/* Of each target, [targets]. */
typedef struct {
  double *difference; /* f(x) - f(x') */
  double *error;      /* |sum - difference| / |difference| */
  double *steps;      /* that its scores were made with */
  double *sums;
  bool *done;
} targets_state;

/* The targets whose scores are not within the tolerance; their error. */
static size_t judge(ci_attribution *a, targets_state *s, double tolerance, size_t steps) {
  size_t left = 0;
  ci_attribution_sums(a, s->sums);
  for (size_t t = 0; t < a->subject.target_count; t++) {
    if (s->done[t]) continue;
    s->error[t] = fabs(s->sums[t] - s->difference[t]) / fmax(fabs(s->difference[t]), 1e-6);
    s->steps[t] = (double)steps;
    s->done[t] = s->error[t] <= tolerance;
    left += !s->done[t];
  }
  return left;
}

/* Twice as many steps for the targets that need them. */
static ci_status refine(ci_attribution *a, const ci_integrated_options *o, int layer, targets_state *s, ci_error *err) {
  size_t left = a->subject.target_count;
  ci_status status = CI_OK;
  for (size_t steps = LEAST_STEPS; steps <= MOST_AUTO_STEPS && left && !status; steps *= 2) {
    status = integrate(a, o, layer, steps, s->done, err);
    if (!status) left = judge(a, s, o->tolerance, steps);
  }
  if (!status && left)
    ci_job_warn(a->job,
                "n_steps auto: %zu of %zu steps keep a completeness error above %g after %d points (see "
                "\"completeness_error\")",
                left, a->subject.target_count, o->tolerance, MOST_AUTO_STEPS);
  if (!status) status = ci_add_step_score(a, "completeness_error", s->error, err);
  return status ? status : ci_add_step_score(a, "n_steps", s->steps, err);
}

static ci_status automatic(ci_attribution *a, const ci_integrated_options *o, int layer, const ci_leaves *leaves,
                           ci_error *err) {
  size_t n = a->subject.target_count;
  double *room = ci_alloc(4 * n, sizeof *room);
  bool *done = ci_alloc_zeroed(n, sizeof *done);
  ci_status status = room && done ? CI_OK : ci_fail_memory(err);
  if (!status) {
    targets_state s = {room, room + n, room + 2 * n, room + 3 * n, done};
    status = ci_values_at_baseline(a, leaves, s.difference, err);
    ci_values_at_text(a, s.sums);
    for (size_t t = 0; t < n; t++) s.difference[t] = s.sums[t] - s.difference[t];
    if (!status) status = refine(a, o, layer, &s, err);
  }
  ci_free(room);
  ci_free(done);
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
  ci_leaves leaves;
  ci_leaves_of(a, layer, &leaves);
  status = is_auto ? automatic(a, o, layer, &leaves, err) : integrate(a, o, layer, steps, NULL, err);
  if (!status && o->return_convergence_delta) status = ci_add_deltas(a, &leaves, err);
  return status;
}
