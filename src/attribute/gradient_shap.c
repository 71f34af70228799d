/* E[(x + n - x') d f / d x at x' + a (x + n - x')], a uniform on [0, 1] and n normal noise, by the mean of n_samples
 * draws (Lundberg and Lee 2017, as Captum's GradientShap). One draw of points serves all targets: each column has the
 * distribution that it has in Inseq, where every step draws anew, but the columns of one run are correlated. */
#include "attribute/completeness.h"
#include "base/random.h"
#include <math.h>
#include <string.h>

typedef struct {
  int64_t n_samples;
  double stdevs;
  bool multiply_by_inputs;
  bool return_convergence_delta;
  int64_t seed;
} arguments;

static const ci_option options_table[] = {
    {"n_samples", NULL, CI_INT, offsetof(arguments, n_samples), "5", 1, 1e6, NULL, "Points drawn on the path."},
    {"stdevs", NULL, CI_REAL, offsetof(arguments, stdevs), "0", 0, 1e6, NULL,
     "Standard deviation of noise on the inputs."},
    {"multiply_by_inputs", NULL, CI_BOOL, offsetof(arguments, multiply_by_inputs), "true", 0, 0, NULL,
     "Multiply the mean gradient by input minus baseline."},
    CI_DELTA_OPTION(arguments, return_convergence_delta),
    {"seed", NULL, CI_INT, offsetof(arguments, seed), "0", 0, 9007199254740991, NULL,
     "Start of the random numbers: the same seed, the same scores."},
    CI_OPTIONS_END};

typedef struct {
  ci_attribution *a;
  const arguments *arg;
  ci_leaves leaves;
  ci_space_id spaces[CI_SPACES]; /* of the walk's nodes */
  const float *x[CI_SPACES], *baseline[CI_SPACES];
  float *difference[CI_SPACES]; /* x + n - x' of the point it was last made for */
  size_t point[CI_SPACES];
  float *out[CI_SPACES];
} job;

/* Streams of the seed: 0 the coefficients, and one for each sample's noise in each space. */
static ci_intervention noise_of(const job *j, size_t sample, ci_space_id space) {
  return (ci_intervention){.kind = CI_NOISE,
                           .node = j->leaves.nodes[space],
                           .count = ci_subject_rows(&j->a->subject, space),
                           .alpha = (float)j->arg->stdevs,
                           .seed = (uint64_t)j->arg->seed,
                           .stream = 1 + CI_SPACES * sample + space};
}

static size_t move_noise(void *context, size_t point, ci_intervention *moves) {
  const job *j = context;
  size_t count = 0;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++)
    if (j->leaves.nodes[space] >= 0) moves[count++] = noise_of(j, point, space);
  return count;
}

static size_t move(void *context, size_t point, ci_intervention *moves) {
  const job *j = context;
  size_t count = j->arg->stdevs > 0 ? move_noise(context, point, moves) : 0;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++)
    if (j->leaves.nodes[space] >= 0)
      moves[count++] = (ci_intervention){.kind = CI_INTERPOLATE,
                                         .node = j->leaves.nodes[space],
                                         .count = ci_subject_rows(&j->a->subject, space),
                                         .values = j->baseline[space],
                                         .alpha = (float)ci_random_uniform((uint64_t)j->arg->seed, 0, point)};
  return count;
}

/* x + n - x' at a point: all its targets come one after the other. */
static const float *difference_at(job *j, size_t point, ci_space_id space) {
  size_t width = ci_attribution_width(j->a, space), rows = ci_subject_rows(&j->a->subject, space);
  float *d = j->difference[space];
  ci_intervention noise = noise_of(j, point, space);
  if (j->point[space] == point) return d;
  for (size_t i = 0; i < rows * width; i++) d[i] = j->x[space][i] - j->baseline[space][i];
  for (size_t r = 0; r < rows && noise.alpha > 0; r++) ci_add_noise(&noise, r, d + r * width, width);
  j->point[space] = point;
  return d;
}

