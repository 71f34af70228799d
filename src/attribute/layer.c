/* See layer.h. */
#include "attribute/layer.h"
#include "models/modules.h"
#include <math.h>
#include <string.h>

bool ci_layer_is_all(const ci_layer_options *o) {
  return o->target_layer && strcmp(o->target_layer, "all") == 0;
}

ci_status ci_layer_find(ci_attribution *a, const ci_layer_options *o, int *layer, ci_error *err) {
  *layer = -1;
  if (!o->target_layer) return CI_OK;
  ci_status status =
      ci_model_node(a->job->model, "target_layer", o->target_layer, o->attribute_to_layer_input, layer, err);
  if (status) return status;
  const ci_node *node = &a->subject.graph->nodes[*layer];
  if (node->space == CI_OUTPUT)
    return ci_fail(err, CI_EINVAL, "target_layer",
                   "\"%s\" has one row a step, after the last block: there are no tokens to attribute", node->name);
  return CI_OK;
}

/* The blocks of all sides. */
typedef struct {
  ci_attribution *a;
  ci_reduction *reduce;
  bool norm;
  bool input;                  /* what blocks read */
  int *nodes;                  /* [count], source first */
  size_t count, of[CI_SPACES]; /* how many of each side */
  float **x, **baseline;       /* [count] values of the nodes; baseline NULL: none */
  float *room;                 /* [widest] */
  const ci_layer_line *line;
  float *sums; /* [rows, targets, widest] gradients along the line of the block that is on its way */
  size_t open; /* that block; count: none is */
  const float *reference[CI_SPACES]; /* of the input nodes, for the rescale rule */
  ci_array *out[CI_SPACES];
} layers_job;

/* What a block gives, its last node, or what its first node reads. */
static int value_of(const layers_job *j, int last) {
  const ci_graph *graph = j->a->subject.graph;
  int first = last;
  while (first > 0 && graph->nodes[first - 1].section == graph->nodes[last].section) first--;
  return j->input ? graph->nodes[first].inputs[0] : last;
}

/* A block is a section with attention; its output is its last node. */
static ci_status find_blocks(layers_job *j, ci_error *err) {
  const ci_graph *graph = j->a->subject.graph;
  j->nodes = ci_alloc((size_t)graph->sections, sizeof *j->nodes);
  if (!j->nodes) return ci_fail_memory(err);
  for (int i = 0, attends = 0; i < graph->count; i++) {
    const ci_node *node = &graph->nodes[i];
    attends = attends || node->op == &ci_op_attention;
    if (i + 1 < graph->count && graph->nodes[i + 1].section == node->section) continue;
    if (attends && node->space != CI_OUTPUT && j->a->wants[node->space]) {
      j->nodes[j->count++] = value_of(j, i);
      j->of[node->space]++;
    }
    attends = 0;
  }
  return CI_OK;
}

/* The score of a row of a block from its gradient, for one target. */
static void put(const layers_job *j, size_t leaf, size_t row, size_t target, const float *gradient) {
  const ci_node *node = &j->a->subject.graph->nodes[j->nodes[leaf]];
  size_t layers = j->of[node->space], layer = node->space == CI_ENCODER ? leaf : leaf - j->of[CI_ENCODER];
  size_t at = row * node->width;
  memcpy(j->room, gradient, node->width * sizeof *j->room);
  j->reduce(j->x[leaf] + at, j->baseline ? j->baseline[leaf] + at : NULL, j->room, node->width);
  double sum = 0;
  for (size_t i = 0; i < node->width; i++)
    sum += j->norm ? (double)j->room[i] * (double)j->room[i] : (double)j->room[i];
  j->out[node->space]->data[(row * j->a->subject.target_count + target) * layers + layer] =
      (float)(j->norm ? sqrt(sum) : sum);
}

static void take(void *context, const ci_gradient *g) {
  const layers_job *j = context;
  size_t width = j->a->subject.graph->nodes[j->nodes[g->leaf]].width;
  for (size_t r = 0; r < g->rows; r++) put(j, g->leaf, g->first + r, g->target, g->values + r * width);
}

/* The sums of the block that is on its way become its scores. Rows that a target cannot see stay NaN. */
static void close_block(layers_job *j) {
  if (j->open == j->count) return;
  const ci_node *node = &j->a->subject.graph->nodes[j->nodes[j->open]];
  size_t targets = j->a->subject.target_count, rows = ci_subject_rows(&j->a->subject, node->space);
  for (size_t r = 0; r < rows; r++)
    for (size_t t = 0; t < targets; t++)
      if (node->space == CI_ENCODER || r < j->a->start + t)
        put(j, j->open, r, t, j->sums + (r * targets + t) * node->width);
  memset(j->sums, 0, rows * targets * node->width * sizeof *j->sums);
  j->open = j->count;
}

