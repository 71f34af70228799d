/* Forward: new rows through all nodes, in order; interventions at node boundaries. See run.h. */
#include "engine/run.h"
#include "base/random.h"
#include "engine/dropout.h"
#include <math.h>
#include <string.h>

/* Room for rows [0, rows) of a node that is kept: half as much again is asked for where rows have been added before, so
 * that decoding seldom moves. */
static ci_status grow(float **data, size_t *capacity, size_t used, size_t rows, size_t width, ci_error *err) {
  if (rows <= *capacity) return CI_OK;
  size_t wanted = rows <= 64 ? rows + 32 : used ? rows + rows / 2 : rows, floats;
  float *larger = __builtin_mul_overflow(wanted, width, &floats) ? NULL : ci_alloc(floats, sizeof(float));
  if (!larger) return ci_fail_memory(err);
  if (used) memcpy(larger, *data, used * width * sizeof(float));
  ci_free(*data);
  *data = larger;
  *capacity = wanted;
  return CI_OK;
}

ci_status ci_run_place(ci_run *run, int number, size_t first, size_t count, ci_error *err) {
  const ci_node *node = &run->graph->nodes[number];
  ci_value *value = &run->values[number];
  ci_status status = CI_OK;
  if (node->kept_width) status = grow(&value->kept, &value->kept_capacity, first, first + count, node->kept_width, err);
  if (status) return status;
  if (run->keeps[number]) return grow(&value->data, &value->capacity, first, first + count, node->width, err);
  size_t floats;
  if (__builtin_mul_overflow(count, node->width, &floats)) return ci_fail_memory(err);
  if (run->slot_size[node->slot] < floats) {
    ci_free(run->slots[node->slot]);
    run->slots[node->slot] = ci_alloc(floats, sizeof(float));
    run->slot_size[node->slot] = run->slots[node->slot] ? floats : 0;
    if (!run->slots[node->slot]) return ci_fail_memory(err);
  }
  value->data = run->slots[node->slot];
  value->base = first;
  return CI_OK;
}

void ci_add_noise(const ci_intervention *v, size_t position, float *row, size_t width) {
  for (size_t i = 0; i < width; i++)
    row[i] += v->alpha * (float)ci_random_normal(v->seed, v->stream, position * width + i);
}

static void intervene_row(const ci_run *run, const ci_intervention *v, size_t position, float *row) {
  size_t width = v->columns ? v->columns : run->graph->nodes[v->node].width;
  const float *values = v->values ? v->values + (position - v->first) * width : NULL;
  float *x = row + (v->columns ? v->column : 0);
  switch (v->kind) {
  case CI_SET:
    memcpy(x, values, width * sizeof(float));
    break;
  case CI_ZERO:
    memset(x, 0, width * sizeof(float));
    break;
  case CI_INTERPOLATE:
    if (v->origin) memcpy(x, v->origin + (position - v->first) * width, width * sizeof(float));
    for (size_t i = 0; v->alpha != 1 && i < width; i++) /* 1 is the text itself, to the bit */
      x[i] = values[i] + v->alpha * (x[i] - values[i]);
    break;
  case CI_NOISE:
    ci_add_noise(v, position, x, width);
    break;
  case CI_DROPOUT:
    break; /* of all nodes: drop_rows */
  }
}

static void intervene(const ci_run *run, int number, size_t first, size_t count) {
  const ci_space *space = &run->spaces[run->graph->nodes[number].space];
  for (size_t i = 0; i < run->intervention_count; i++) {
    const ci_intervention *v = &run->interventions[i];
    if (v->node != number || v->kind == CI_DROPOUT) continue;
    const ci_branch *branch = &space->branches[v->branch];
    for (size_t p = v->first; p < v->first + v->count && p < branch->length; p++) {
      size_t row = (size_t)branch->rows[p];
      if (row >= first && row < first + count && p >= branch->start)
        intervene_row(run, v, p, ci_run_row(run, number, row));
    }
  }
}

static bool all_finite(const float *values, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!isfinite(values[i])) return false;
  return true;
}