static void take(void *context, const ci_gradient *g) {
  job *j = context;
  ci_space_id space = j->spaces[g->leaf];
  size_t width = ci_attribution_width(j->a, space), targets = j->a->subject.target_count;
  const float *d = difference_at(j, g->point, space);
  float weight = 1 / (float)j->arg->n_samples;
  for (size_t r = 0; r < g->rows; r++) {
    const float *from = g->values + r * width, *by = d + (g->first + r) * width;
    float *to = j->out[space] + ((g->first + r) * targets + g->target) * width;
    for (size_t i = 0; i < width; i++) to[i] += weight * (j->arg->multiply_by_inputs ? by[i] * from[i] : from[i]);
  }
}

/* sum - E[f(x + n) - f(x')] */
static ci_status add_deltas(job *j, ci_error *err) {
  size_t targets = j->a->subject.target_count, samples = j->arg->stdevs > 0 ? (size_t)j->arg->n_samples : 0;
  double *room = ci_alloc((samples + 1) * targets, sizeof *room);
  if (!samples || !room) {
    ci_free(room);
    return samples ? ci_fail_memory(err) : ci_add_deltas(j->a, &j->leaves, err);
  }
  ci_walk walk = {.points = samples, .move = move_noise, .context = j};
  double *sums = room + samples * targets, *baseline = ci_alloc(targets, sizeof *baseline);
  ci_status status = baseline ? ci_values_at_baseline(j->a, &j->leaves, baseline, err) : ci_fail_memory(err);
  if (!status) status = ci_subject_values(&j->a->subject, &walk, &j->a->objective, room, err);
  ci_attribution_sums(j->a, sums);
  for (size_t t = 0; t < targets && !status; t++) {
    for (size_t i = 0; i < samples; i++) sums[t] -= room[i * targets + t] / (double)samples;
    sums[t] += baseline[t];
  }
  if (!status) status = ci_add_step_score(j->a, "deltas", sums, err);
  ci_free(room);
  ci_free(baseline);
  return status;
}

static ci_status open_space(job *j, ci_space_id space, ci_error *err) {
  size_t floats = ci_subject_rows(&j->a->subject, space) * ci_attribution_width(j->a, space);
  ci_status status = ci_open_scores(j->a, j->leaves.nodes[space], &j->out[space], err);
  if (!status) status = ci_leaf_values(j->a, &j->leaves, space, false, &j->x[space], err);
  if (!status) status = ci_leaf_values(j->a, &j->leaves, space, true, &j->baseline[space], err);
  j->difference[space] = ci_alloc(floats, sizeof(float));
  j->point[space] = SIZE_MAX;
  return status || j->difference[space] ? status : ci_fail_memory(err);
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  job j = {.a = a, .arg = options};
  int nodes[CI_SPACES];
  ci_walk walk = {.nodes = nodes, .points = (size_t)j.arg->n_samples, .move = move, .take = take, .context = &j};
  ci_status status = CI_OK;
  ci_leaves_open(a, -1, &j.leaves);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++) {
    if (j.leaves.nodes[space] < 0) continue;
    j.spaces[walk.node_count] = space;
    nodes[walk.node_count++] = j.leaves.nodes[space];
    status = open_space(&j, space, err);
  }
  if (!status) status = ci_subject_walk(&a->subject, &walk, &a->objective, err);
  if (!status && j.arg->return_convergence_delta) status = add_deltas(&j, err);
  for (int space = 0; space < CI_SPACES; space++) ci_free(j.difference[space]);
  ci_leaves_close(&j.leaves);
  return status;
}

extern const ci_method ci_method_gradient_shap;
const ci_method ci_method_gradient_shap = {
    .id = "gradient_shap",
    .help = "Gradients averaged at random points between a baseline and the input, times their difference.",
    .paper = "Lundberg and Lee 2017, arXiv:1705.07874",
    .options = options_table,
    .options_size = sizeof(arguments),
    .kind = CI_GRANULAR,
    .keep = CI_KEEP_KEYS,
    .sparse = true,
    .attribute = attribute};
