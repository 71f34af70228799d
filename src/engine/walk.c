/* See walk.h. A block of points is one forward: each point is a branch. All (point, target) pairs of the block are then
 * groups of adjoint rows, taken through backward as many at a time as the budget allows. */
#include "engine/walk.h"
#include "engine/buffers.h"
#include <math.h>
#include <string.h>

/* Beyond this many adjoint rows a product gains nothing from more, and the gradients fall out of the caches. But the
 * targets of a long text share attention probabilities, and what is rebuilt of a section: some are taken together
 * whatever their rows. Values alone keep little of a row. */
enum { MOST_ADJOINT_ROWS = 2304, SHARING_TARGETS = 8, MOST_FORWARD_ROWS = 512, MOST_VALUE_ROWS = 2048 };

typedef struct {
  ci_subject *subject;
  const ci_walk *walk;
  const ci_objective *objective;
  ci_run *run;
  int text, text_source;    /* branches of the text itself in the run that others share rows of; -1: not there */
  ci_adjoint_group *groups; /* of the block */
  size_t group_count, group_capacity;
  size_t leaf, leaf_count; /* of the walk's nodes: those that the block is about */
  size_t done, total;      /* (point, target) pairs */
} job;

static bool is_wanted(const job *j, size_t point, size_t target) {
  return !j->walk->wants || j->walk->wants(j->walk->context, point, target);
}

static size_t count_pairs(const job *j) {
  size_t points = j->walk->points ? j->walk->points : 1, count = 0;
  for (size_t p = 0; p < points; p++)
    for (size_t t = 0; t < j->subject->target_count; t++) count += is_wanted(j, p, t);
  return count;
}

/* ---- branches ---- */

static ci_status add_source(job *j, int *branch, ci_error *err) {
  *branch = ci_run_branch(j->run, CI_ENCODER, -1, 0, -1);
  if (*branch < 0) return ci_fail_memory(err);
  return ci_run_append(j->run, CI_ENCODER, *branch, j->subject->source, j->subject->source_count, err);
}

static ci_status add_rows(job *j, int parent, size_t begin, int source, int *branch, ci_error *err) {
  const ci_subject *s = j->subject;
  *branch = ci_run_branch(j->run, CI_DECODER, parent, begin, source);
  if (*branch < 0) return ci_fail_memory(err);
  return ci_run_append(j->run, CI_DECODER, *branch, s->ids + begin, s->row_count - begin, err);
}

/* The decoder row from which on a branch with these moves has rows of its own; whether its source has. */
static size_t begin_of(const job *j, const ci_intervention *moves, size_t count, bool *own_source) {
  size_t begin = j->subject->row_count - 1;
  *own_source = false;
  for (size_t i = 0; i < count; i++) {
    if (j->run->graph->nodes[moves[i].node].space == CI_ENCODER)
      *own_source = true;
    else if (moves[i].first < begin)
      begin = moves[i].first;
  }
  return *own_source || !count ? 0 : begin;
}

/* A branch of the text with these moves. */
static ci_status add_moved(job *j, ci_intervention *moves, size_t count, int *branch, size_t *begin, ci_error *err) {
  bool own_source;
  int source = j->text_source;
  *begin = begin_of(j, moves, count, &own_source);
  ci_status status = own_source && j->subject->source_count ? add_source(j, &source, err) : CI_OK;
  if (!status) status = add_rows(j, *begin ? j->text : -1, *begin, source, branch, err);
  for (size_t i = 0; i < count && !status; i++) {
    moves[i].branch = j->run->graph->nodes[moves[i].node].space == CI_ENCODER ? source : *branch;
    status = ci_run_intervene(j->run, &moves[i], err);
  }
  return status;
}

/* The text as branches that points share: its source, and its rows if some point begins later. */
static ci_status add_text(job *j, bool rows, ci_error *err) {
  ci_status status = CI_OK;
  ci_run_reset(j->run);
  j->text = j->text_source = -1;
  if (j->subject->source_count) status = add_source(j, &j->text_source, err);
  if (!status && rows) status = add_rows(j, -1, 0, j->text_source, &j->text, err);
  return status ? status : ci_run_forward(j->run, err);
}

/* ---- one block of groups backward ---- */

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

/* What takes the gradients of one node out of backward. */
typedef struct {
  const job *j;
  const ci_adjoint *adjoint;
  size_t leaf;
  bool broken; /* one was not finite */
} taker;

