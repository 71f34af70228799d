/* Branches, rows and memory of a run. See run.h; forward.c and backward.c compute. */
#include "engine/run.h"
#include "engine/buffers.h"
#include "ops/rope.h"
#include <math.h>
#include <string.h>

/* Whether a plan keeps a node. Everything: all that a vjp reads and that costs something to make, since the rest is never
 * looked at again. */
static bool plan_keeps(const ci_graph *graph, int number, ci_keep keep) {
  const ci_node *node = &graph->nodes[number];
  if (node->is_key || number == graph->logits) return true;
  return (keep != CI_KEEP_KEYS && node->keep) || (keep == CI_KEEP_ALL && node->read_by_vjp && !node->op->is_cheap);
}

ci_status ci_run_open(const ci_graph *graph, ci_compute *compute, ci_keep keep, ci_run **out, ci_error *err) {
  ci_run *run = ci_alloc_zeroed(1, sizeof *run);
  if (!run) return ci_fail_memory(err);
  run->graph = graph;
  run->compute = compute;
  run->keep = keep;
  run->loaded_section = -1;
  size_t nodes = (size_t)graph->count, slots = (size_t)graph->slots;
  run->values = ci_alloc_zeroed(nodes, sizeof *run->values);
  run->keeps = ci_alloc_zeroed(nodes, sizeof *run->keeps);
  run->touched = ci_alloc_zeroed(nodes, sizeof *run->touched);
  run->slots = ci_alloc_zeroed(slots, sizeof *run->slots);
  run->slot_size = ci_alloc_zeroed(slots, sizeof *run->slot_size);
  run->buffers = ci_buffers_open();
  if (!run->values || !run->keeps || !run->touched || !run->slots || !run->slot_size || !run->buffers) {
    ci_run_close(run);
    return ci_fail_memory(err);
  }
  for (int i = 0; i < graph->count; i++) run->keeps[i] = plan_keeps(graph, i, keep);
  *out = run;
  return CI_OK;
}

static void drop_branches(ci_space *space) {
  for (size_t i = 0; i < space->branch_count; i++) ci_free(space->branches[i].rows);
  space->branch_count = 0;
}

void ci_run_close(ci_run *run) {
  if (!run) return;
  for (int s = 0; s < CI_SPACES; s++) {
    drop_branches(&run->spaces[s]);
    ci_free(run->spaces[s].branches);
    ci_free(run->spaces[s].ids);
    ci_free(run->spaces[s].positions);
    ci_free(run->spaces[s].branch_of);
  }
  for (int i = 0; run->values && run->keeps && i < run->graph->count; i++) {
    if (run->keeps[i]) ci_free(run->values[i].data);
    ci_free(run->values[i].kept);
  }
  for (int i = 0; run->slots && i < run->graph->slots; i++) ci_free(run->slots[i]);
  ci_free(run->values);
  ci_free(run->keeps);
  ci_free(run->touched);
  ci_free(run->slots);
  ci_free(run->slot_size);
  ci_free(run->interventions);
  ci_rope_table_close(run->rope);
  ci_buffers_close(run->buffers);
  ci_free(run);
}

void ci_run_reset(ci_run *run) {
  for (int s = 0; s < CI_SPACES; s++) {
    drop_branches(&run->spaces[s]);
    run->spaces[s].rows = run->spaces[s].computed = 0;
  }
  run->intervention_count = 0;
  memset(run->touched, 0, (size_t)run->graph->count * sizeof *run->touched);
  run->loaded_section = -1;
}

static void touch(ci_run *run, const ci_intervention *v) {
  const ci_graph *graph = run->graph;
  if (v->kind != CI_DROPOUT) run->touched[v->node] = true;
  for (int i = 0; i < graph->count && v->kind == CI_DROPOUT; i++)
    run->touched[i] = run->touched[i] || graph->nodes[i].dropout > 0 || graph->nodes[i].layer_dropout > 0;
}

