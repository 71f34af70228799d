/* Sum over k of (p[k+1] - p[k]) d f / d x at p[k], p being a path from the baseline to the input through embeddings of
 * other tokens, made monotonic in every dimension (Sanyal and Ren 2021). The next token of a path is one of the nearest
 * of the last: the one that needs least change to be monotonic (greedy), or the one with most monotonic dimensions
 * (maxcount). Paths are built from the input down, those of all tokens side by side. */
#include "attribute/completeness.h"
#include "attribute/neighbours.h"
#include "ops/params.h"
#include <math.h>
#include <string.h>

typedef struct {
  int64_t n_steps;
  const char *method;
  int64_t n_neighbors;
  bool multiply_by_inputs;
  bool return_convergence_delta;
} arguments;

static const ci_option options_table[] = {
    {"n_steps", NULL, CI_INT, offsetof(arguments, n_steps), "50", 2, 1e5, NULL,
     "Points on the path, both ends among them."},
    {"method", NULL, CI_WORD, offsetof(arguments, method), "\"greedy\"", 0, 0, "greedy|maxcount",
     "Which neighbour a path goes to: the nearest to a monotonic step, or that with most monotonic dimensions."},
    {"n_neighbors", NULL, CI_INT, offsetof(arguments, n_neighbors), "50", 1, 10000, NULL,
     "Neighbours that a path may go to."},
    {"multiply_by_inputs", NULL, CI_BOOL, offsetof(arguments, multiply_by_inputs), "false", 0, 0, NULL,
     "Multiply the scores once more by input minus baseline."},
    CI_DELTA_OPTION(arguments, return_convergence_delta),
    CI_OPTIONS_END};

/* The path of one space. */
typedef struct {
  ci_neighbours near;
  float scale; /* of the table's rows in the input node */
  size_t rows, width, steps;
  int32_t *baseline; /* [rows] ids */
  int32_t *words;    /* [steps - 1, rows] from the input on */
  float *points;     /* [steps, rows, width] from the baseline on */
  bool maxcount;
} path;

typedef struct {
  ci_attribution *a;
  const arguments *arg;
  ci_leaves leaves;
  ci_space_id spaces[CI_SPACES]; /* of the walk's nodes */
  path paths[CI_SPACES];
  float *out[CI_SPACES];
} job;

static void embedding(const path *p, int32_t id, float *out) {
  ci_neighbours_row(&p->near, id, out);
  for (size_t i = 0; i < p->width; i++) out[i] *= p->scale;
}

static bool is_monotonic(float anchor, float baseline, float input) {
  return (baseline > input && baseline >= anchor && anchor >= input) ||
         (baseline < input && baseline <= anchor && anchor <= input) || (baseline == input && baseline == anchor);
}

/* Where a step goes whose anchor is not monotonic: 1 / steps of the way. */
static float short_step(const path *p, float baseline, float input) {
  return input - (float)(1.0 / (double)p->steps) * (input - baseline);
}

static double cost_of(const path *p, const float *anchor, const float *baseline, const float *input) {
  double sum = 0, count = 0;
  for (size_t i = 0; i < p->width; i++) {
    if (is_monotonic(anchor[i], baseline[i], input[i])) {
      count++;
      continue;
    }
    double d = (double)anchor[i] - (double)short_step(p, baseline[i], input[i]);
    sum += d * d;
  }
  return p->maxcount ? -count : sum;
}

/* The word after words[k] of a row. rooms: three rows. */
static int32_t next_word(const path *p, size_t row, size_t k, float *room) {
  int32_t last = p->words[k * p->rows + row], end = p->baseline[row], best = end;
  float *anchor = room, *baseline = room + p->width, *input = room + 2 * p->width;
  double least = INFINITY;
  if (last == end) return end;
  embedding(p, end, baseline);
  embedding(p, last, input);
  for (size_t i = 0; i < p->near.count; i++) {
    int32_t id = p->near.of[last][i];
    bool used = id == end;
    for (size_t j = 0; j <= k && !used; j++) used = p->words[j * p->rows + row] == id;
    if (used) continue;
    embedding(p, id, anchor);
    double cost = cost_of(p, anchor, baseline, input);
    if (cost < least) best = id;
    if (cost < least) least = cost;
  }
  return best;
}

static ci_status find_words(path *p, const ci_tokenizer *tokenizer, const int32_t *ids, float *room, ci_error *err) {
  ci_status status = CI_OK;
  int32_t *asked = ci_alloc(p->rows, sizeof *asked);
  if (!asked) return ci_fail_memory(err);
  memcpy(p->words, ids, p->rows * sizeof *ids);
  for (size_t k = 0; k + 2 < p->steps && !status; k++) {
    size_t count = 0;
    for (size_t r = 0; r < p->rows; r++) {
      int32_t last = p->words[k * p->rows + r];
      if (!ci_tokenizer_is_special(tokenizer, ids[r]) && last != p->baseline[r]) asked[count++] = last;
    }
    status = ci_neighbours_find(&p->near, asked, count, err);
    for (size_t r = 0; r < p->rows && !status; r++)
      p->words[(k + 1) * p->rows + r] = ci_tokenizer_is_special(tokenizer, ids[r]) ? ids[r] : next_word(p, r, k, room);
  }
  ci_free(asked);
  return status;
}

static float *point_at(const path *p, size_t k, size_t row) {
  return p->points + (k * p->rows + row) * p->width;
}

