/* Gradients of all targets, at the text itself or summed along a straight line. See subject.h. */
#include "engine/walk.h"
#include <string.h>

typedef struct {
  const ci_subject *subject;
  const ci_path *path;
  float **gradients;
  ci_space_id spaces[CI_SPACES]; /* of the walk's nodes */
  int nodes[CI_SPACES];
} job;

static size_t width_of(const job *j, size_t leaf) {
  return j->subject->graph->nodes[j->nodes[leaf]].width;
}

/* gradients += weight x the gradient of one point */
static void collect(void *context, const ci_gradient *g) {
  const job *j = context;
  size_t width = width_of(j, g->leaf), targets = j->subject->target_count;
  double weight = j->path->weights  ? j->path->weights[g->point * targets + g->target]
                  : j->path->points ? j->path->points[g->point].weight
                                    : 1;
  float *to = j->gradients[j->spaces[g->leaf]] + (g->first * targets + g->target) * width;
  for (size_t r = 0; r < g->rows; r++)
    j->subject->compute->kernels->axpy((float)weight, g->values + r * width, to + r * targets * width, width);
}

static size_t move(void *context, size_t point, ci_intervention *moves) {
  const job *j = context;
  size_t count = 0;
  for (size_t leaf = 0; leaf < CI_SPACES && j->nodes[leaf] >= 0; leaf++)
    moves[count++] = (ci_intervention){.kind = CI_INTERPOLATE,
                                       .node = j->nodes[leaf],
                                       .count = ci_subject_rows(j->subject, j->spaces[leaf]),
                                       .values = j->path->baseline[j->spaces[leaf]],
                                       .origin = j->path->origin[j->spaces[leaf]],
                                       .alpha = (float)j->path->points[point].alpha};
  return count;
}

static size_t reference(void *context, size_t point, ci_intervention *moves) {
  const job *j = context;
  size_t count = 0;
  (void)point;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++)
    if (j->path->reference[space])
      moves[count++] = (ci_intervention){.kind = CI_SET,
                                         .node = j->subject->graph->input_node[space],
                                         .count = ci_subject_rows(j->subject, space),
                                         .values = j->path->reference[space]};
  return count;
}

static bool wants(void *context, size_t point, size_t target) {
  const job *j = context;
  if (j->path->skip && j->path->skip[target]) return false;
  return !j->path->weights || j->path->weights[point * j->subject->target_count + target] != 0;
}

/* gradients := 0 for the targets that are wanted */
static void clear(const job *j, size_t leaf) {
  size_t width = width_of(j, leaf), targets = j->subject->target_count,
         rows = ci_subject_rows(j->subject, j->spaces[leaf]);
  float *g = j->gradients[j->spaces[leaf]];
  for (size_t t = 0; t < targets; t++)
    for (size_t r = 0; r < rows && !(j->path->skip && j->path->skip[t]); r++)
      memset(g + (r * targets + t) * width, 0, width * sizeof *g);
}

ci_status ci_subject_gradients(ci_subject *s, const ci_path *path, const ci_objective *objective,
                               float *gradients[CI_SPACES], ci_error *err) {
  job j = {.subject = s, .path = path, .gradients = gradients, .nodes = {-1, -1, -1}};
  ci_walk walk = {
      .nodes = j.nodes, .points = path->points ? path->point_count : 0, .move = move, .take = collect, .context = &j};
  walk.wants = wants;
  if (path->rescale) walk.reference = reference;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++) {
    if (!path->wanted[space]) continue;
    j.spaces[walk.node_count] = space;
    j.nodes[walk.node_count] = path->nodes ? path->nodes[space] : s->graph->input_node[space];
    clear(&j, walk.node_count++);
  }
  return ci_subject_walk(s, &walk, objective, err);
}