static void take(void *context, const float *rows, size_t floats) {
  taker *t = context;
  const job *j = t->j;
  const ci_node *node = &j->run->graph->nodes[j->walk->nodes[t->leaf]];
  if (!isfinite(j->run->compute->kernels->sum(rows, floats))) t->broken = true;
  for (size_t g = 0; g < t->adjoint->count && !t->broken; g++) {
    const ci_adjoint_group *group = &t->adjoint->groups[g];
    bool source = node->space == CI_ENCODER;
    ci_gradient gradient = {.leaf = t->leaf, .point = group->point, .target = group->target};
    gradient.first = source ? 0 : group->first;
    gradient.rows = source ? group->source_count : group->predictor + 1 - group->first;
    gradient.values = rows + (source ? group->source : group->full) * node->width;
    j->walk->take(j->walk->context, &gradient);
  }
}

/* One pass; a second one when there is something to find. */
static ci_status backward(job *j, const ci_adjoint *adjoint, float *seeds, taker *takers, ci_leaf *leaves,
                          ci_error *err) {
  seed_job seeding = {j, adjoint->groups, seeds, j->run->graph->nodes[j->run->graph->logits].width};
  size_t count = j->leaf_count;
  bool broken = false;
  for (size_t i = 0; i < count; i++) {
    takers[i] = (taker){j, adjoint, j->leaf + i, false};
    leaves[i] = (ci_leaf){j->walk->nodes[j->leaf + i], take, &takers[i]};
  }
  ci_pool_run(j->run->compute->pool, adjoint->count, seed_part, &seeding);
  ci_status status = ci_run_backward(j->run, adjoint, seeds, leaves, count, err);
  for (size_t i = 0; i < count; i++) broken = broken || takers[i].broken;
  if (status || !broken) return status;
  ci_pool_run(j->run->compute->pool, adjoint->count, seed_part, &seeding);
  return ci_run_find_broken(j->run, adjoint, seeds, leaves, count, err);
}

/* The vector-Jacobian products of one block of groups. */
static ci_status run_block(job *j, ci_adjoint_group *groups, size_t count, ci_error *err) {
  ci_subject *s = j->subject;
  ci_adjoint adjoint;
  ci_status status = ci_adjoint_open(j->run, groups, count, &adjoint, err);
  if (status) return status;
  float *seeds = ci_buffers_take(j->run->buffers, count * s->graph->nodes[s->graph->logits].width);
  ci_leaf *leaves = ci_alloc(j->walk->node_count, sizeof *leaves);
  taker *takers = ci_alloc(j->walk->node_count, sizeof *takers);
  status = seeds && leaves && takers ? backward(j, &adjoint, seeds, takers, leaves, err) : ci_fail_memory(err);
  ci_free(leaves);
  ci_free(takers);
  ci_buffers_give(j->run->buffers, seeds);
  ci_adjoint_close(&adjoint);
  j->done += count;
  if (s->progress && s->progress(s->progress_context, j->done, j->total)) atomic_store(&s->compute->cancelled, true);
  return status ? status : ci_compute_check(s->compute, err);
}

/* Groups from `first` on that make a block: by rows, by bytes, by the caller's block of targets. */
static size_t block_size(const job *j, size_t first) {
  const ci_subject *s = j->subject;
  const ci_adjoint_group *groups = j->groups;
  size_t row_bytes = ci_adjoint_row_bytes(s->graph), output_bytes = ci_adjoint_output_bytes(s->graph);
  size_t rows = 0, bytes = 0, n = 0;
  for (; first + n < j->group_count; n++) {
    const ci_adjoint_group *group = &groups[first + n];
    if (n && s->target_block && (n == s->target_block || group->branch != groups[first].branch)) break;
    size_t more = group->predictor + 1 - group->first + s->source_count;
    rows += more;
    bytes += more * row_bytes + output_bytes;
    if (n && (bytes > s->budget / 2 || (rows > MOST_ADJOINT_ROWS && n >= SHARING_TARGETS))) break;
  }
  return n;
}

static ci_status run_groups(job *j, ci_error *err) {
  ci_status status = CI_OK;
  for (size_t first = 0; first < j->group_count && !status;) {
    size_t block = block_size(j, first);
    status = run_block(j, j->groups + first, block, err);
    first += block;
  }
  return status;
}

/* ---- points ---- */

/* The group of a target of a branch that differs from the text from `begin` on. */
static ci_status add_group(job *j, int branch, size_t point, size_t target, size_t begin, ci_error *err) {
  if (ci_reserve((void **)&j->groups, &j->group_capacity, j->group_count + 1, sizeof *j->groups))
    return ci_fail_memory(err);
  j->groups[j->group_count++] = (ci_adjoint_group){.branch = branch,
                                                   .point = point,
                                                   .target = target,
                                                   .first = begin,
                                                   .predictor = j->subject->first_target + target - 1};
  return CI_OK;
}

