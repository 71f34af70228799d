/* See zeroing.h. A probe is a branch that stands for one zeroed key: its rows are the queries that see the key. They do
 * not go through the model: nodes that do not depend on the attention's output have the text's rows, the attention's
 * output is the text's without the key's share (a rank-one update for each head), and what depends on it is computed.
 * The first probe changes nothing: what it gives is what the others are compared with. */
#include "engine/zeroing.h"
#include "ops/attention.h"
#include "ops/params.h"
#include <math.h>
#include <string.h>

typedef struct {
  ci_subject *subject;
  const ci_zeroing *zeroing;
  ci_space_id space; /* of the queries */
  int branch;        /* the text, in it */
  size_t keys;
  bool causal;
  bool *depends; /* [nodes] on the attention's output */
  float **text;  /* [nodes] the text's rows [count, width] of nodes that are not computed but read, and the attention's
                    own */
  float *clean;  /* [count, width of the output] */
  size_t first_branch; /* of the block of probes */
  size_t probe;        /* first of the block; probe p > 0 zeroes key p - 1 */
} work;

static int end_of_chain(const ci_graph *graph, ci_space_id space) {
  if (space == CI_ENCODER) {
    int last = 0;
    for (int i = 0; i < graph->count && graph->nodes[i].space != CI_DECODER; i++) last = i;
    return last;
  }
  int node = graph->logits;
  while (graph->nodes[node].op != &ci_op_linear) node = graph->nodes[node].inputs[0];
  return graph->nodes[node].inputs[0];
}

int ci_layer_output(const ci_graph *graph, int attention) {
  const ci_node *node = &graph->nodes[attention];
  int last = attention;
  for (int i = attention; i < graph->count; i++) {
    if (graph->nodes[i].section == node->section)
      last = i;
    else if (graph->nodes[i].op == &ci_op_attention && graph->nodes[i].space == node->space)
      return last;
  }
  return end_of_chain(graph, node->space);
}

/* Marks what depends on the attention, and copies the text's rows of what it reads besides. */
static ci_status prepare(work *w, ci_error *err) {
  ci_run *run = w->subject->run;
  const ci_graph *graph = run->graph;
  const ci_zeroing *z = w->zeroing;
  const ci_branch *branch = &run->spaces[w->space].branches[w->branch];
  ci_status status = ci_run_load_section(run, graph->nodes[z->attention].section, true, err);
  bool *read = ci_alloc_zeroed((size_t)graph->count, sizeof *read);
  if (!status && !read) status = ci_fail_memory(err);
  for (int i = z->attention; i <= z->output && !status; i++) {
    const ci_node *node = &graph->nodes[i];
    bool depends = i == z->attention;
    for (int j = 0; j < node->input_count; j++) depends = depends || w->depends[node->inputs[j]];
    w->depends[i] = depends;
    for (int j = 0; j < node->input_count && depends && !node->op->mixes_rows; j++)
      if (!w->depends[node->inputs[j]]) read[node->inputs[j]] = true;
  }
  if (!status) read[z->attention] = true;
  for (int i = 0; i <= z->output && !status; i++) {
    size_t width = graph->nodes[i].width;
    if (!read[i]) continue;
    w->text[i] = ci_alloc(z->count * width, sizeof(float));
    if (!w->text[i]) status = ci_fail_memory(err);
    for (size_t p = 0; p < z->count && !status; p++)
      memcpy(w->text[i] + p * width, ci_run_row(run, i, (size_t)branch->rows[z->first + p]), width * sizeof(float));
  }
  ci_free(read);
  return status;
}

/* The first position of a probe's rows. */
static size_t first_of(const work *w, size_t probe) {
  size_t first = w->zeroing->first;
  return w->causal && probe > first + 1 ? probe - 1 : first;
}

static ci_status add_probe(work *w, size_t probe, ci_error *err) {
  ci_subject *s = w->subject;
  ci_run *run = s->run;
  size_t first = first_of(w, probe), count = w->zeroing->first + w->zeroing->count - first, row;
  const int32_t *ids = w->space == CI_ENCODER ? s->source : s->ids;
  int branch = ci_run_branch(run, w->space, w->branch, first, run->spaces[w->space].branches[w->branch].source_branch);
  if (branch < 0) return ci_fail_memory(err);
  ci_status status = ci_run_append(run, w->space, branch, ids + first, count, err);
  bool selected = run->graph->nodes[w->zeroing->output].space == CI_OUTPUT;
  for (size_t p = first; p < first + count && selected && !status; p++)
    status = ci_run_want_logits(run, branch, p, &row, err);
  return status;
}

/* The probe that a row of the attention's space belongs to. */
static size_t probe_of(const work *w, size_t row) {
  return w->probe + (size_t)w->subject->run->spaces[w->space].branch_of[row] - w->first_branch;
}

typedef struct {
  const work *w;
  int node;
  size_t first_row;
} row_job;

/* The text's values; the attention's without the zeroed key's share. */
static void copy_rows(void *context, size_t first, size_t last) {
  const row_job *job = context;
  const work *w = job->w;
  const ci_run *run = w->subject->run;
  size_t width = run->graph->nodes[job->node].width;
  for (size_t r = job->first_row + first; r < job->first_row + last; r++) {
    size_t position = (size_t)run->spaces[w->space].positions[r], probe = probe_of(w, r);
    float *out = ci_run_row(run, job->node, r);
    memcpy(out, w->text[job->node] + (position - w->zeroing->first) * width, width * sizeof(float));
    if (job->node == w->zeroing->attention && probe)
      ci_attention_without(run, job->node, w->branch, position, probe - 1, w->zeroing->heads, out);
  }
}