static void add(void *context, const ci_gradient *g) {
  layers_job *j = context;
  const ci_subject *s = &j->a->subject;
  size_t width = s->graph->nodes[j->nodes[g->leaf]].width;
  float weight = (float)j->line->points[g->point % j->line->count].weight;
  if (g->leaf != j->open) close_block(j);
  j->open = g->leaf;
  for (size_t r = 0; r < g->rows; r++)
    s->compute->kernels->axpy(weight, g->values + r * width,
                              j->sums + ((g->first + r) * s->target_count + g->target) * width, width);
}

/* Points are block by block, each block's along its line. */
static size_t about(void *context, size_t point) {
  return point / ((const layers_job *)context)->line->count;
}

static size_t move(void *context, size_t point, ci_intervention *moves) {
  const layers_job *j = context;
  size_t leaf = about(context, point);
  const ci_node *node = &j->a->subject.graph->nodes[j->nodes[leaf]];
  moves[0] = (ci_intervention){.kind = CI_INTERPOLATE,
                               .node = j->nodes[leaf],
                               .count = ci_subject_rows(&j->a->subject, node->space),
                               .values = j->baseline[leaf],
                               .origin = j->x[leaf],
                               .alpha = (float)j->line->points[point % j->line->count].alpha};
  return 1;
}

static size_t move_to_reference(void *context, size_t point, ci_intervention *moves) {
  const layers_job *j = context;
  size_t count = 0;
  (void)point;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++)
    if (j->reference[space])
      moves[count++] = (ci_intervention){.kind = CI_SET,
                                         .node = j->a->subject.graph->input_node[space],
                                         .count = ci_subject_rows(&j->a->subject, space),
                                         .values = j->reference[space]};
  return count;
}

static ci_status open_sums(layers_job *j, size_t widest, ci_error *err) {
  size_t source = ci_subject_rows(&j->a->subject, CI_ENCODER), target = ci_subject_rows(&j->a->subject, CI_DECODER),
         cells;
  j->open = j->count;
  if (!j->line) return CI_OK;
  bool failed = __builtin_mul_overflow(source > target ? source : target, j->a->subject.target_count, &cells) ||
                __builtin_mul_overflow(cells, widest, &cells);
  j->sums = failed ? NULL : ci_alloc_zeroed(cells, sizeof *j->sums);
  return j->sums ? CI_OK : ci_fail_memory(err);
}

static ci_status open_layers(layers_job *j, bool baseline, ci_error *err) {
  const ci_graph *graph = j->a->subject.graph;
  size_t widest = 0;
  j->x = ci_alloc_zeroed(j->count, sizeof *j->x);
  j->baseline = baseline ? ci_alloc_zeroed(j->count, sizeof *j->baseline) : NULL;
  ci_status status = j->x && (j->baseline || !baseline) ? CI_OK : ci_fail_memory(err);
  if (!status) status = ci_node_values(j->a, j->nodes, j->count, false, j->x, err);
  if (!status && baseline) status = ci_node_values(j->a, j->nodes, j->count, true, j->baseline, err);
  for (size_t i = 0; i < j->count; i++)
    if (graph->nodes[j->nodes[i]].width > widest) widest = graph->nodes[j->nodes[i]].width;
  j->room = ci_alloc(widest, sizeof *j->room);
  if (!status && !j->room) status = ci_fail_memory(err);
  if (!status) status = open_sums(j, widest, err);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++)
    if (j->of[space]) status = ci_attribution_array(j->a, space, 3, j->of[space], 1, &j->out[space], err);
  j->a->out->kind = CI_MULTIDIMENSIONAL;
  j->a->out->n_dimensions = 1;
  return status;
}

static ci_status walk_layers(layers_job *j, bool rescale, ci_error *err) {
  ci_walk walk = {.nodes = j->nodes, .node_count = j->count, .take = take, .context = j};
  ci_status status = CI_OK;
  if (rescale) walk.reference = move_to_reference;
  if (j->line && __builtin_mul_overflow(j->count, j->line->count, &walk.points)) return ci_fail_memory(err);
  if (j->line) walk.move = move, walk.about = about, walk.take = add;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && rescale && !status; space++)
    if (j->a->wants[space]) status = ci_attribution_baseline(j->a, space, &j->reference[space], err);
  if (!status) status = ci_subject_walk(&j->a->subject, &walk, &j->a->objective, err);
  if (!status) close_block(j);
  return status;
}

ci_status ci_attribute_all_layers(ci_attribution *a, const ci_layer_options *options, bool rescale,
                                  const ci_layer_line *line, ci_reduction *reduce, const char *over_width,
                                  ci_error *err) {
  layers_job j = {.a = a,
                  .reduce = reduce,
                  .norm = !strcmp(over_width, "vnorm"),
                  .input = options->attribute_to_layer_input,
                  .line = line};
  ci_status status = find_blocks(&j, err);
  if (!status) status = open_layers(&j, rescale || line, err);
  if (!status) status = walk_layers(&j, rescale, err);
  for (size_t i = 0; i < j.count; i++) {
    if (j.x) ci_free(j.x[i]);
    if (j.baseline) ci_free(j.baseline[i]);
  }
  ci_free(j.x);
  ci_free(j.baseline);
  ci_free(j.room);
  ci_free(j.sums);
  ci_free(j.nodes);
  return status;
}