/* The reference of the branch whose groups begin at first_group. */
static ci_status add_reference(job *j, size_t point, size_t first_group, ci_error *err) {
  ci_intervention moves[CI_MOST_MOVES];
  int branch;
  size_t begin;
  ci_status status = add_moved(j, moves, j->walk->reference(j->walk->context, point, moves), &branch, &begin, err);
  for (size_t g = first_group; g < j->group_count && !status; g++) {
    ci_adjoint_group *group = &j->groups[g];
    group->rescales = true;
    group->reference = branch;
    status = ci_run_want_logits(j->run, branch, group->predictor, &group->reference_output_row, err);
  }
  return status;
}

/* The text itself, which the subject's own run holds. */
static ci_status at_text(job *j, ci_error *err) {
  ci_subject *s = j->subject;
  ci_status status = ci_subject_forward(s, ci_subject_plan(s, j->walk->reference ? 2 : 1, CI_KEEP_ALL), err);
  if (status) return status;
  j->run = s->run;
  j->text = s->branch;
  j->text_source = s->run->spaces[CI_DECODER].branches[s->branch].source_branch;
  for (size_t t = 0; t < s->target_count && !status; t++) {
    if (!is_wanted(j, 0, t)) continue;
    status = add_group(j, s->branch, 0, t, 0, err);
    if (!status) j->groups[j->group_count - 1].output_row = s->output_rows[t];
  }
  ci_run_mark mark = ci_run_get_mark(s->run);
  if (!status && j->walk->reference) status = add_reference(j, 0, 0, err);
  if (!status && j->walk->reference) status = ci_run_forward(s->run, err);
  if (!status) status = run_groups(j, err);
  if (j->walk->reference) ci_run_truncate(s->run, &mark);
  return status;
}

static ci_status add_point(job *j, size_t point, ci_error *err) {
  ci_subject *s = j->subject;
  ci_intervention moves[CI_MOST_MOVES];
  int branch;
  size_t begin, first_group = j->group_count;
  ci_status status = add_moved(j, moves, j->walk->move(j->walk->context, point, moves), &branch, &begin, err);
  for (size_t t = 0; t < s->target_count && !status; t++) {
    if (!is_wanted(j, point, t) || s->first_target + t - 1 < begin) continue;
    status = add_group(j, branch, point, t, begin, err);
    if (status) break;
    ci_adjoint_group *group = &j->groups[j->group_count - 1];
    status = ci_run_want_logits(j->run, branch, group->predictor, &group->output_row, err);
  }
  if (!status && j->walk->reference) status = add_reference(j, point, first_group, err);
  return status;
}

/* Rows and bytes that a point adds to a block. */
static size_t cost_of(const job *j, size_t point, size_t *bytes, bool *shares_rows) {
  const ci_subject *s = j->subject;
  ci_intervention moves[CI_MOST_MOVES];
  bool own_source;
  size_t begin = begin_of(j, moves, j->walk->move(j->walk->context, point, moves), &own_source);
  size_t rows = s->row_count - begin, source = own_source ? s->source_count : 0, both = j->walk->reference ? 2 : 1;
  *bytes += both * (rows * ci_run_row_bytes(s->graph, CI_DECODER, j->run->keep) +
                    source * ci_run_row_bytes(s->graph, CI_ENCODER, j->run->keep) +
                    s->target_count * ci_run_row_bytes(s->graph, CI_OUTPUT, j->run->keep));
  *shares_rows = *shares_rows || begin;
  return both * (rows + source);
}

/* How many points from `first` on are computed together, and whether one of them shares rows of the text. */
static size_t points_at_once(const job *j, size_t first, bool *shares_rows) {
  size_t rows = 0, bytes = 0, n = 0, most = j->run->keep == CI_KEEP_KEYS ? MOST_VALUE_ROWS : MOST_FORWARD_ROWS;
  *shares_rows = false;
  for (; first + n < j->walk->points; n++) {
    bool shares = *shares_rows;
    if (j->walk->about && j->walk->about(j->walk->context, first + n) != j->walk->about(j->walk->context, first)) break;
    rows += cost_of(j, first + n, &bytes, &shares);
    if (n && (rows > most || bytes > j->subject->budget / 4)) break;
    *shares_rows = shares;
  }
  return n;
}