ci_status ci_run_compute_node(ci_run *run, int number, size_t first, size_t count, ci_error *err) {
  const ci_node *node = &run->graph->nodes[number];
  ci_status status = ci_run_place(run, number, first, count, err);
  if (status) return status;
  ci_forward_call call = {.run = run, .node = node, .first = first, .count = count};
  if (!node->op->mixes_rows)
    for (int i = 0; i < node->input_count; i++) call.in[i] = ci_run_row(run, node->inputs[i], first);
  call.out = ci_run_row(run, number, first);
  if (node->kept_width) call.kept = run->values[number].kept + first * node->kept_width;
  node->op->forward(&call);
  if (run->touched[number]) {
    intervene(run, number, first, count);
    ci_drop_rows(run, number, first, count);
  }
  if (run->watched && !run->broken && !all_finite(call.out, count * node->width)) run->broken = node->name;
  return ci_compute_check(run->compute, err);
}

ci_status ci_run_find_not_finite(ci_run *run, const char **name, ci_error *err) {
  for (int s = 0; s < CI_SPACES; s++) run->spaces[s].computed = 0;
  run->watched = true;
  run->broken = NULL;
  ci_status status = ci_run_forward(run, err);
  run->watched = false;
  *name = run->broken;
  return status;
}

ci_status ci_run_forward(ci_run *run, ci_error *err) {
  static const int none[CI_SPACES] = {-1, -1, -1};
  return ci_run_forward_given(run, none, err);
}

ci_status ci_run_forward_given(ci_run *run, const int given[CI_SPACES], ci_error *err) {
  run->loaded_section = -1;
  for (int i = 0; i < run->graph->count; i++) {
    ci_space_id id = run->graph->nodes[i].space;
    const ci_space *space = &run->spaces[id];
    size_t first = space->computed, count = space->rows - first;
    if (!count || i < given[id]) continue;
    ci_status status = CI_OK;
    if (i > given[id])
      status = ci_run_compute_node(run, i, first, count, err);
    else
      status = ci_run_place(run, i, first, count, err);
    if (!status && i == given[id]) intervene(run, i, first, count);
    if (status) return status;
  }
  for (int s = 0; s < CI_SPACES; s++) run->spaces[s].computed = run->spaces[s].rows;
  return CI_OK;
}

ci_status ci_run_load_section(ci_run *run, int section, bool whole, ci_error *err) {
  if (run->loaded_section == section && (run->loaded_whole || !whole)) return CI_OK;
  run->loaded_section = -1;
  for (int i = 0; i < run->graph->count; i++) {
    const ci_node *node = &run->graph->nodes[i];
    if (node->section != section || run->keeps[i] || !run->spaces[node->space].computed) continue;
    if (!whole && !(run->keep == CI_KEEP_ALL ? node->read_by_vjp : node->rebuilt)) continue;
    ci_status status = ci_run_compute_node(run, i, 0, run->spaces[node->space].computed, err);
    if (status) return status;
  }
  run->loaded_section = section;
  run->loaded_whole = whole;
  return CI_OK;
}

ci_status ci_run_input_values(ci_run *run, ci_space_id id, const int32_t *ids, size_t count, float *out,
                              ci_error *err) {
  const ci_graph *graph = run->graph;
  ci_run *aside;
  ci_status status = ci_run_open(graph, run->compute, CI_KEEP_BOUNDARIES, &aside, err);
  if (status) return status;
  int branch = ci_run_branch(aside, id, -1, 0, -1), input = graph->input_node[id];
  status = branch < 0 ? ci_fail_memory(err) : ci_run_append(aside, id, branch, ids, count, err);
  for (int i = 0; !status && count && i <= input; i++)
    if (graph->nodes[i].space == id && graph->nodes[i].section == graph->nodes[input].section)
      status = ci_run_compute_node(aside, i, 0, count, err);
  if (!status && count) memcpy(out, ci_run_row(aside, input, 0), count * graph->nodes[input].width * sizeof(float));
  ci_run_close(aside);
  return status;
}