ci_run_mark ci_run_get_mark(const ci_run *run) {
  ci_run_mark mark = {.interventions = run->intervention_count};
  for (int s = 0; s < CI_SPACES; s++) {
    mark.rows[s] = run->spaces[s].rows;
    mark.branches[s] = run->spaces[s].branch_count;
  }
  return mark;
}

void ci_run_truncate(ci_run *run, const ci_run_mark *mark) {
  for (int s = 0; s < CI_SPACES; s++) {
    ci_space *space = &run->spaces[s];
    for (size_t i = mark->branches[s]; i < space->branch_count; i++) ci_free(space->branches[i].rows);
    space->branch_count = mark->branches[s];
    for (size_t i = 0; i < space->branch_count; i++) { /* older branches may have been appended to */
      ci_branch *branch = &space->branches[i];
      while (branch->length && (size_t)branch->rows[branch->length - 1] >= mark->rows[s]) branch->length--;
    }
    space->rows = mark->rows[s];
    if (space->computed > space->rows) space->computed = space->rows;
  }
  run->intervention_count = mark->interventions;
  memset(run->touched, 0, (size_t)run->graph->count * sizeof *run->touched);
  for (size_t i = 0; i < run->intervention_count; i++) touch(run, &run->interventions[i]);
  run->loaded_section = -1;
}

int ci_run_branch(ci_run *run, ci_space_id id, int parent, size_t start, int source_branch) {
  ci_space *space = &run->spaces[id];
  if (ci_reserve((void **)&space->branches, &space->branch_capacity, space->branch_count + 1, sizeof *space->branches)) return -1;
  ci_branch branch = {.parent = parent, .start = start, .length = start, .source_branch = source_branch};
  if (start) {
    if (ci_reserve((void **)&branch.rows, &branch.capacity, start + 16, sizeof *branch.rows)) return -1;
    memcpy(branch.rows, space->branches[parent].rows, start * sizeof *branch.rows);
  }
  space->branches[space->branch_count] = branch;
  return (int)space->branch_count++;
}

static int reserve_rows(ci_space *space, size_t rows) {
  if (rows <= space->capacity) return 0;
  size_t a = space->capacity, b = a, c = a;
  if (rows > INT32_MAX || ci_reserve((void **)&space->ids, &a, rows, sizeof *space->ids) ||
      ci_reserve((void **)&space->positions, &b, rows, sizeof *space->positions) ||
      ci_reserve((void **)&space->branch_of, &c, rows, sizeof *space->branch_of))
    return -1;
  space->capacity = a;
  return 0;
}

ci_status ci_run_append(ci_run *run, ci_space_id id, int number, const int32_t *ids, size_t count, ci_error *err) {
  ci_space *space = &run->spaces[id];
  ci_branch *branch = &space->branches[number];
  size_t most = run->graph->positions[id], length = branch->length + count;
  if (most && length > most)
    return ci_fail(err, CI_EINVAL, id == CI_ENCODER ? "input" : "text", "%zu tokens are more than the model's %zu positions",
                   length, most);
  const ci_node *embedding = &run->graph->nodes[run->graph->ids_node[id]];
  for (size_t i = 0; i < count; i++)
    if (ids[i] < 0 || (size_t)ids[i] >= embedding->weight.a)
      return ci_fail(err, CI_EINVAL, embedding->name, "token id %d does not exist: the model has %zu", (int)ids[i],
                     embedding->weight.a);
  if (reserve_rows(space, space->rows + count) ||
      ci_reserve((void **)&branch->rows, &branch->capacity, length, sizeof *branch->rows))
    return ci_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    size_t row = space->rows++;
    space->ids[row] = ids[i];
    space->positions[row] = (int32_t)branch->length;
    space->branch_of[row] = number;
    branch->rows[branch->length++] = (int32_t)row;
  }
  return CI_OK;
}

