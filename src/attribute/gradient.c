/* The shared body of gradient methods. See gradient.h. */
#include "attribute/gradient.h"
#include <math.h>
#include <string.h>

void ci_as_it_is(const float *x, const float *b, float *g, size_t n) {
  (void)x, (void)b, (void)g, (void)n;
}

void ci_times_difference(const float *x, const float *b, float *g, size_t n) {
  for (size_t i = 0; i < n; i++) g[i] *= x[i] - b[i];
}

void ci_times_input(const float *x, const float *b, float *g, size_t n) {
  (void)b;
  for (size_t i = 0; i < n; i++) g[i] *= x[i];
}

void ci_leaves_open(const ci_attribution *a, int layer, ci_leaves *leaves) {
  const ci_graph *graph = a->subject.graph;
  *leaves = (ci_leaves){0};
  for (ci_space_id space = CI_ENCODER; space < CI_SPACES; space++) {
    bool here = layer >= 0 && graph->nodes[layer].space == space;
    leaves->nodes[space] = layer >= 0 ? (here ? layer : -1) : a->wants[space] ? graph->input_node[space] : -1;
  }
}

void ci_leaves_close(ci_leaves *leaves) {
  for (int space = 0; space < CI_SPACES; space++) {
    ci_free(leaves->text[space]);
    ci_free(leaves->baseline[space]);
  }
}

static ci_status use_baseline_ids(ci_attribution *a, ci_subject *aside, int32_t *ids[CI_SPACES], ci_error *err) {
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++) {
    if (!a->wants[space]) continue;
    ids[space] = ci_alloc(ci_subject_rows(&a->subject, space), sizeof **ids);
    if (!ids[space]) return ci_fail_memory(err);
    ci_attribution_baseline_ids(a, space, ids[space]);
    *(space == CI_ENCODER ? &aside->source : &aside->ids) = ids[space];
  }
  return CI_OK;
}

ci_status ci_node_values(ci_attribution *a, const int *nodes, size_t count, bool baseline, float **values,
                         ci_error *err) {
  ci_subject aside = a->subject;
  int32_t *ids[CI_SPACES] = {0};
  const float *known;
  ci_status status = CI_OK;
  if (baseline) /* names what is missing when there is none */
    for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++)
      if (a->wants[space]) status = ci_attribution_baseline(a, space, &known, err);
  if (!status && baseline) status = use_baseline_ids(a, &aside, ids, err);
  aside.run = NULL;
  aside.target_count = 0;
  if (!status) status = ci_subject_forward(&aside, CI_KEEP_BOUNDARIES, err);
  for (size_t i = 0; i < count && !status; i++) { status = ci_subject_node(&aside, nodes[i], &values[i], err); }
  ci_run_close(aside.run);
  ci_free(ids[CI_ENCODER]);
  ci_free(ids[CI_DECODER]);
  return status;
}

ci_status ci_leaf_values(ci_attribution *a, ci_leaves *leaves, ci_space_id space, bool baseline, const float **values,
                         ci_error *err) {
  int node = leaves->nodes[space];
  bool is_input = node == a->subject.graph->input_node[space];
  float **own = baseline ? &leaves->baseline[space] : &leaves->text[space];
  ci_status status = CI_OK;
  if (is_input && baseline) return ci_attribution_baseline(a, space, values, err);
  if (!*own)
    status = is_input ? ci_attribution_values(a, space, own, err) : ci_node_values(a, &node, 1, baseline, own, err);
  *values = *own;
  return status;
}

/* In place: gradients[row, target, :] reduced; rows that a target cannot see, and the last token's, are NaN. */
static void finish(const ci_attribution *a, int node, const ci_gradient_request *q, const float *x,
                   const float *baseline, float *gradients) {
  ci_space_id space = a->subject.graph->nodes[node].space;
  size_t width = a->subject.graph->nodes[node].width, rows = ci_subject_rows(&a->subject, space);
  size_t targets = a->subject.target_count;
  for (size_t r = 0; r < rows; r++)
    for (size_t t = 0; t < targets; t++) {
      float *g = gradients + (r * targets + t) * width;
      if (q->skip && q->skip[t]) continue;
      if (space == CI_ENCODER || r < a->start + t)
        q->reduce(x + r * width, baseline ? baseline + r * width : NULL, g, width);
      else
        for (size_t i = 0; i < width; i++) g[i] = NAN;
    }
}

ci_status ci_open_scores(ci_attribution *a, int node, float **data, ci_error *err) {
  const ci_node *n = &a->subject.graph->nodes[node];
  ci_array *array = n->space == CI_ENCODER ? &a->out->source_attributions : &a->out->target_attributions;
  size_t targets = a->subject.target_count;
  if (!array->data) {
    ci_status status = ci_attribution_array(a, n->space, 3, n->width, 1, &array, err);
    if (status) return status;
    for (size_t r = 0; r < ci_subject_rows(&a->subject, n->space) && n->space == CI_DECODER; r++)
      for (size_t t = 0; t < targets; t++)
        if (r < a->start + t) memset(array->data + (r * targets + t) * n->width, 0, n->width * sizeof(float));
  }
  *data = array->data;
  return CI_OK;
}

ci_status ci_attribute_leaves(ci_attribution *a, ci_leaves *leaves, const ci_gradient_request *q, ci_error *err) {
  bool needs_baseline = q->points || q->rescale;
  ci_path path = {.nodes = leaves->nodes,
                  .points = q->points,
                  .point_count = q->point_count,
                  .weights = q->weights,
                  .rescale = q->rescale,
                  .skip = q->skip};
  float *gradients[CI_SPACES] = {0};
  ci_status status = CI_OK;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++) {
    if (q->rescale && a->wants[space]) status = ci_attribution_baseline(a, space, &path.reference[space], err);
    if (status || leaves->nodes[space] < 0) continue;
    path.wanted[space] = true;
    status = ci_open_scores(a, leaves->nodes[space], &gradients[space], err);
    if (!status && needs_baseline) status = ci_leaf_values(a, leaves, space, true, &path.baseline[space], err);
    if (!status) status = ci_leaf_values(a, leaves, space, false, &path.origin[space], err);
  }
  if (!status) status = ci_subject_gradients(&a->subject, &path, &a->objective, gradients, err);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++)
    if (path.wanted[space])
      finish(a, leaves->nodes[space], q, path.origin[space], path.baseline[space], gradients[space]);
  return status;
}

ci_status ci_attribute_by_gradient(ci_attribution *a, int layer, const ci_gradient_request *q, ci_error *err) {
  ci_leaves leaves;
  ci_leaves_open(a, layer, &leaves);
  ci_status status = ci_attribute_leaves(a, &leaves, q, err);
  ci_leaves_close(&leaves);
  return status;
}