static void fill_points(path *p, float *room) {
  for (size_t r = 0; r < p->rows; r++) {
    const float *baseline = point_at(p, 0, r);
    embedding(p, p->baseline[r], point_at(p, 0, r));
    embedding(p, p->words[r], point_at(p, p->steps - 1, r));
    for (size_t k = 1; k + 1 < p->steps; k++) {
      const float *before = point_at(p, p->steps - k, r);
      float *to = point_at(p, p->steps - 1 - k, r);
      embedding(p, p->words[k * p->rows + r], room);
      for (size_t i = 0; i < p->width; i++)
        to[i] = is_monotonic(room[i], baseline[i], before[i]) ? room[i] : short_step(p, baseline[i], before[i]);
    }
  }
}

/* The input node must be the table's rows times a constant. */
static ci_status find_scale(const ci_graph *graph, ci_space_id space, float *scale, ci_error *err) {
  *scale = 1;
  for (int i = graph->input_node[space]; i != graph->ids_node[space]; i = graph->nodes[i].inputs[0]) {
    if (graph->nodes[i].op != &ci_op_scale)
      return ci_fail(err, CI_EMODEL, graph->nodes[i].name,
                     "the input is not the embedding: there are no tokens to go through");
    *scale *= ((const ci_scale_params *)graph->nodes[i].params)->factor;
  }
  return CI_OK;
}

static ci_status open_path(job *j, ci_space_id space, ci_error *err) {
  path *p = &j->paths[space];
  const ci_graph *graph = j->a->subject.graph;
  const int32_t *ids = space == CI_ENCODER ? j->a->source.items : j->a->target.items;
  size_t floats;
  p->rows = ci_subject_rows(&j->a->subject, space);
  p->width = ci_attribution_width(j->a, space);
  p->steps = (size_t)j->arg->n_steps;
  p->maxcount = !strcmp(j->arg->method, "maxcount");
  const float *known;
  ci_status status = ci_attribution_baseline(j->a, space, &known, err); /* names what is missing when there is none */
  if (!status) status = find_scale(graph, space, &p->scale, err);
  if (status) return status;
  bool whole = !__builtin_mul_overflow(p->steps * p->rows, p->width, &floats);
  p->baseline = ci_alloc(p->rows, sizeof *p->baseline);
  p->words = ci_alloc(p->steps * p->rows, sizeof *p->words);
  p->points = whole ? ci_alloc(floats, sizeof *p->points) : NULL;
  float *room = ci_alloc(3 * p->width, sizeof *room);
  status = p->baseline && p->words && p->points && room ? CI_OK : ci_fail_memory(err);
  if (!status) ci_attribution_baseline_ids(j->a, space, p->baseline);
  if (!status)
    status = ci_neighbours_open(&p->near, j->a->job->compute, &graph->nodes[graph->ids_node[space]].weight,
                                (size_t)j->arg->n_neighbors, err);
  if (!status) status = find_words(p, j->a->job->model->tokenizer, ids, room, err);
  if (!status) fill_points(p, room);
  ci_free(room);
  return status;
}

static void close_path(path *p) {
  ci_neighbours_close(&p->near);
  ci_free(p->baseline);
  ci_free(p->words);
  ci_free(p->points);
}

static size_t move(void *context, size_t point, ci_intervention *moves) {
  const job *j = context;
  size_t count = 0;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++)
    if (j->leaves.nodes[space] >= 0)
      moves[count++] = (ci_intervention){.kind = CI_SET,
                                         .node = j->leaves.nodes[space],
                                         .count = j->paths[space].rows,
                                         .values = point_at(&j->paths[space], point, 0)};
  return count;
}

static void take(void *context, const ci_gradient *g) {
  const job *j = context;
  const path *p = &j->paths[j->spaces[g->leaf]];
  size_t targets = j->a->subject.target_count;
  for (size_t r = 0; r < g->rows; r++) {
    size_t row = g->first + r;
    const float *from = g->values + r * p->width, *now = point_at(p, g->point, row),
                *next = point_at(p, g->point + 1, row);
    const float *baseline = point_at(p, 0, row), *input = point_at(p, p->steps - 1, row);
    float *to = j->out[j->spaces[g->leaf]] + (row * targets + g->target) * p->width;
    for (size_t i = 0; i < p->width; i++)
      to[i] += (next[i] - now[i]) * from[i] * (j->arg->multiply_by_inputs ? input[i] - baseline[i] : 1);
  }
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  job j = {.a = a, .arg = options};
  int nodes[CI_SPACES];
  ci_walk walk = {.nodes = nodes, .points = (size_t)j.arg->n_steps - 1, .move = move, .take = take, .context = &j};
  ci_status status = CI_OK;
  ci_leaves_open(a, -1, &j.leaves);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++) {
    if (j.leaves.nodes[space] < 0) continue;
    j.spaces[walk.node_count] = space;
    nodes[walk.node_count++] = j.leaves.nodes[space];
    status = ci_open_scores(a, j.leaves.nodes[space], &j.out[space], err);
    if (!status) status = open_path(&j, space, err);
  }
  if (!status) status = ci_subject_walk(&a->subject, &walk, &a->objective, err);
  if (!status && j.arg->return_convergence_delta) status = ci_add_deltas(a, &j.leaves, err);
  for (int space = 0; space < CI_SPACES; space++) close_path(&j.paths[space]);
  ci_leaves_close(&j.leaves);
  return status;
}

extern const ci_method ci_method_discretized_integrated_gradients;
const ci_method ci_method_discretized_integrated_gradients = {
    .id = "discretized_integrated_gradients",
    .help = "Gradients along a path from the baseline to the input through embeddings of other tokens.",
    .paper = "Sanyal and Ren 2021, arXiv:2108.13654",
    .options = options_table,
    .options_size = sizeof(arguments),
    .kind = CI_GRANULAR,
    .keep = CI_KEEP_KEYS,
    .deterministic = true,
    .sparse = true,
    .attribute = attribute};
