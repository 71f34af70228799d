/* Gradients of all targets, at the text itself or summed along a path. See subject.h.
 *
 * A block of points is one forward: each point is a branch. All (point, target) pairs of the block are then groups of adjoint
 * rows, taken through backward as many at a time as the budget allows. */
#include "engine/buffers.h"
#include "engine/subject.h"
#include <string.h>

/* Beyond this many adjoint rows a product gains nothing from more, and the gradients fall out of the caches. But the targets of
 * a long text share attention probabilities, and what is rebuilt of a section: some are taken together whatever their rows. */
enum { MOST_ADJOINT_ROWS = 1536, SHARING_TARGETS = 8, MOST_FORWARD_ROWS = 512 };

typedef struct {
  ci_subject *subject;
  const ci_path *path;
  const ci_objective *objective;
  float **gradients;
  ci_run *run;
  const double *weights; /* of the branches in `groups`, by ci_adjoint_group.branch */
  size_t done, total;    /* (point, target) pairs */
} job;

static size_t width_of(const job *j, ci_space_id space) {
  return j->subject->graph->nodes[j->subject->graph->input_node[space]].width;
}

/* gradients += weight x the block's gradients of one space */
static void collect(const job *j, const ci_adjoint *a, ci_space_id space, const float *block) {
  size_t width = width_of(j, space), targets = j->subject->target_count;
  for (size_t g = 0; g < a->count; g++) {
    const ci_adjoint_group *group = &a->groups[g];
    size_t from = space == CI_ENCODER ? group->source : group->full, first = space == CI_ENCODER ? 0 : group->first;
    size_t n = space == CI_ENCODER ? group->source_count : group->predictor + 1 - first;
    for (size_t r = 0; r < n; r++)
      j->run->compute->kernels->axpy((float)j->weights[group->branch], block + (from + r) * width,
                                     j->gradients[space] + ((first + r) * targets + group->target) * width, width);
  }
}

static ci_status open_leaves(const job *j, const ci_adjoint *a, ci_leaf *leaves, size_t *count, ci_space_id *spaces, ci_error *err) {
  *count = 0;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++) {
    if (!j->path->wanted[space]) continue;
    size_t rows = a->rows[space == CI_ENCODER ? CI_SET_SOURCE : CI_SET_FULL];
    float *memory = ci_buffers_take(j->run->buffers, rows * width_of(j, space));
    if (!memory) return ci_fail_memory(err);
    spaces[*count] = space;
    leaves[(*count)++] = (ci_leaf){j->subject->graph->input_node[space], memory};
  }
  return CI_OK;
}

typedef struct {
  const job *j;
  const ci_adjoint_group *groups;
  float *seeds;
  size_t vocabulary;
} seed_job;

static void seed_part(void *context, size_t g, int thread) {
  (void)thread;
  const seed_job *s = context;
  const ci_objective *objective = s->j->objective;
  objective->gradient(objective->context, ci_run_logits(s->j->run, s->groups[g].output_row), s->groups[g].target,
                      s->seeds + g * s->vocabulary);
}

/* The vector-Jacobian products of one block of groups. */
static ci_status run_block(job *j, ci_adjoint_group *groups, size_t count, ci_error *err) {
  size_t vocabulary = j->subject->graph->nodes[j->subject->graph->logits].width;
  ci_adjoint adjoint;
  ci_status status = ci_adjoint_open(j->run, groups, count, &adjoint, err);
  if (status) return status;
  float *seeds = ci_buffers_take(j->run->buffers, count * vocabulary);
  ci_leaf leaves[CI_SPACES];
  ci_space_id spaces[CI_SPACES];
  size_t leaf_count = 0;
  status = seeds ? open_leaves(j, &adjoint, leaves, &leaf_count, spaces, err) : ci_fail_memory(err);
  seed_job seeding = {j, groups, seeds, vocabulary};
  if (!status) ci_pool_run(j->run->compute->pool, count, seed_part, &seeding);
  if (!status) status = ci_run_backward(j->run, &adjoint, seeds, leaves, leaf_count, err);
  for (size_t i = 0; i < leaf_count; i++) {
    if (!status) collect(j, &adjoint, spaces[i], leaves[i].gradient);
    ci_buffers_give(j->run->buffers, leaves[i].gradient);
  }
  ci_buffers_give(j->run->buffers, seeds);
  ci_adjoint_close(&adjoint);
  j->done += count;
  const ci_subject *s = j->subject;
  if (s->progress && s->progress(s->progress_context, j->done, j->total)) atomic_store(&s->compute->cancelled, true);
  return status ? status : ci_compute_check(s->compute, err);
}

/* Groups from `first` on that make a block: by rows, by bytes, by the caller's block of targets. */
static size_t block_size(const job *j, const ci_adjoint_group *groups, size_t first, size_t count) {
  const ci_subject *s = j->subject;
  size_t row_bytes = ci_adjoint_row_bytes(s->graph), output_bytes = ci_adjoint_output_bytes(s->graph);
  size_t rows = 0, bytes = 0, n = 0;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++)
    if (j->path->wanted[space]) row_bytes += width_of(j, space) * sizeof(float); /* the leaf */
  for (; first + n < count; n++) {
    const ci_adjoint_group *group = &groups[first + n];
    if (n && s->target_block && (n == s->target_block || group->branch != groups[first].branch)) break;
    size_t more = group->predictor + 1 - group->first + s->source_count;
    rows += more;
    bytes += more * row_bytes + output_bytes;
    if (n && (bytes > s->budget / 2 || (rows > MOST_ADJOINT_ROWS && n >= SHARING_TARGETS))) break;
  }
  return n;
}

