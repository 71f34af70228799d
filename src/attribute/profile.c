/* See profile.h. */
#include "attribute/profile.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

enum { FIRST_PIECES = 16, FINEST = 1 << 14, MOST_PLACES = 2048 };

/* Places to add, and what is known of them. */
typedef struct {
  double *at, *values, *surprises;
  size_t count;
} places;

static void insert_row(double *rows, size_t width, size_t count, size_t place, const double *row) {
  memmove(rows + (place + 1) * width, rows + place * width, (count - place) * width * sizeof *rows);
  memcpy(rows + place * width, row, width * sizeof *rows);
}

static ci_status add(ci_profile *p, const places *more, ci_error *err) {
  size_t count = p->count + more->count, targets = p->targets;
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

ci_status ci_profile_spline(const ci_profile *p, size_t target, ci_spline *spline, ci_error *err) {
  *spline = (ci_spline){.at = p->at, .values = p->values + target, .stride = p->targets, .count = p->count};
  return ci_spline_fit(spline, err);
}

/* How far a value is from what was expected; less what numbers in float32 differ by anyway. */
static double beyond_rounding(double expected, double value) {
  return fmax(fabs(expected - value) - 1e-6 * fabs(value), 0);
}

/* How far the values of new places are from what the profile tells of them; of the first ones it tells nothing. */
static ci_status compare(const ci_profile *p, const places *more, ci_error *err) {
  ci_status status = CI_OK;
  size_t targets = p->targets;
  for (size_t i = 0; i < more->count * targets && !p->count; i++) more->surprises[i] = INFINITY;
  for (size_t t = 0; t < targets && p->count && !status; t++) {
    ci_spline spline;
    status = ci_profile_spline(p, t, &spline, err);
    double whole = fmax(fabs(p->values[(p->count - 1) * targets + t] - p->values[t]), 1e-6);
    for (size_t i = 0; i < more->count && !status; i++)
      more->surprises[i * targets + t] =
          beyond_rounding(ci_spline_value(&spline, more->at[i]), more->values[i * targets + t]) / whole;
    ci_spline_free(&spline);
  }
  return status;
}

static bool is_surprising(const ci_profile *p, size_t piece, const bool *done, double part) {
  for (size_t t = 0; t < p->targets; t++)
    if (!done[t] && p->surprises[piece * p->targets + t] > part) return true;
  return false;
}

/* A value may be told by chance where those beside it are not: great surprises count for the next pieces too. */
static bool is_cut(const ci_profile *p, size_t piece, const bool *done, double part) {
  const double great = 16 * part; /* by which a spline's error falls where pieces are halved */
  return is_surprising(p, piece, done, part) || (piece && is_surprising(p, piece - 1, done, great)) ||
         (piece + 2 < p->count && is_surprising(p, piece + 1, done, great));
}

/* at[MOST_PLACES]: the middles of the pieces that may hold a surprise. */
static size_t choose(const ci_profile *p, const bool *done, double part, double *at) {
  size_t count = 0;
  for (; count <= FIRST_PIECES && !p->count; count++) at[count] = (double)count / FIRST_PIECES;
  for (size_t i = 0; i + 1 < p->count && p->count + count < MOST_PLACES; i++)
    if (p->at[i + 1] - p->at[i] > 1.0 / FINEST && is_cut(p, i, done, part)) at[count++] = (p->at[i] + p->at[i + 1]) / 2;
  return count;
}

static ci_status extend(ci_profile *p, const places *more, ci_error *err) {
  ci_status status = p->measure(p->context, more->at, more->count, more->values, err);
  if (!status) status = compare(p, more, err);
  return status ? status : add(p, more, err);
}

ci_status ci_profile_extend(ci_profile *p, const bool *done, double part, ci_error *err) {
  double *at = ci_alloc(MOST_PLACES, sizeof *at);
  ci_status status = at ? CI_OK : ci_fail_memory(err);
  for (size_t count; !status && (count = choose(p, done, part, at));) {
    double *room = ci_alloc(count * p->targets, 2 * sizeof *room);
    places more = {at, room, room + count * p->targets, count};
    status = room ? extend(p, &more, err) : ci_fail_memory(err);
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
