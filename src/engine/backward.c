/* Backward: all targets of a block at once, node by node from the logits down. See run.h and adjoint.h.
 *
 * Before anything is computed, two passes over the graph say what is: which nodes lie between a leaf and the logits, and with
 * which adjoint rows (the top of the last block has one row a target, everything below its attention has all of them). */
#include "engine/buffers.h"
#include "engine/run.h"
#include <math.h>
#include <string.h>

typedef struct {
  ci_run *run;
  const ci_adjoint *adjoint;
  const ci_leaf *leaves;
  size_t leaf_count;
  bool *needed;     /* [nodes] a leaf lies at or above this node */
  int *sets;        /* [nodes] adjoint rows of the node's gradient */
  float **gradient; /* [nodes] NULL: nothing has arrived yet */
  bool find_broken; /* gradients are looked at, not given away */
} pass;

static const ci_leaf *leaf_at(const pass *p, int node) {
  for (size_t i = 0; i < p->leaf_count; i++)
    if (p->leaves[i].node == node) return &p->leaves[i];
  return NULL;
}

/* Which adjoint rows input i of a node gets from a gradient with the rows of `set`. */
static int input_set(const ci_graph *graph, const ci_node *node, int i, int set) {
  if (node->op == &ci_op_select) return CI_SET_TOP;
  if (node->op != &ci_op_attention || i == 0) return set;
  return graph->nodes[node->inputs[i]].space == CI_ENCODER ? CI_SET_SOURCE : CI_SET_FULL;
}

static void trace(pass *p) {
  const ci_graph *graph = p->run->graph;
  for (int i = 0; i < graph->count; i++) {
    const ci_node *node = &graph->nodes[i];
    p->sets[i] = CI_SET_NONE;
    p->needed[i] = leaf_at(p, i) != NULL;
    for (int j = 0; j < node->input_count; j++) p->needed[i] = p->needed[i] || p->needed[node->inputs[j]];
  }
  p->sets[graph->logits] = CI_SET_OUTPUT;
  for (int i = graph->logits; i >= 0; i--) {
    const ci_node *node = &graph->nodes[i];
    if (p->sets[i] == CI_SET_NONE || !p->needed[i]) continue;
    for (int j = 0; j < node->input_count; j++) {
      int set = input_set(graph, node, j, p->sets[i]);
      if (set > p->sets[node->inputs[j]]) p->sets[node->inputs[j]] = set; /* TOP is part of FULL */
    }
  }
}

/* An intervened value does not depend on what it was before: no gradient passes (interpolation: alpha of it; noise: all). */
static void mask(const pass *p, int number, float *gradient) {
  const ci_run *run = p->run;
  const ci_node *node = &run->graph->nodes[number];
  const ci_space *space = &run->spaces[node->space];
  for (size_t i = 0; i < run->intervention_count; i++) {
    const ci_intervention *v = &run->interventions[i];
    if (v->node != number) continue;
    if (v->kind == CI_NOISE) continue;
    float factor = v->kind == CI_INTERPOLATE ? v->alpha : 0;
    size_t column = v->columns ? v->column : 0, columns = v->columns ? v->columns : node->width;
    for (size_t row = 0; row < p->adjoint->rows[p->sets[number]]; row++) {
      size_t forward = (size_t)p->adjoint->forward[p->sets[number]][row];
      size_t position = (size_t)space->positions[forward];
      if (space->branch_of[forward] != v->branch || position < v->first || position >= v->first + v->count) continue;
      for (size_t c = column; c < column + columns; c++) gradient[row * node->width + c] *= factor;
    }
  }
}

/* Gradients that arrive for the top row of each group, added into all rows. */
static void scatter(const pass *p, int input, const float *top, bool first) {
  size_t width = p->run->graph->nodes[input].width;
  float *full = p->gradient[input];
  if (first) memset(full, 0, p->adjoint->rows[CI_SET_FULL] * width * sizeof(float));
  for (size_t g = 0; g < p->adjoint->count; g++)
    p->run->compute->kernels->axpy(1, top + g * width, full + (size_t)p->adjoint->top_in_full[g] * width, width);
}