/* Whether a node's rows in a branch can stand for all that lies below them: nothing of its section comes after it. */
static bool can_be_given(const ci_graph *graph, int node) {
  return node + 1 < graph->count && graph->nodes[node + 1].section != graph->nodes[node].section;
}

/* The node whose rows a point gives whole in a space, -1: none. */
static int given_by(const job *j, size_t point, ci_space_id space) {
  ci_intervention moves[CI_MOST_MOVES];
  size_t count = j->walk->move(j->walk->context, point, moves);
  for (size_t i = 0; i < count; i++) {
    bool whole = moves[i].origin && !moves[i].first && moves[i].count == ci_subject_rows(j->subject, space);
    if (whole && j->run->graph->nodes[moves[i].node].space == space && can_be_given(j->run->graph, moves[i].node))
      return moves[i].node;
  }
  return -1;
}

/* The same for all points of a block, as ci_run_forward_given has it. */
static void find_given(const job *j, size_t first, size_t count, int given[CI_SPACES]) {
  for (ci_space_id space = CI_ENCODER; space < CI_SPACES; space++) {
    given[space] = j->walk->reference ? -1 : given_by(j, first, space);
    for (size_t i = 1; i < count && given[space] >= 0; i++)
      if (given_by(j, first + i, space) != given[space]) given[space] = -1;
  }
}

/* Calls use(job) for each block of points, which are then forward. */
static ci_status along_points(job *j, ci_keep keep, ci_status (*use)(job *j, ci_error *err), ci_error *err) {
  ci_subject *s = j->subject;
  bool shares_rows;
  int given[CI_SPACES];
  ci_status status = ci_run_open(s->graph, s->compute, keep, &j->run, err);
  ci_run_mark mark = {0};
  for (size_t first = 0; first < j->walk->points && !status;) {
    size_t n = points_at_once(j, first, &shares_rows);
    if (!first || (shares_rows && j->text < 0)) {
      status = add_text(j, shares_rows, err);
      mark = ci_run_get_mark(j->run);
    }
    ci_run_truncate(j->run, &mark);
    j->group_count = 0;
    if (j->walk->about) j->leaf = j->walk->about(j->walk->context, first), j->leaf_count = 1;
    for (size_t i = 0; i < n && !status; i++) status = add_point(j, first + i, err);
    find_given(j, first, n, given);
    if (!status) status = ci_run_forward_given(j->run, given, err);
    if (!status) status = use(j, err);
    first += n;
  }
  ci_run_close(j->run);
  return status;
}

ci_status ci_subject_walk(ci_subject *s, const ci_walk *walk, const ci_objective *objective, ci_error *err) {
  job j = {.subject = s,
           .walk = walk,
           .objective = objective,
           .text = -1,
           .text_source = -1,
           .leaf_count = walk->node_count};
  j.total = count_pairs(&j);
  ci_keep keep = ci_subject_plan(s, MOST_FORWARD_ROWS / (s->row_count + s->source_count) + 1, CI_KEEP_ALL);
  ci_status status = walk->points ? along_points(&j, keep, run_groups, err) : at_text(&j, err);
  ci_free(j.groups);
  return status;
}

/* ---- values ---- */

typedef struct {
  job job;
  double *out;
} values_job;

static void value_part(void *context, size_t g, int thread) {
  const values_job *v = context;
  const ci_adjoint_group *group = &v->job.groups[g];
  const ci_subject *s = v->job.subject;
  float *scratch = ci_compute_scratch(s->compute, thread, s->graph->nodes[s->graph->logits].width);
  if (!scratch) return;
  v->out[group->point * s->target_count + group->target] = v->job.objective->value(
      v->job.objective->context, ci_run_logits(v->job.run, group->output_row), group->target, scratch);
}

static ci_status read_values(job *j, ci_error *err) {
  values_job *v = (values_job *)j; /* its first member */
  ci_pool_run(j->subject->compute->pool, j->group_count, value_part, v);
  return ci_compute_check(j->subject->compute, err);
}

ci_status ci_subject_values(ci_subject *s, const ci_walk *walk, const ci_objective *objective, double *out,
                            ci_error *err) {
  values_job v = {{.subject = s, .walk = walk, .objective = objective, .text = -1, .text_source = -1}, out};
  for (size_t i = 0; i < walk->points * s->target_count; i++) out[i] = NAN;
  ci_status status = along_points(&v.job, CI_KEEP_KEYS, read_values, err);
  ci_free(v.job.groups);
  return status;
}
