/* Integrated gradients of one token at a time (Enguehard 2023): row i of x moves on the straight line from its
 * baseline, all other rows stay, and only row i's gradient is kept. A point is a branch that begins at row i and shares
 * all rows before; the rows of adjoints before i are never computed. A token that is its own baseline has 0 without a
 * forward. */
#include "attribute/completeness.h"
#include "attribute/quadrature.h"
#include <string.h>

typedef struct {
  int64_t n_steps;
  const char *method;
  bool multiply_by_inputs;
  int64_t internal_batch_size;
  bool return_convergence_delta;
} arguments;

static const ci_option options_table[] = {
    {"n_steps", NULL, CI_INT, offsetof(arguments, n_steps), "50", 1, 1e6, NULL, "Points on the path of each token."},
    {"method", NULL, CI_WORD, offsetof(arguments, method), "\"gausslegendre\"", 0, 0, CI_QUADRATURES, "Quadrature."},
    {"multiply_by_inputs", NULL, CI_BOOL, offsetof(arguments, multiply_by_inputs), "true", 0, 0, NULL,
     "Multiply the mean gradient by input minus baseline."},
    {"internal_batch_size", NULL, CI_INT, offsetof(arguments, internal_batch_size), "0", 0, 1e9, NULL,
     "Accepted as Inseq's; the work is cut by the memory budget, and the scores do not depend on it."},
    CI_DELTA_OPTION(arguments, return_convergence_delta),
    CI_OPTIONS_END};

/* The tokens of one space. */
typedef struct {
  const ci_attribution *a;
  const ci_point *points;
  size_t steps;
  int node;
  size_t width;
  size_t *rows, count; /* those that move */
  const float *x, *baseline;
  bool multiply;
  float *out;
} job;

static size_t move(void *context, size_t point, ci_intervention *moves) {
  const job *j = context;
  size_t row = j->rows[point / j->steps];
  moves[0] = (ci_intervention){.kind = CI_INTERPOLATE,
                               .node = j->node,
                               .first = row,
                               .count = 1,
                               .values = j->baseline + row * j->width,
                               .alpha = (float)j->points[point % j->steps].alpha};
  return 1;
}

static void take(void *context, const ci_gradient *g) {
  const job *j = context;
  size_t row = j->rows[g->point / j->steps], targets = j->a->subject.target_count;
  const float *from = g->values + (row - g->first) * j->width, *x = j->x + row * j->width,
              *b = j->baseline + row * j->width;
  float weight = (float)j->points[g->point % j->steps].weight, *to = j->out + (row * targets + g->target) * j->width;
  for (size_t i = 0; i < j->width; i++) to[i] += weight * from[i] * (j->multiply ? x[i] - b[i] : 1);
}

static ci_status attribute_space(ci_attribution *a, ci_leaves *leaves, job *j, ci_space_id space, ci_error *err) {
  size_t rows = ci_subject_rows(&a->subject, space);
  j->node = leaves->nodes[space];
  j->width = a->subject.graph->nodes[j->node].width;
  j->count = 0;
  ci_status status = ci_open_scores(a, j->node, &j->out, err);
  if (!status) status = ci_leaf_values(a, leaves, space, false, &j->x, err);
  if (!status) status = ci_leaf_values(a, leaves, space, true, &j->baseline, err);
  j->rows = ci_alloc(rows, sizeof *j->rows);
  if (!status && !j->rows) status = ci_fail_memory(err);
  for (size_t r = 0; r < rows && !status; r++)
    if (memcmp(j->x + r * j->width, j->baseline + r * j->width, j->width * sizeof *j->x)) j->rows[j->count++] = r;
  ci_walk walk = {
      .nodes = &j->node, .node_count = 1, .points = j->count * j->steps, .move = move, .take = take, .context = j};
  if (!status && j->count) status = ci_subject_walk(&a->subject, &walk, &a->objective, err);
  ci_free(j->rows);
  return status;
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  const arguments *arg = options;
  ci_point *points = ci_alloc((size_t)arg->n_steps, sizeof *points);
  if (!points) return ci_fail_memory(err);
  job j = {.a = a, .points = points, .steps = (size_t)arg->n_steps, .multiply = arg->multiply_by_inputs};
  ci_leaves leaves;
  ci_leaves_open(a, -1, &leaves);
  ci_status status = ci_quadrature(arg->method, j.steps, points, err);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++)
    if (leaves.nodes[space] >= 0) status = attribute_space(a, &leaves, &j, space, err);
  if (!status && arg->return_convergence_delta) status = ci_add_deltas(a, &leaves, err);
  ci_leaves_close(&leaves);
  ci_free(points);
  return status;
}

extern const ci_method ci_method_sequential_integrated_gradients;
const ci_method ci_method_sequential_integrated_gradients = {
    .id = "sequential_integrated_gradients",
    .help = "Integrated gradients of one token at a time, the others staying as they are.",
    .paper = "Enguehard 2023, arXiv:2305.15853",
    .options = options_table,
    .options_size = sizeof(arguments),
    .kind = CI_GRANULAR,
    .keep = CI_KEEP_KEYS,
    .deterministic = true,
    .sparse = true,
    .attribute = attribute};