static ci_status take(pass *p, size_t rows, size_t width, float **out, ci_error *err) {
  size_t floats;
  *out = __builtin_mul_overflow(rows, width, &floats) ? NULL : ci_buffers_take(p->run->buffers, floats ? floats : 1);
  return *out ? CI_OK : ci_fail_memory(err);
}

static ci_status run_vjp(pass *p, int number, ci_error *err) {
  ci_run *run = p->run;
  const ci_node *node = &run->graph->nodes[number];
  int set = p->sets[number];
  const int32_t *reference = p->adjoint->reference[set];
  void (*rule)(const ci_backward_call *call) = reference ? node->op->rescale : node->op->vjp;
  if (!rule)
    return ci_fail(err, CI_EMODEL, node->name, "the op \"%s\" has no %s rule", node->op->id, reference ? "rescale" : "gradient");
  ci_backward_call call = {.run = run, .node = node, .adjoint = p->adjoint, .set = set, .count = p->adjoint->rows[set]};
  call.rows = p->adjoint->forward[set];
  call.reference = reference;
  call.dy = p->gradient[number];
  bool first[CI_MOST_INPUTS] = {0};
  ci_status status = CI_OK;
  for (int i = 0; i < node->input_count && !status; i++) {
    int input = node->inputs[i], from = input_set(run->graph, node, i, set);
    size_t width = run->graph->nodes[input].width;
    if (node->op->vjp_reads && !run->keeps[input]) status = ci_run_load_section(run, node->section, false, err);
    if (status || !p->needed[input]) continue;
    first[i] = !p->gradient[input];
    if (first[i]) status = take(p, p->adjoint->rows[p->sets[input]], width, &p->gradient[input], err);
    call.dx[i] = p->gradient[input];
    call.accumulate[i] = !first[i];
    if (!status && from != p->sets[input]) {
      status = take(p, p->adjoint->rows[from], width, &call.dx[i], err);
      call.accumulate[i] = false;
    }
  }
  if (!status) rule(&call);
  for (int i = 0; i < node->input_count; i++) {
    if (!call.dx[i] || call.dx[i] == p->gradient[node->inputs[i]]) continue;
    if (!status) scatter(p, node->inputs[i], call.dx[i], first[i]);
    ci_buffers_give(run->buffers, call.dx[i]);
  }
  return status ? status : ci_compute_check(run->compute, err);
}

static bool goes_on(const pass *p, const ci_node *node) {
  for (int i = 0; i < node->input_count; i++)
    if (p->needed[node->inputs[i]]) return true;
  return false;
}

/* The group that row `row` of a set belongs to. */
static size_t group_of(const ci_adjoint *a, int set, size_t row) {
  size_t g = 0;
  if (set == CI_SET_OUTPUT || set == CI_SET_TOP) return row;
  while (g + 1 < a->count && row >= (set == CI_SET_FULL ? a->groups[g + 1].full : a->groups[g + 1].source)) g++;
  return g;
}

static ci_status check_finite(const pass *p, int number, ci_error *err) {
  const ci_node *node = &p->run->graph->nodes[number];
  for (size_t row = 0; row < p->adjoint->rows[p->sets[number]]; row++)
    for (size_t i = 0; i < node->width; i++)
      if (!isfinite(p->gradient[number][row * node->width + i]))
        return ci_fail(err, CI_EMODEL, node->name, "step %zu: the gradient by this node is not finite",
                       p->adjoint->groups[group_of(p->adjoint, p->sets[number], row)].target + 1);
  return CI_OK;
}

/* A leaf gets all rows of its branches, those above the last block's attention with zeros beside the rows that predict. */
static ci_status give(pass *p, const ci_leaf *leaf, ci_error *err) {
  int set = p->sets[leaf->node];
  size_t width = p->run->graph->nodes[leaf->node].width, rows = p->adjoint->rows[set == CI_SET_TOP ? CI_SET_FULL : set];
  float *top = p->gradient[leaf->node];
  if (set == CI_SET_TOP) {
    ci_status status = take(p, rows, width, &p->gradient[leaf->node], err);
    if (!status) scatter(p, leaf->node, top, true);
    if (status) p->gradient[leaf->node] = top;
    if (status) return status;
  }
  leaf->take(leaf->context, p->gradient[leaf->node], rows * width);
  if (set == CI_SET_TOP) {
    ci_buffers_give(p->run->buffers, p->gradient[leaf->node]);
    p->gradient[leaf->node] = top;
  }
  return CI_OK;
}

