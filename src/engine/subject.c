/* Forward of a text, and its perturbations. See subject.h; gradients are in gradients.c. */
#include "engine/subject.h"
#include <math.h>
#include <string.h>

size_t ci_subject_rows(const ci_subject *s, ci_space_id space) {
  return space == CI_ENCODER ? s->source_count : s->row_count;
}

ci_keep ci_subject_plan(const ci_subject *s, size_t branches, ci_keep wanted) {
  for (ci_keep keep = wanted; keep > CI_KEEP_KEYS; keep--) {
    double bytes = (double)s->row_count * (double)ci_run_row_bytes(s->graph, CI_DECODER, keep) +
                   (double)s->source_count * (double)ci_run_row_bytes(s->graph, CI_ENCODER, keep);
    if (keep == CI_KEEP_BOUNDARIES || bytes * (double)branches <= (double)s->budget / 2) return keep;
  }
  return wanted;
}

ci_status ci_subject_forward(ci_subject *s, ci_keep keep, ci_error *err) {
  ci_status status = CI_OK;
  if (s->run) return CI_OK;
  status = ci_run_open(s->graph, s->compute, keep, &s->run, err);
  int source = -1;
  if (!status && s->source_count) {
    source = ci_run_branch(s->run, CI_ENCODER, -1, 0, -1);
    status =
        source < 0 ? ci_fail_memory(err) : ci_run_append(s->run, CI_ENCODER, source, s->source, s->source_count, err);
  }
  if (!status) s->branch = ci_run_branch(s->run, CI_DECODER, -1, 0, source);
  if (!status && s->branch < 0) status = ci_fail_memory(err);
  if (!status) status = ci_run_append(s->run, CI_DECODER, s->branch, s->ids, s->row_count, err);
  for (size_t t = 0; t < s->target_count && !status; t++)
    status = ci_run_want_logits(s->run, s->branch, s->first_target + t - 1, &s->output_rows[t], err);
  return status ? status : ci_run_forward(s->run, err);
}

/* What both kinds of changed texts come to. */
typedef struct {
  size_t first[CI_SPACES], count[CI_SPACES]; /* positions that may change; count 0: the side stays */
  const float *values[CI_SPACES];            /* of position `first` on */
  const unsigned char *chosen[CI_SPACES];    /* the same; NULL: all */
  size_t first_target, targets;
} change;

static change from_perturbation(const ci_subject *s, const ci_perturbation *p) {
  change c = {.first_target = 0, .targets = s->target_count};
  c.first[p->space] = p->first;
  c.count[p->space] = p->count;
  c.values[p->space] = p->values;
  return c;
}

static change from_variant(const ci_subject *s, const ci_variant *v) {
  change c = {.first_target = v->first_target, .targets = v->target_count};
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++) {
    const unsigned char *chosen = v->chosen[space];
    size_t first = 0, end = chosen ? ci_subject_rows(s, space) : 0;
    while (first < end && !chosen[first]) first++;
    while (first < end && !chosen[end - 1]) end--;
    if (first == end) continue;
    c.first[space] = first;
    c.count[space] = end - first;
    c.values[space] = v->values[space] + first * s->graph->nodes[s->graph->input_node[space]].width;
    c.chosen[space] = chosen + first;
  }
  return c;
}

/* Decoder rows of a change: [first_row, end_row). */
static size_t end_row(const ci_subject *s, const change *c) {
  return s->first_target + c->first_target + c->targets - 1;
}

static size_t first_row(const ci_subject *s, const change *c) {
  size_t end = end_row(s, c), first = c->count[CI_ENCODER] ? 0 : c->count[CI_DECODER] ? c->first[CI_DECODER] : end;
  return first < end ? first : end;
}

/* One intervention for each stretch of chosen positions. */
static ci_status set_rows(ci_subject *s, const change *c, ci_space_id space, int branch, ci_error *err) {
  int node = s->graph->input_node[space];
  ci_status status = CI_OK;
  for (size_t i = 0, end; i < c->count[space] && !status; i = end) {
    const unsigned char *chosen = c->chosen[space];
    bool replaced = !chosen || chosen[i];
    for (end = i + 1; end < c->count[space] && (!chosen || !chosen[end] == !chosen[i]);) end++;
    ci_intervention set = {.kind = CI_SET,
                           .node = node,
                           .branch = branch,
                           .first = c->first[space] + i,
                           .count = end - i,
                           .values = c->values[space] + i * s->graph->nodes[node].width};
    if (replaced) status = ci_run_intervene(s->run, &set, err);
  }
  return status;
}

