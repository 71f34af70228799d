/* Forward of a text, and its perturbations. See subject.h; gradients are in gradients.c. */
#include "engine/subject.h"
#include <math.h>

size_t ci_subject_rows(const ci_subject *s, ci_space_id space) { return space == CI_ENCODER ? s->source_count : s->row_count; }

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
    status = source < 0 ? ci_fail_memory(err) : ci_run_append(s->run, CI_ENCODER, source, s->source, s->source_count, err);
  }
  if (!status) s->branch = ci_run_branch(s->run, CI_DECODER, -1, 0, source);
  if (!status && s->branch < 0) status = ci_fail_memory(err);
  if (!status) status = ci_run_append(s->run, CI_DECODER, s->branch, s->ids, s->row_count, err);
  for (size_t t = 0; t < s->target_count && !status; t++)
    status = ci_run_want_logits(s->run, s->branch, s->first_target + t - 1, &s->output_rows[t], err);
  return status ? status : ci_run_forward(s->run, err);
}

/* A branch with the perturbation in the run; *begin is the first decoder position that may differ. */
static ci_status add_branch(ci_subject *s, const ci_perturbation *p, int *branch, size_t *begin, ci_error *err) {
  ci_run *run = s->run;
  int own_source = run->spaces[CI_DECODER].branches[s->branch].source_branch;
  ci_intervention set = {.kind = CI_SET, .node = s->graph->input_node[p->space], .first = p->first, .count = p->count, .values = p->values};
  *begin = 0;
  if (p->space == CI_ENCODER) {
    own_source = set.branch = ci_run_branch(run, CI_ENCODER, -1, 0, -1);
    if (own_source < 0) return ci_fail_memory(err);
    ci_status status = ci_run_append(run, CI_ENCODER, own_source, s->source, s->source_count, err);
    if (status) return status;
    *branch = ci_run_branch(run, CI_DECODER, -1, 0, own_source);
  } else {
    *begin = p->first;
    *branch = set.branch = ci_run_branch(run, CI_DECODER, s->branch, p->first, own_source);
  }
  if (*branch < 0) return ci_fail_memory(err);
  ci_status status = ci_run_append(run, CI_DECODER, *branch, s->ids + *begin, s->row_count - *begin, err);
  return status ? status : ci_run_intervene(run, &set, err);
}

/* Rows that a perturbation adds, as bytes in the subject's run. */
static size_t cost_of(const ci_subject *s, const ci_perturbation *p) {
  size_t begin = p->space == CI_ENCODER ? 0 : p->first, source = p->space == CI_ENCODER ? s->source_count : 0;
  size_t scratch = ci_run_scratch_bytes(s->graph);
  return (s->row_count - begin) * (ci_run_row_bytes(s->graph, CI_DECODER, s->run->keep) + scratch) +
         source * (ci_run_row_bytes(s->graph, CI_ENCODER, s->run->keep) + scratch) +
         s->target_count * ci_adjoint_output_bytes(s->graph);
}

static bool sees(const ci_subject *s, size_t begin, size_t target) { return s->first_target + target - 1 >= begin; }

/* How many perturbations from `first` on go through the model together. */
static size_t block_size(const ci_subject *s, const ci_perturbation *p, size_t first, size_t count) {
  enum { MOST_ROWS = 2048 };
  size_t bytes = 0, rows = 0, n = 0;
  for (; first + n < count; n++) {
    bytes += cost_of(s, &p[first + n]);
    rows += s->row_count - (p[first + n].space == CI_ENCODER ? 0 : p[first + n].first);
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
  const ci_perturbation *perturbations;
  size_t *cells;   /* [output rows of the block] where each row's value goes */
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
      if (sees(s, job->perturbations[i].space == CI_ENCODER ? 0 : job->perturbations[i].first, t))
        job->cells[row++] = i * s->target_count + t;
    }
  ci_pool_run(s->compute->pool, rows, value_part, job);
  ci_free(job->cells);
  return ci_compute_check(s->compute, err);
}

static ci_status perturb_block(ci_subject *s, const ci_perturbation *p, size_t count, const ci_objective *objective, double *out,
                               ci_error *err) {
  ci_run_mark mark = ci_run_get_mark(s->run);
  ci_status status = CI_OK;
  for (size_t i = 0; i < count && !status; i++) {
    int branch = -1;
    size_t begin = 0, row;
    status = add_branch(s, &p[i], &branch, &begin, err);
    for (size_t t = 0; t < s->target_count && !status; t++)
      if (sees(s, begin, t)) status = ci_run_want_logits(s->run, branch, s->first_target + t - 1, &row, err);
  }
  if (!status) status = ci_run_forward(s->run, err);
  value_job job = {s, objective, s->run->spaces[CI_OUTPUT].rows, out, mark.rows[CI_OUTPUT], p, NULL};
  if (!status) status = read_values(&job, count, err);
  ci_run_truncate(s->run, &mark);
  return status;
}

ci_status ci_subject_perturb(ci_subject *s, const ci_perturbation *p, size_t count, const ci_objective *objective, double *out,
                             ci_error *err) {
  ci_status status = ci_subject_forward(s, CI_KEEP_KEYS, err);
  for (size_t done = 0; done < count && !status;) {
    size_t block = block_size(s, p, done, count);
    status = perturb_block(s, p + done, block, objective, out + done * s->target_count, err);
    done += block;
    if (s->progress && s->progress(s->progress_context, done, count)) atomic_store(&s->compute->cancelled, true);
    if (!status) status = ci_compute_check(s->compute, err);
  }
  return status;
}