static ci_status descend(pass *p, ci_error *err) {
  const ci_graph *graph = p->run->graph;
  ci_status status = CI_OK;
  for (int i = graph->logits; i >= 0 && !status; i--) {
    if (!p->gradient[i]) continue;
    const ci_leaf *leaf = leaf_at(p, i);
    if (p->find_broken) status = check_finite(p, i, err);
    else if (leaf) status = give(p, leaf, err);
    if (!status && goes_on(p, &graph->nodes[i])) {
      if (p->run->touched[i]) mask(p, i, p->gradient[i]);
      status = run_vjp(p, i, err);
    }
    ci_buffers_give(p->run->buffers, p->gradient[i]);
    p->gradient[i] = NULL;
  }
  return status;
}

/* Leaves that nothing reaches have a gradient of zero. */
static ci_status give_unreached(pass *p, ci_error *err) {
  ci_status status = CI_OK;
  for (size_t i = 0; i < p->leaf_count && !status && !p->find_broken; i++) {
    const ci_leaf *leaf = &p->leaves[i];
    const ci_node *node = &p->run->graph->nodes[leaf->node];
    size_t rows = p->adjoint->rows[node->space == CI_ENCODER ? CI_SET_SOURCE : CI_SET_FULL];
    float *zeros;
    if (p->sets[leaf->node] != CI_SET_NONE) continue;
    status = take(p, rows, node->width, &zeros, err);
    if (status) break;
    memset(zeros, 0, rows * node->width * sizeof(float));
    leaf->take(leaf->context, zeros, rows * node->width);
    ci_buffers_give(p->run->buffers, zeros);
  }
  return status;
}

static ci_status run_pass(pass p, float *seeds, ci_error *err) {
  ci_run *run = p.run;
  size_t nodes = (size_t)run->graph->count;
  p.needed = ci_alloc_zeroed(nodes, sizeof *p.needed);
  p.sets = ci_alloc_zeroed(nodes, sizeof *p.sets);
  p.gradient = ci_alloc_zeroed(nodes, sizeof *p.gradient);
  ci_status status = p.needed && p.sets && p.gradient ? CI_OK : ci_fail_memory(err);
  if (!status) {
    trace(&p);
    status = give_unreached(&p, err);
    p.gradient[run->graph->logits] = seeds;
    if (!status) status = descend(&p, err);
    for (size_t i = 0; i < nodes; i++) ci_buffers_give(run->buffers, p.gradient[i]);
  }
  ci_free(p.needed);
  ci_free(p.sets);
  ci_free(p.gradient);
  return status;
}

/* Masks are constants, but they would have to be made again for what is rebuilt and differentiated, attention's above all. */
static ci_status check_dropout(const ci_run *run, ci_error *err) {
  for (size_t i = 0; i < run->intervention_count; i++)
    if (run->interventions[i].kind == CI_DROPOUT) return ci_fail(err, CI_EMODEL, "dropout", "has no gradient rule");
  return CI_OK;
}

ci_status ci_run_backward(ci_run *run, const ci_adjoint *adjoint, float *seeds, const ci_leaf *leaves, size_t leaf_count,
                          ci_error *err) {
  ci_status status = check_dropout(run, err);
  return status ? status : run_pass((pass){.run = run, .adjoint = adjoint, .leaves = leaves, .leaf_count = leaf_count}, seeds, err);
}

ci_status ci_run_find_broken(ci_run *run, const ci_adjoint *adjoint, float *seeds, const ci_leaf *leaves, size_t leaf_count,
                             ci_error *err) {
  pass p = {.run = run, .adjoint = adjoint, .leaves = leaves, .leaf_count = leaf_count, .find_broken = true};
  ci_status status = run_pass(p, seeds, err);
  return status ? status : ci_fail(err, CI_EMODEL, "gradient", "is not finite");
}