ci_status ci_run_want_logits(ci_run *run, int branch, size_t position, size_t *output_row, ci_error *err) {
  ci_space *space = &run->spaces[CI_OUTPUT], *decoder = &run->spaces[CI_DECODER];
  if (run->keep == CI_KEEP_KEYS && (size_t)decoder->branches[branch].rows[position] < decoder->computed)
    return ci_fail(err, CI_EINVAL, "run", "position %zu was computed before, and this plan keeps only keys and values", position);
  if (reserve_rows(space, space->rows + 1)) return ci_fail_memory(err);
  *output_row = space->rows++;
  space->ids[*output_row] = run->spaces[CI_DECODER].branches[branch].rows[position];
  space->positions[*output_row] = (int32_t)position;
  space->branch_of[*output_row] = branch;
  return CI_OK;
}

ci_status ci_run_intervene(ci_run *run, const ci_intervention *intervention, ci_error *err) {
  if (ci_reserve((void **)&run->interventions, &run->intervention_capacity, run->intervention_count + 1,
                 sizeof *run->interventions))
    return ci_fail_memory(err);
  run->interventions[run->intervention_count++] = *intervention;
  touch(run, intervention);
  return CI_OK;
}

const ci_intervention *ci_run_dropout(const ci_run *run, ci_space_id space, int branch) {
  ci_space_id of = space == CI_OUTPUT ? CI_DECODER : space;
  for (size_t i = 0; i < run->intervention_count; i++) {
    const ci_intervention *v = &run->interventions[i];
    if (v->kind == CI_DROPOUT && v->branch == branch && run->graph->nodes[v->node].space == of) return v;
  }
  return NULL;
}

void ci_run_drop_outputs(ci_run *run) { run->spaces[CI_OUTPUT].rows = run->spaces[CI_OUTPUT].computed = 0; }

float *ci_run_row(const ci_run *run, int node, size_t row) {
  const ci_value *value = &run->values[node];
  return value->data + (row - value->base) * run->graph->nodes[node].width;
}

const float *ci_run_logits(const ci_run *run, size_t output_row) { return ci_run_row(run, run->graph->logits, output_row); }

size_t ci_run_row_bytes(const ci_graph *graph, ci_space_id space, ci_keep keep) {
  size_t floats = 0;
  for (int i = 0; i < graph->count; i++) {
    const ci_node *node = &graph->nodes[i];
    if (node->space != space) continue;
    floats += node->kept_width;
    if (plan_keeps(graph, i, keep)) floats += node->width;
  }
  return floats * sizeof(float);
}

size_t ci_run_scratch_bytes(const ci_graph *graph) {
  size_t floats = 0;
  for (int slot = 0; slot < graph->slots; slot++) {
    size_t widest = 0;
    for (int i = 0; i < graph->count; i++) {
      const ci_node *node = &graph->nodes[i];
      if (node->slot == slot && node->space != CI_OUTPUT && node->width > widest) widest = node->width;
    }
    floats += widest;
  }
  return floats * sizeof(float);
}

/* A gradient lives from the vjp of its node's last reader, the first on the way down, to that of the node itself. */
size_t ci_adjoint_row_bytes(const ci_graph *graph) {
  size_t most = 0, alive = 0;
  for (int i = graph->count - 1; i >= 0; i--) {
    const ci_node *node = &graph->nodes[i];
    for (int j = 0; j < node->input_count; j++) {
      const ci_node *input = &graph->nodes[node->inputs[j]];
      bool again = (j > 0 && node->inputs[j] == node->inputs[0]) || (j > 1 && node->inputs[j] == node->inputs[1]);
      if (input->last_reader == i && input->space != CI_OUTPUT && !again) alive += input->width;
    }
    if (alive > most) most = alive;
    if (node->last_reader && node->space != CI_OUTPUT) alive -= node->width;
  }
  return most * sizeof(float);
}

size_t ci_adjoint_output_bytes(const ci_graph *graph) {
  size_t floats = 0;
  for (int i = 0; i < graph->count; i++)
    if (graph->nodes[i].space == CI_OUTPUT) floats += graph->nodes[i].width;
  return floats * sizeof(float);
}