static ci_status compute(work *w, ci_error *err) {
  ci_run *run = w->subject->run;
  ci_status status = CI_OK;
  for (int i = 0; i <= w->zeroing->output && !status; i++) {
    const ci_node *node = &run->graph->nodes[i];
    size_t first = run->spaces[node->space].computed, count = run->spaces[node->space].rows - first;
    if (w->text[i]) {
      row_job job = {w, i, first};
      status = ci_run_place(run, i, first, count, err);
      if (!status) ci_compute_rows(run->compute, count, 4.0 * (double)node->width, copy_rows, &job);
    } else if (w->depends[i]) {
      status = ci_run_compute_node(run, i, first, count, err);
    }
  }
  return status;
}

typedef struct {
  const work *w;
  size_t first_row;
  double *out;
} distance_job;

static void measure_rows(void *context, size_t first, size_t last) {
  const distance_job *job = context;
  const work *w = job->w;
  const ci_run *run = w->subject->run;
  const ci_zeroing *z = w->zeroing;
  const ci_node *node = &run->graph->nodes[z->output];
  for (size_t r = job->first_row + first; r < job->first_row + last; r++) {
    size_t own = node->space == CI_OUTPUT ? (size_t)run->spaces[CI_OUTPUT].ids[r] : r;
    size_t query = (size_t)run->spaces[w->space].positions[own] - z->first, probe = probe_of(w, own);
    if (!probe) continue;
    const float *clean = w->clean + query * node->width;
    job->out[(probe - 1) * z->count + query] =
        z->distance(run->compute->kernels, clean, ci_run_row(run, z->output, r), node->width);
  }
}

/* Probes [first, first + count) at once. */
static ci_status run_block(work *w, size_t first, size_t count, double *out, ci_error *err) {
  ci_run *run = w->subject->run;
  const ci_node *node = &run->graph->nodes[w->zeroing->output];
  ci_run_mark mark = ci_run_get_mark(run);
  ci_status status = CI_OK;
  w->probe = first;
  w->first_branch = mark.branches[w->space];
  for (size_t p = first; p < first + count && !status; p++) status = add_probe(w, p, err);
  if (!status) status = compute(w, err);
  size_t row = mark.rows[node->space], rows = run->spaces[node->space].rows - row;
  if (!status && first == 0)
    memcpy(w->clean, ci_run_row(run, w->zeroing->output, row), w->zeroing->count * node->width * sizeof(float));
  distance_job job = {w, row, out};
  if (!status) ci_compute_rows(run->compute, rows, 6.0 * (double)node->width, measure_rows, &job);
  ci_run_truncate(run, &mark);
  return status ? status : ci_compute_check(run->compute, err);
}

/* How many probes from `first` on go together. */
static size_t block_size(const work *w, size_t first, size_t probes) {
  enum { MOST_ROWS = 2048 };
  const ci_subject *s = w->subject;
  size_t bytes = ci_run_row_bytes(s->graph, w->space, CI_KEEP_BOUNDARIES) + ci_adjoint_row_bytes(s->graph), rows = 0,
         n = 0;
  for (; first + n < probes; n++) {
    rows += w->zeroing->first + w->zeroing->count - first_of(w, first + n);
    if (n && (rows > MOST_ROWS || rows > s->budget / 2 / bytes)) break;
  }
  return n;
}

static ci_status run_all(work *w, double *out, ci_error *err) {
  const ci_zeroing *z = w->zeroing;
  size_t probes = (w->causal && w->keys > z->first + z->count ? z->first + z->count : w->keys) + 1;
  ci_status status = prepare(w, err);
  for (size_t i = 0; i < w->keys * z->count; i++) out[i] = NAN;
  for (size_t done = 0; done < probes && !status;) {
    size_t block = block_size(w, done, probes);
    status = run_block(w, done, block, out, err);
    done += block;
  }
  return status;
}

ci_status ci_subject_zero_values(ci_subject *s, const ci_zeroing *z, double *out, ci_error *err) {
  const ci_graph *graph = s->graph;
  const ci_node *node = &graph->nodes[z->attention];
  int source = s->run->spaces[CI_DECODER].branches[s->branch].source_branch;
  work w = {.subject = s, .zeroing = z, .space = node->space, .branch = node->space == CI_ENCODER ? source : s->branch};
  w.keys = ci_subject_rows(s, graph->nodes[node->inputs[1]].space);
  w.causal = ((const ci_attention_params *)node->params)->causal;
  w.depends = ci_alloc_zeroed((size_t)graph->count, sizeof *w.depends);
  w.text = ci_alloc_zeroed((size_t)graph->count, sizeof *w.text);
  w.clean = ci_alloc(z->count * graph->nodes[z->output].width, sizeof(float));
  ci_status status = w.depends && w.text && w.clean ? run_all(&w, out, err) : ci_fail_memory(err);
  for (int i = 0; w.text && i < graph->count; i++) ci_free(w.text[i]);
  ci_free(w.depends);
  ci_free(w.text);
  ci_free(w.clean);
  return status;
}
