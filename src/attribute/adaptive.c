/* See adaptive.h. */
#include "attribute/adaptive.h"
#include "attribute/panels.h"
#include "attribute/profile.h"
#include <math.h>
#include <stdlib.h>

enum { ROUNDS = 3, MOST_STEPS = 1024 };

/* Of each target, [targets]. */
typedef struct {
  double *difference; /* f(x) - f(x') */
  double *error;      /* |sum - difference| / |difference| */
  double *steps;      /* that its scores were made with */
  double *sums;
  bool *done;
} targets_state;

/* A point that one target wants. */
typedef struct {
  ci_point point;
  size_t target;
} wish;

typedef struct {
  wish *items;
  size_t count, capacity;
} wishes;

static int by_place(const void *a, const void *b) {
  const wish *x = a, *y = b;
  return (x->point.alpha > y->point.alpha) - (x->point.alpha < y->point.alpha);
}

static ci_status wish_for(wishes *w, const ci_profile *profile, size_t target, double tolerance, ci_error *err) {
  ci_spline spline;
  ci_point *points = NULL;
  size_t count = 0;
  ci_status status = ci_profile_spline(profile, target, &spline, err);
  if (!status) status = ci_panels(&spline, tolerance, MOST_STEPS, &points, &count, err);
  if (!status && ci_reserve((void **)&w->items, &w->capacity, w->count + count, sizeof *w->items))
    status = ci_fail_memory(err);
  for (size_t i = 0; i < count && !status; i++) w->items[w->count++] = (wish){points[i], target};
  ci_spline_free(&spline);
  ci_free(points);
  return status;
}

/* What the targets that are not done want, by place. */
static ci_status collect(wishes *w, const ci_profile *profile, targets_state *s, double tolerance, ci_error *err) {
  ci_status status = CI_OK;
  w->count = 0;
  for (size_t t = 0; t < profile->targets && !status; t++) {
    size_t before = w->count;
    if (s->done[t]) continue;
    status = wish_for(w, profile, t, tolerance * fmax(fabs(s->difference[t]), 1e-6), err);
    s->steps[t] = (double)(w->count - before);
  }
  if (!status) qsort(w->items, w->count, sizeof *w->items, by_place);
  return status;
}

/* Gradients at the places that are wished for: each place once, for those targets that wish for it. */
static ci_status fulfil(ci_attribution *a, const wishes *w, ci_leaves *leaves, const bool *done, ci_error *err) {
  size_t targets = a->subject.target_count, count = 0;
  for (size_t i = 0; i < w->count; i++) count += !i || by_place(&w->items[i - 1], &w->items[i]);
  ci_point *points = ci_alloc(count, sizeof *points);
  double *weights = ci_alloc_zeroed(count * targets, sizeof *weights);
  ci_status status = points && weights ? CI_OK : ci_fail_memory(err);
  size_t place = 0;
  for (size_t i = 0; i < w->count && !status; i++) {
    place += i && by_place(&w->items[i - 1], &w->items[i]);
    points[place] = w->items[i].point;
    weights[place * targets + w->items[i].target] = w->items[i].point.weight;
  }
  ci_gradient_request request = {
      .points = points, .point_count = count, .weights = weights, .reduce = ci_times_difference, .skip = done};
  if (!status) status = ci_attribute_leaves(a, leaves, &request, err);
  ci_free(points);
  ci_free(weights);
  return status;
}

/* The targets whose scores are not within the tolerance; their error. */
static size_t judge(ci_attribution *a, targets_state *s, double tolerance) {
  size_t left = 0;
  ci_attribution_sums(a, s->sums);
  for (size_t t = 0; t < a->subject.target_count; t++) {
    if (s->done[t]) continue;
    s->error[t] = fabs(s->sums[t] - s->difference[t]) / fmax(fabs(s->difference[t]), 1e-6);
    s->done[t] = s->error[t] <= tolerance;
    left += !s->done[t];
  }
  return left;
}

typedef struct {
  ci_attribution *a;
  ci_leaves *leaves;
} line;

static ci_status measure(void *context, const double *at, size_t count, double *out, ci_error *err) {
  const line *l = context;
  return ci_values_on_line(l->a, l->leaves, at, count, out, err);
}

/* Half of the tolerance is for what the profile does not tell. */
static ci_status refine(ci_attribution *a, ci_leaves *leaves, targets_state *s, double tolerance, ci_error *err) {
  size_t targets = a->subject.target_count, left = targets;
  line l = {a, leaves};
  ci_profile profile = {.measure = measure, .context = &l, .targets = targets};
  wishes w = {0};
  ci_status status = CI_OK;
  double part = tolerance / 2;
  for (int round = 0; round < ROUNDS && left && !status; round++, part /= 4) {
    status = ci_profile_extend(&profile, s->done, part, err);
    for (size_t t = 0; t < targets && !status; t++)
      s->difference[t] = profile.values[(profile.count - 1) * targets + t] - profile.values[t];
    if (!status) status = collect(&w, &profile, s, part, err);
    if (!status) status = fulfil(a, &w, leaves, s->done, err);
    if (!status) left = judge(a, s, tolerance);
  }
  if (!status && left)
    ci_job_warn(
        a->job,
        "n_steps auto: %zu of %zu steps do not keep the completeness error below %g (see \"completeness_error\")", left,
        targets, tolerance);
  ci_free(w.items);
  ci_profile_free(&profile);
  return status;
}

ci_status ci_attribute_adaptively(ci_attribution *a, ci_leaves *leaves, double tolerance, ci_error *err) {
  size_t n = a->subject.target_count;
  double *room = ci_alloc(4 * n, sizeof *room);
  bool *done = ci_alloc_zeroed(n, sizeof *done);
  ci_status status = room && done ? CI_OK : ci_fail_memory(err);
  targets_state s = {room, room + n, room + 2 * n, room + 3 * n, done};
  if (!status) status = refine(a, leaves, &s, tolerance, err);
  if (!status) status = ci_add_step_score(a, "completeness_error", s.error, err);
  if (!status) status = ci_add_step_score(a, "n_steps", s.steps, err);
  ci_free(room);
  ci_free(done);
  return status;
}