/* The values that a change has at a position, NULL: the text's. */
static const float *values_at(const ci_subject *s, const change *c, ci_space_id space, size_t position) {
  if (position < c->first[space] || position >= c->first[space] + c->count[space]) return NULL;
  size_t i = position - c->first[space];
  if (c->chosen[space] && !c->chosen[space][i]) return NULL;
  return c->values[space] + i * s->graph->nodes[s->graph->input_node[space]].width;
}

/* The first position, up to `end`, at which two changes differ. */
static size_t common(const ci_subject *s, const change *a, const change *b, ci_space_id space, size_t end) {
  size_t p = 0;
  while (p < end && values_at(s, a, space, p) == values_at(s, b, space, p)) p++;
  return p;
}

/* What a change has in common with the one before it (NULL: there is none): the source, and decoder rows up to *rows.
 */
static bool shares(const ci_subject *s, const change *before, const change *c, size_t *rows) {
  *rows = 0;
  if (!before || common(s, before, c, CI_ENCODER, s->source_count) < s->source_count) return false;
  size_t end = end_row(s, before) < end_row(s, c) ? end_row(s, before) : end_row(s, c);
  *rows = common(s, before, c, CI_DECODER, end);
  return true;
}

/* A branch with the change in the run; it begins where it parts from the text or, if that is later, from the change
 * before it, whose branch *branch is. */
static ci_status add_branch(ci_subject *s, const change *c, const change *before, int *branch, ci_error *err) {
  ci_run *run = s->run;
  int source = run->spaces[CI_DECODER].branches[s->branch].source_branch, parent = s->branch;
  size_t begin = first_row(s, c), rows;
  ci_status status = CI_OK;
  bool shared = shares(s, before, c, &rows);
  if (shared && rows > begin) begin = rows, parent = *branch;
  if (shared && c->count[CI_ENCODER]) {
    source = run->spaces[CI_DECODER].branches[*branch].source_branch;
  } else if (c->count[CI_ENCODER]) {
    source = ci_run_branch(run, CI_ENCODER, -1, 0, -1);
    if (source < 0) return ci_fail_memory(err);
    status = ci_run_append(run, CI_ENCODER, source, s->source, s->source_count, err);
    if (!status) status = set_rows(s, c, CI_ENCODER, source, err);
  }
  *branch = ci_run_branch(run, CI_DECODER, begin ? parent : -1, begin, source);
  if (*branch < 0) return ci_fail_memory(err);
  if (!status) status = ci_run_append(run, CI_DECODER, *branch, s->ids + begin, end_row(s, c) - begin, err);
  return status ? status : set_rows(s, c, CI_DECODER, *branch, err);
}

/* Rows that a change adds, and their bytes in the subject's run. */
static size_t cost_of(const ci_subject *s, const change *c, const change *before, size_t *rows_out) {
  size_t begin = first_row(s, c), common_rows;
  bool shared = shares(s, before, c, &common_rows);
  if (common_rows > begin) begin = common_rows;
  size_t rows = end_row(s, c) - begin, source = c->count[CI_ENCODER] && !shared ? s->source_count : 0;
  *rows_out = rows + source;
  size_t scratch = ci_run_scratch_bytes(s->graph);
  return rows * (ci_run_row_bytes(s->graph, CI_DECODER, s->run->keep) + scratch) +
         source * (ci_run_row_bytes(s->graph, CI_ENCODER, s->run->keep) + scratch) +
         c->targets * ci_adjoint_output_bytes(s->graph);
}

/* Whether the change can be seen by a target of its own. */
static bool sees(const ci_subject *s, const change *c, size_t target) {
  return target >= c->first_target && target < c->first_target + c->targets &&
         s->first_target + target - 1 >= first_row(s, c);
}

/* How many changes from the first on go through the model together. */
static size_t block_size(const ci_subject *s, const change *c, size_t count) {
  enum { MOST_ROWS = 2048 };
  size_t bytes = 0, rows = 0, n = 0;
  for (; n < count; n++) {
    size_t added;
    bytes += cost_of(s, &c[n], n ? &c[n - 1] : NULL, &added);
    rows += added;
    if (n && (bytes > s->budget / 2 || rows > MOST_ROWS)) break;
  }
  return n;
}

typedef struct {
  ci_subject *subject;
  const ci_objective *objective;
  size_t rows;
  double *out;
  size_t first_row;
  const change *changes;
  size_t *cells; /* [output rows of the block] where each row's value goes */
} value_job;