static ci_status run_groups(job *j, ci_adjoint_group *groups, size_t count, ci_error *err) {
  ci_status status = CI_OK;
  for (size_t first = 0; first < count && !status;) {
    size_t block = block_size(j, groups, first, count);
    status = run_block(j, groups + first, block, err);
    first += block;
  }
  return status;
}

static ci_status at_text(job *j, ci_error *err) {
  ci_subject *s = j->subject;
  ci_status status = ci_subject_forward(s, ci_subject_plan(s, 1, CI_KEEP_ALL), err);
  double *weights = status ? NULL : ci_alloc_zeroed(s->run->spaces[CI_DECODER].branch_count, sizeof *weights);
  ci_adjoint_group *groups = ci_alloc_zeroed(s->target_count, sizeof *groups);
  if (!status && (!weights || !groups)) status = ci_fail_memory(err);
  if (!status) {
    weights[s->branch] = 1;
    j->weights = weights;
    j->run = s->run;
    for (size_t t = 0; t < s->target_count; t++)
      groups[t] = (ci_adjoint_group){
          .branch = s->branch, .target = t, .predictor = s->first_target + t - 1, .output_row = s->output_rows[t]};
    status = run_groups(j, groups, s->target_count, err);
  }
  ci_free(weights);
  ci_free(groups);
  return status;
}

static ci_status interpolate(const job *j, ci_space_id space, int branch, double alpha, ci_error *err) {
  if (!j->path->wanted[space]) return CI_OK;
  ci_intervention v = {.kind = CI_INTERPOLATE,
                       .node = j->subject->graph->input_node[space],
                       .branch = branch,
                       .count = ci_subject_rows(j->subject, space),
                       .values = j->path->baseline[space],
                       .alpha = (float)alpha};
  return ci_run_intervene(j->run, &v, err);
}

/* A branch of the run with the whole text moved to a point, and the groups of its targets. */
static ci_status add_point(job *j, double alpha, ci_adjoint_group *groups, ci_error *err) {
  ci_subject *s = j->subject;
  int source = -1, branch;
  ci_status status = CI_OK;
  if (s->source_count) {
    source = ci_run_branch(j->run, CI_ENCODER, -1, 0, -1);
    status = source < 0 ? ci_fail_memory(err) : ci_run_append(j->run, CI_ENCODER, source, s->source, s->source_count, err);
    if (!status) status = interpolate(j, CI_ENCODER, source, alpha, err);
  }
  if (status) return status;
  branch = ci_run_branch(j->run, CI_DECODER, -1, 0, source);
  status = branch < 0 ? ci_fail_memory(err) : ci_run_append(j->run, CI_DECODER, branch, s->ids, s->row_count, err);
  if (!status) status = interpolate(j, CI_DECODER, branch, alpha, err);
  for (size_t t = 0; t < s->target_count && !status; t++) {
    groups[t] = (ci_adjoint_group){.branch = branch, .target = t, .predictor = s->first_target + t - 1};
    status = ci_run_want_logits(j->run, branch, groups[t].predictor, &groups[t].output_row, err);
  }
  return status;
}

static size_t points_at_once(const ci_subject *s, size_t points) {
  size_t rows = s->row_count + s->source_count;
  size_t bytes = s->row_count * ci_run_row_bytes(s->graph, CI_DECODER, CI_KEEP_BOUNDARIES) +
                 s->source_count * ci_run_row_bytes(s->graph, CI_ENCODER, CI_KEEP_BOUNDARIES) +
                 s->target_count * ci_run_row_bytes(s->graph, CI_OUTPUT, CI_KEEP_BOUNDARIES);
  size_t n = MOST_FORWARD_ROWS / rows;
  if (n > s->budget / 4 / bytes) n = s->budget / 4 / bytes;
  return n < 1 ? 1 : n > points ? points : n;
}

static ci_status along_path(job *j, ci_error *err) {
  ci_subject *s = j->subject;
  size_t at_once = points_at_once(s, j->path->point_count);
  double *weights = ci_alloc_zeroed(at_once, sizeof *weights);
  ci_adjoint_group *groups = ci_alloc_zeroed(at_once * s->target_count, sizeof *groups);
  ci_status status = weights && groups ? CI_OK : ci_fail_memory(err);
  if (!status) status = ci_run_open(s->graph, s->compute, ci_subject_plan(s, at_once, CI_KEEP_ALL), &j->run, err);
  for (size_t first = 0; first < j->path->point_count && !status; first += at_once) {
    size_t n = j->path->point_count - first < at_once ? j->path->point_count - first : at_once;
    ci_run_reset(j->run);
    for (size_t i = 0; i < n && !status; i++) {
      weights[i] = j->path->points[first + i].weight; /* branches are numbered as they are added */
      status = add_point(j, j->path->points[first + i].alpha, groups + i * s->target_count, err);
    }
    j->weights = weights;
    if (!status) status = ci_run_forward(j->run, err);
    if (!status) status = run_groups(j, groups, n * s->target_count, err);
  }
  ci_run_close(j->run);
  ci_free(weights);
  ci_free(groups);
  return status;
}

ci_status ci_subject_gradients(ci_subject *s, const ci_path *path, const ci_objective *objective, float *gradients[CI_SPACES],
                               ci_error *err) {
  job j = {.subject = s, .path = path, .objective = objective, .gradients = gradients};
  j.total = s->target_count * (path->points ? path->point_count : 1);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++)
    if (path->wanted[space])
      memset(gradients[space], 0, s->target_count * ci_subject_rows(s, space) * width_of(&j, space) * sizeof(float));
  return path->points ? along_path(&j, err) : at_text(&j, err);
}
