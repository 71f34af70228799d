/* See profile.h. */
#include "attribute/profile.h"
#include <math.h>
#include <string.h>

enum { FIRST_PIECES = 16, FINEST = 1 << 16, MOST_PLACES = 2048 };

/* Places to add, and what is known of them. */
typedef struct {
  double *at, *values, *surprises;
  size_t count;
} places;

static void insert_row(double *rows, size_t width, size_t count, size_t place, const double *row) {
  memmove(rows + (place + 1) * width, rows + place * width, (count - place) * width * sizeof *rows);
  memcpy(rows + place * width, row, width * sizeof *rows);
}

static ci_status add(ci_profile *p, const places *more, size_t targets, ci_error *err) {
  size_t count = p->count + more->count;
  if (ci_reserve((void **)&p->at, &p->capacity, count, sizeof *p->at) ||
      ci_reserve((void **)&p->values, &p->value_capacity, count * targets, sizeof *p->values) ||
      ci_reserve((void **)&p->surprises, &p->surprise_capacity, count * targets, sizeof *p->surprises))
    return ci_fail_memory(err);
  for (size_t i = 0; i < more->count; i++, p->count++) {
    size_t place = p->count;
    while (place && p->at[place - 1] > more->at[i]) place--;
    insert_row(p->at, 1, p->count, place, &more->at[i]);
    insert_row(p->values, targets, p->count, place, more->values + i * targets);
    const double *surprise = more->surprises + i * targets; /* of both halves */
    insert_row(p->surprises, targets, p->count, place, surprise);
    if (place) memcpy(p->surprises + (place - 1) * targets, surprise, targets * sizeof *surprise);
  }
  return CI_OK;
}

ci_status ci_profile_spline(const ci_profile *p, size_t target, size_t targets, ci_spline *spline, ci_error *err) {
  *spline = (ci_spline){.at = p->at, .values = p->values + target, .stride = targets, .count = p->count};
  return ci_spline_fit(spline, err);
}

/* How far a value is from what was expected; less what numbers in float32 differ by anyway. */
static double beyond_rounding(double expected, double value) {
  return fmax(fabs(expected - value) - 1e-6 * fabs(value), 0);
}

/* How far the values of new places are from what the profile tells of them; of the first ones it tells nothing. */
static ci_status compare(const ci_profile *p, const places *more, size_t targets, ci_error *err) {
  ci_status status = CI_OK;
  for (size_t i = 0; i < more->count * targets && !p->count; i++) more->surprises[i] = INFINITY;
  for (size_t t = 0; t < targets && p->count && !status; t++) {
    ci_spline spline;
    status = ci_profile_spline(p, t, targets, &spline, err);
    double whole = fmax(fabs(p->values[(p->count - 1) * targets + t] - p->values[t]), 1e-6);
    for (size_t i = 0; i < more->count && !status; i++)
      more->surprises[i * targets + t] =
          beyond_rounding(ci_spline_value(&spline, more->at[i]), more->values[i * targets + t]) / whole;
    ci_spline_free(&spline);
  }
  return status;
}

static bool is_surprising(const ci_profile *p, size_t piece, size_t targets, const bool *done, double part) {
  for (size_t t = 0; t < targets; t++)
    if (!done[t] && p->surprises[piece * targets + t] > part) return true;
  return false;
}

/* at[MOST_PLACES]: the middles of the pieces that may hold a surprise. */
static size_t choose(const ci_profile *p, size_t targets, const bool *done, double part, double *at) {
  size_t count = 0;
  for (; count <= FIRST_PIECES && !p->count; count++) at[count] = (double)count / FIRST_PIECES;
  for (size_t i = 0; i + 1 < p->count && p->count + count < MOST_PLACES; i++)
    if (p->at[i + 1] - p->at[i] > 1.0 / FINEST && is_surprising(p, i, targets, done, part))
      at[count++] = (p->at[i] + p->at[i + 1]) / 2;
  return count;
}

static ci_status extend(ci_profile *p, ci_attribution *a, const ci_leaves *leaves, const places *more, ci_error *err) {
  size_t targets = a->subject.target_count;
  ci_status status = ci_values_on_line(a, leaves, more->at, more->count, more->values, err);
  if (!status) status = compare(p, more, targets, err);
  return status ? status : add(p, more, targets, err);
}

ci_status ci_profile_extend(ci_profile *p, ci_attribution *a, const ci_leaves *leaves, const bool *done, double part,
                            ci_error *err) {
  size_t targets = a->subject.target_count;
  double *at = ci_alloc(MOST_PLACES, sizeof *at);
  ci_status status = at ? CI_OK : ci_fail_memory(err);
  for (size_t count; !status && (count = choose(p, targets, done, part, at));) {
    double *room = ci_alloc(count * targets, 2 * sizeof *room);
    places more = {at, room, room + count * targets, count};
    status = room ? extend(p, a, leaves, &more, err) : ci_fail_memory(err);
    ci_free(room);
  }
  ci_free(at);
  return status;
}

void ci_profile_free(ci_profile *p) {
  ci_free(p->at);
  ci_free(p->values);
  ci_free(p->surprises);
  *p = (ci_profile){0};
}