static void value_part(void *context, size_t part, int thread) {
  const value_job *job = context;
  ci_subject *s = job->subject;
  float *scratch = ci_compute_scratch(s->compute, thread, s->graph->nodes[s->graph->logits].width);
  if (!scratch) return;
  const float *logits = ci_run_logits(s->run, job->first_row + part);
  size_t cell = job->cells[part];
  job->out[cell] = job->objective->value(job->objective->context, logits, cell % s->target_count, scratch);
}

/* The objective of each output row of a block; targets without one are NaN. */
static ci_status read_values(value_job *job, size_t count, ci_error *err) {
  ci_subject *s = job->subject;
  size_t rows = job->rows - job->first_row, row = 0;
  job->cells = ci_alloc(rows, sizeof *job->cells);
  if (!job->cells) return ci_fail_memory(err);
  for (size_t i = 0; i < count; i++)
    for (size_t t = 0; t < s->target_count; t++) {
      job->out[i * s->target_count + t] = NAN;
      if (sees(s, &job->changes[i], t)) job->cells[row++] = i * s->target_count + t;
    }
  ci_pool_run(s->compute->pool, rows, value_part, job);
  ci_free(job->cells);
  return ci_compute_check(s->compute, err);
}

static ci_status run_block(ci_subject *s, const change *c, size_t count, const ci_objective *objective, double *out,
                           ci_error *err) {
  ci_run_mark mark = ci_run_get_mark(s->run);
  ci_status status = CI_OK;
  int branch = -1;
  for (size_t i = 0; i < count && !status; i++) {
    size_t row;
    status = add_branch(s, &c[i], i ? &c[i - 1] : NULL, &branch, err);
    for (size_t t = 0; t < s->target_count && !status; t++)
      if (sees(s, &c[i], t)) status = ci_run_want_logits(s->run, branch, s->first_target + t - 1, &row, err);
  }
  if (!status) status = ci_run_forward(s->run, err);
  value_job job = {s, objective, s->run->spaces[CI_OUTPUT].rows, out, mark.rows[CI_OUTPUT], c, NULL};
  if (!status) status = read_values(&job, count, err);
  ci_run_truncate(s->run, &mark);
  return status;
}

/* Changes in blocks under the budget; takes `changes`, NULL: no memory. */
static ci_status run_all(ci_subject *s, change *changes, size_t count, const ci_objective *objective, double *out,
                         ci_error *err) {
  ci_status status = changes ? CI_OK : ci_fail_memory(err);
  for (size_t done = 0; done < count && !status;) {
    size_t block = block_size(s, changes + done, count - done);
    status = run_block(s, changes + done, block, objective, out + done * s->target_count, err);
    done += block;
    if (s->progress && s->progress(s->progress_context, done, count)) atomic_store(&s->compute->cancelled, true);
    if (!status) status = ci_compute_check(s->compute, err);
  }
  ci_free(changes);
  return status;
}

ci_status ci_subject_node(ci_subject *s, int node, float **values, ci_error *err) {
  const ci_node *n = &s->graph->nodes[node];
  const ci_branch *branch = &s->run->spaces[CI_DECODER].branches[s->branch];
  if (n->space == CI_ENCODER) branch = &s->run->spaces[CI_ENCODER].branches[branch->source_branch];
  size_t floats;
  *values = __builtin_mul_overflow(branch->length, n->width, &floats) ? NULL : ci_alloc(floats, sizeof(float));
  if (!*values) return ci_fail_memory(err);
  ci_status status = s->run->keeps[node] ? CI_OK : ci_run_load_section(s->run, n->section, true, err);
  for (size_t r = 0; r < branch->length && !status; r++)
    memcpy(*values + r * n->width, ci_run_row(s->run, node, (size_t)branch->rows[r]), n->width * sizeof **values);
  return status;
}

ci_status ci_subject_perturb(ci_subject *s, const ci_perturbation *p, size_t count, const ci_objective *objective,
                             double *out, ci_error *err) {
  ci_status status = ci_subject_forward(s, CI_KEEP_KEYS, err);
  change *changes = ci_alloc(count, sizeof *changes);
  for (size_t i = 0; i < count && changes; i++) changes[i] = from_perturbation(s, &p[i]);
  if (status) return ci_free(changes), status;
  return run_all(s, changes, count, objective, out, err);
}

ci_status ci_subject_vary(ci_subject *s, const ci_variant *variants, size_t count, const ci_objective *objective,
                          double *out, ci_error *err) {
  ci_status status = ci_subject_forward(s, CI_KEEP_KEYS, err);
  change *changes = ci_alloc(count, sizeof *changes);
  for (size_t i = 0; i < count && changes; i++) changes[i] = from_variant(s, &variants[i]);
  if (status) return ci_free(changes), status;
  return run_all(s, changes, count, objective, out, err);
}
