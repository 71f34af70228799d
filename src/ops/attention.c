/* Scaled dot-product attention (Vaswani et al. 2017), with grouped key/value heads (Ainslie et al. 2023).
 *   P[p,k] = softmax_k(scale q[p].k[k]),  o[p] = sum_k P[p,k] v[k];  causal: k <= p, with a window: p - window < k <=
 * p. Scores may be capped and biased by position before the softmax (attention_scores.h), and a head may have a sink: a
 * logit that takes part in the softmax and has no value (Xiao et al. 2023). Keys are those of the row's own branch
 * (self), of all its positions (encoder), or of its source branch (cross). In a branch under dropout (engine/dropout.h)
 * probabilities are dropped after the softmax. Kept beside the output: the log-sum-exp of each row and head, from which
 * backward rebuilds P in tiles.
 *
 * vjp, for each target separately (its adjoint rows are its own): dP = do v^T, dS = scale P (dP - sum_k P dP), times
 * the cap's slope;  dq = dS k,  dk = dS^T q,  dv = P^T do, heads of a group summed into one key row. P is the same for
 * all targets of a branch: each tile is made once and used for all of them. dq has the adjoint rows of dy; dk and dv
 * have CI_SET_FULL (self) or CI_SET_SOURCE (encoder, cross). */
#include "engine/dropout.h"
#include "engine/run.h"
#include "ops/attention.h"
#include "ops/attention_scores.h"
#include "ops/params.h"
#include <math.h>
#include <string.h>

/* Queries of a tile, and of a part's stretch of a long text. */
enum { TILE = 32, STRETCH = 8 * TILE };

/* The keys and values of a branch for one key/value head: [count, head_dim] with leading dimensions, in place when the
 * branch's rows lie together, else gathered. */
typedef struct {
  const float *keys, *values;
  size_t ld, count;
} key_view;

static const ci_branch *key_branch(const ci_run *run, const ci_node *node, int branch) {
  const ci_node *query = &run->graph->nodes[node->inputs[0]], *key = &run->graph->nodes[node->inputs[1]];
  if (key->space == query->space) return &run->spaces[key->space].branches[branch];
  return &run->spaces[key->space].branches[run->spaces[query->space].branches[branch].source_branch];
}

static bool lie_together(const ci_branch *branch, size_t count) {
  return count == 0 || (size_t)branch->rows[count - 1] == (size_t)branch->rows[0] + count - 1;
}

static void gather(const ci_run *run, int node, const ci_branch *branch, size_t count, size_t column, size_t width,
                   float *out) {
  for (size_t k = 0; k < count; k++)
    memcpy(out + k * width, ci_run_row(run, node, (size_t)branch->rows[k]) + column, width * sizeof(float));
}

/* room: 2 count head_dim floats, used when the rows are scattered. */
static key_view view_keys(const ci_run *run, const ci_node *node, const ci_branch *branch, size_t count, size_t kv_head,
                          float *room) {
  const ci_attention_params *params = node->params;
  size_t column = kv_head * params->head_dim;
  if (lie_together(branch, count))
    return (key_view){ci_run_row(run, node->inputs[1], (size_t)branch->rows[0]) + column,
                      ci_run_row(run, node->inputs[2], (size_t)branch->rows[0]) + column,
                      params->kv_heads * params->head_dim, count};
  gather(run, node->inputs[1], branch, count, column, params->head_dim, room);
  gather(run, node->inputs[2], branch, count, column, params->head_dim, room + count * params->head_dim);
  return (key_view){room, room + count * params->head_dim, params->head_dim, count};
}

static void transpose(const float *in, size_t ld, size_t rows, size_t columns, float *out) {
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < columns; c++) out[c * rows + r] = in[r * ld + c];
}

/* A stretch of new rows that are consecutive positions of one branch, STRETCH of them at most. */
typedef struct {
  int branch;
  size_t row, position, count;
  const ci_intervention *dropout; /* of the branch's probabilities; NULL: none */
} segment;

typedef struct {
  const ci_forward_call *call;
  const ci_attention_params *params;
  const segment *segments;
  size_t parts;
} forward_job;

/* Keys [low, high). */
typedef struct {
  size_t low, high;
} key_range;

static key_range keys_seen(const ci_attention_params *params, const ci_branch *keys, size_t position) {
  if (!params->causal) return (key_range){0, keys->length};
  bool cut = params->window && position >= params->window;
  return (key_range){cut ? position + 1 - params->window : 0, position + 1};
}

/* What the queries at positions [from, to) see together. */
static key_range keys_of_tile(const ci_attention_params *params, const ci_branch *keys, size_t from, size_t to) {
  return (key_range){keys_seen(params, keys, from).low, keys_seen(params, keys, to - 1).high};
}

/* A row of a tile outside the n keys after the first `before`. */
static void clear_unseen(float *row, size_t before, size_t n, size_t span) {
  memset(row, 0, before * sizeof(float));
  memset(row + before + n, 0, (span - before - n) * sizeof(float));
}

/* s: the products of a tile's row with the keys in `tile`; what the query does not see becomes 0. Returns the
 * log-sum-exp. */
static float softmax_row(const ci_kernels *kernels, const ci_attention_params *params, size_t head, size_t position,
                         key_range own, key_range tile, float *s) {
  size_t n = own.high - own.low;
  float *seen = s + (own.low - tile.low), sink = params->sinks ? params->sinks[head] : -INFINITY;
  float scale = ci_attention_adjust(kernels, params, head, position, own.low, n, seen, NULL);
  float shift = scale * kernels->max(seen, n);
  if (sink > shift) shift = sink;
  double total = kernels->exp_sum(seen, n, scale, shift);
  if (params->sinks) total += exp((double)(sink - shift));
  float inverse = (float)(1 / total);
  for (size_t k = 0; k < n; k++) seen[k] *= inverse;
  clear_unseen(s, own.low - tile.low, n, tile.high - tile.low);
  return shift + (float)log(total);
}

/* Rows of one tile of queries of one head. transposed: keys as [head_dim, count], NULL: few rows, dot by dot. */
static void forward_tile(const forward_job *job, const segment *s, size_t offset, size_t rows, size_t head,
                         const key_view *view, const ci_branch *keys, const float *transposed, float *scores) {
  const ci_forward_call *call = job->call;
  const ci_attention_params *params = job->params;
  const ci_kernels *kernels = call->run->compute->kernels;
  size_t dim = params->head_dim, width = call->node->width, first = s->position + offset;
  const float *q = ci_run_row(call->run, call->node->inputs[0], s->row + offset) + head * dim;
  key_range tile = keys_of_tile(params, keys, first, first + rows);
  size_t span = tile.high - tile.low;
  if (transposed) kernels->matmul(rows, span, dim, q, width, 1, transposed + tile.low, view->count, scores, span, 0);
  for (size_t r = 0; r < rows; r++) {
    key_range own = keys_seen(params, keys, first + r);
    if (!transposed)
      for (size_t k = own.low; k < own.high; k++)
        scores[r * span + k - tile.low] = kernels->dot(q + r * width, view->keys + k * view->ld, dim);
    float *kept = call->kept + (s->row + offset + r - call->first) * call->node->kept_width + head;
    *kept = softmax_row(kernels, params, head, first + r, own, tile, scores + r * span);
  }
  if (s->dropout)
    for (size_t r = 0; r < rows; r++)
      ci_drop(s->dropout, call->node, (first + r) * params->heads + head, tile.low, span, scores + r * span);
  float *out = call->out + (s->row + offset - call->first) * width + head * dim;
  kernels->matmul(rows, dim, span, scores, span, 1, view->values + tile.low * view->ld, view->ld, out, width, 0);
}

static void forward_part(void *context, size_t part, int thread) {
  const forward_job *job = context;
  const ci_forward_call *call = job->call;
  const ci_attention_params *params = job->params;
  size_t backwards = job->parts - 1 - part; /* the end of a long text first: it sees most keys */
  const segment *s = &job->segments[backwards / params->kv_heads];
  size_t kv_head = backwards % params->kv_heads, group = params->heads / params->kv_heads, dim = params->head_dim;
  const ci_branch *keys = key_branch(call->run, call->node, s->branch);
  size_t count = keys_seen(params, keys, s->position + s->count - 1).high;
  float *room = ci_compute_scratch(call->run->compute, thread, 3 * count * dim + TILE * count);
  if (!room) return;
  key_view view = view_keys(call->run, call->node, keys, count, kv_head, room);
  float *transposed = NULL, *scores = room + 3 * count * dim;
  if (s->count * group >= 4) {
    transposed = room + 2 * count * dim;
    transpose(view.keys, view.ld, count, dim, transposed);
  }
  for (size_t head = kv_head * group; head < (kv_head + 1) * group; head++)
    for (size_t offset = 0; offset < s->count; offset += TILE) {
      size_t rows = s->count - offset < TILE ? s->count - offset : TILE;
      forward_tile(job, s, offset, rows, head, &view, keys, transposed, scores);
    }
}

/* Cuts the call's rows into segments; out has room for `count` of them. */
static size_t find_segments(const ci_run *run, const ci_node *node, size_t first, size_t count, segment *out) {
  const ci_space *space = &run->spaces[node->space];
  bool drops = node->dropout > 0 && run->touched[node - run->graph->nodes];
  size_t n = 0;
  for (size_t row = first; row < first + count; row++) {
    segment *last = n ? &out[n - 1] : NULL;
    size_t position = (size_t)space->positions[row];
    bool goes_on = last && last->branch == space->branch_of[row] && last->position + last->count == position;
    if (goes_on && last->count < STRETCH)
      last->count++;
    else {
      const ci_intervention *dropout = drops ? ci_run_dropout(run, node->space, space->branch_of[row]) : NULL;
      out[n++] = (segment){space->branch_of[row], row, position, 1, dropout};
    }
  }
  return n;
}

/* Runs parts on the pool if they are worth the hand-over. */
static void run_parts(ci_compute *compute, size_t parts, double cost, void (*work)(void *, size_t, int),
                      void *context) {
  if (cost > 3e4)
    ci_pool_run(compute->pool, parts, work, context);
  else
    for (size_t part = 0; part < parts; part++) work(context, part, 0);
}

static void forward(const ci_forward_call *call) {
  const ci_attention_params *params = call->node->params;
  segment *segments = ci_alloc(call->count, sizeof *segments);
  if (!segments) {
    atomic_store(&call->run->compute->no_memory, true);
    return;
  }
  forward_job job = {call, params, segments, 0};
  size_t count = find_segments(call->run, call->node, call->first, call->count, segments);
  double cost = 0;
  for (size_t i = 0; i < count; i++)
    cost += 4.0 * (double)segments[i].count * (double)(segments[i].position + segments[i].count) *
            (double)call->node->width;
  job.parts = count * params->kv_heads;
  run_parts(call->run->compute, job.parts, cost, forward_part, &job);
  ci_free(segments);
}

/* Groups (targets) of one branch: [first, last) of the adjoint's. */
typedef struct {
  size_t first, last;
  size_t queries; /* positions 0..queries-1 have adjoint rows */
} branch_groups;

typedef struct {
  const ci_backward_call *call;
  const ci_attention_params *params;
  const branch_groups *branches;
} backward_job;

/* What one (branch, key/value head) works with. */
typedef struct {
  const backward_job *job;
  const ci_branch *queries, *keys;
  size_t head, kv_head;
  key_view view;
  const float *keys_t, *values_t; /* [head_dim, count] */
  float *q, *p, *dp;              /* [TILE, head_dim], [TILE, count] twice */
  float *slopes;                  /* [TILE, count] of the cap; NULL: there is none */
} worker;

/* The adjoint rows of group g that lie in positions [from, to): first position and row of dy. Their number. */
static size_t rows_in_tile(const ci_backward_call *call, size_t g, size_t from, size_t to, size_t *position,
                           size_t *row) {
  const ci_adjoint_group *group = &call->adjoint->groups[g];
  if (call->set == CI_SET_SOURCE) {
    *position = from;
    *row = group->source + from;
    return to - from;
  }
  size_t low = call->set == CI_SET_TOP ? group->predictor : group->first, high = group->predictor + 1;
  if (low < from) low = from;
  if (high > to) high = to;
  *position = low;
  *row = call->set == CI_SET_TOP ? g : group->full + (low - group->first);
  return high > low ? high - low : 0;
}

/* Where the key rows of group g begin in dk and dv, the first key position that has one, and how many. */
static size_t key_rows(const ci_backward_call *call, size_t g, bool causal, size_t *row, size_t *first) {
  const ci_adjoint_group *group = &call->adjoint->groups[g];
  *first = causal ? group->first : 0;
  *row = causal ? group->full : group->source;
  return causal ? group->predictor + 1 - group->first : group->source_count;
}

/* P of a tile of query positions, rebuilt from the kept log-sum-exps; q is gathered on the way. */
static void rebuild_tile(const worker *w, size_t from, size_t to, key_range tile) {
  const ci_backward_call *call = w->job->call;
  const ci_attention_params *params = w->job->params;
  const ci_kernels *kernels = call->run->compute->kernels;
  const ci_value *value = &call->run->values[call->node - call->run->graph->nodes];
  size_t dim = params->head_dim, rows = to - from, span = tile.high - tile.low;
  for (size_t r = 0; r < rows; r++)
    memcpy(w->q + r * dim,
           ci_run_row(call->run, call->node->inputs[0], (size_t)w->queries->rows[from + r]) + w->head * dim,
           dim * sizeof(float));
  kernels->matmul(rows, span, dim, w->q, dim, 1, w->keys_t + tile.low, w->view.count, w->p, span, 0);
  for (size_t r = 0; r < rows; r++) {
    key_range own = keys_seen(params, w->keys, from + r);
    if (own.high > tile.high) own.high = tile.high;
    size_t n = own.high - own.low, skipped = own.low - tile.low;
    float log_sum = value->kept[(size_t)w->queries->rows[from + r] * call->node->kept_width + w->head];
    float *p = w->p + r * span, *slopes = w->slopes ? w->slopes + r * span + skipped : NULL;
    float scale = ci_attention_adjust(kernels, params, w->head, from + r, own.low, n, p + skipped, slopes);
    kernels->exp_sum(p + skipped, n, scale, log_sum);
    clear_unseen(p, skipped, n, span);
    if (slopes) clear_unseen(w->slopes + r * span, skipped, n, span);
  }
}

/* dS of `rows` rows of a tile, from dP in place: [rows, span], P and the cap's slopes with the tile's leading
 * dimension. */
static void score_gradients(const worker *w, size_t first_row, size_t rows, size_t span, size_t ld, float *ds) {
  const ci_kernels *kernels = w->job->call->run->compute->kernels;
  for (size_t r = 0; r < rows; r++) {
    float *d = ds + r * span, scale = w->job->params->scale;
    const float *p = w->p + (first_row + r) * ld;
    float mean = (float)kernels->sum_products(p, d, span);
    for (size_t k = 0; k < span; k++) d[k] = scale * p[k] * (d[k] - mean);
    if (w->slopes) kernels->multiply(d, w->slopes + (first_row + r) * ld, d, span, 0);
  }
}

/* The adjoint rows of one target in one tile. */
static void backward_group(const worker *w, size_t g, size_t from, size_t to, key_range tile) {
  const ci_backward_call *call = w->job->call;
  const ci_attention_params *params = w->job->params;
  const ci_kernels *kernels = call->run->compute->kernels;
  size_t position, row, dim = params->head_dim, width = call->node->width, kv_width = params->kv_heads * dim;
  size_t rows = rows_in_tile(call, g, from, to, &position, &row), ld = tile.high - tile.low;
  if (!rows) return;
  size_t high = params->causal ? position + rows : tile.high, span = high - tile.low;
  const float *dy = call->dy + row * width + w->head * dim, *p = w->p + (position - from) * ld;
  size_t key_row, first, keys = key_rows(call, g, params->causal, &key_row, &first);
  if (first < tile.low) { /* keys of this tile that have a row */
    size_t before = tile.low - first < keys ? tile.low - first : keys;
    key_row += before;
    first += before;
    keys -= before;
  }
  if (first + keys > high) keys = high - first;
  size_t at = first - tile.low;
  if (call->dx[2])
    kernels->matmul(keys, dim, rows, p + at, 1, ld, dy, width, call->dx[2] + key_row * kv_width + w->kv_head * dim,
                    kv_width, 1);
  if (!call->dx[0] && !call->dx[1]) return;
  float *ds = w->dp;
  kernels->matmul(rows, span, dim, dy, width, 1, w->values_t + tile.low, w->view.count, ds, span, 0);
  score_gradients(w, position - from, rows, span, ld, ds);
  if (call->dx[0])
    kernels->matmul(rows, dim, span, ds, span, 1, w->view.keys + tile.low * w->view.ld, w->view.ld,
                    call->dx[0] + row * width + w->head * dim, width, call->accumulate[0]);
  if (call->dx[1])
    kernels->matmul(keys, dim, rows, ds + at, 1, span, w->q + (position - from) * dim, dim,
                    call->dx[1] + key_row * kv_width + w->kv_head * dim, kv_width, 1);
}

static void clear_keys(const worker *w, const branch_groups *range, int input) {
  const ci_backward_call *call = w->job->call;
  size_t dim = w->job->params->head_dim, kv_width = w->job->params->kv_heads * dim, row, first;
  if (!call->dx[input] || call->accumulate[input]) return;
  for (size_t g = range->first; g < range->last; g++) {
    size_t keys = key_rows(call, g, w->job->params->causal, &row, &first);
    for (size_t k = 0; k < keys; k++)
      memset(call->dx[input] + (row + k) * kv_width + w->kv_head * dim, 0, dim * sizeof(float));
  }
}

static void backward_part(void *context, size_t part, int thread) {
  const backward_job *job = context;
  const ci_backward_call *call = job->call;
  const ci_attention_params *params = job->params;
  const branch_groups *range = &job->branches[part / params->kv_heads];
  size_t dim = params->head_dim, group = params->heads / params->kv_heads;
  const ci_adjoint_group *first = &call->adjoint->groups[range->first];
  bool source = call->set == CI_SET_SOURCE;
  int branch = source ? first->source_branch : first->branch;
  worker w = {.job = job, .kv_head = part % params->kv_heads};
  w.queries = &call->run->spaces[call->node->space].branches[branch];
  w.keys = key_branch(call->run, call->node, branch);
  size_t count = params->causal ? range->queries : w.keys->length;
  float *room = ci_compute_scratch(call->run->compute, thread, 4 * count * dim + TILE * (3 * count + dim));
  if (!room) return;
  w.view = view_keys(call->run, call->node, w.keys, count, w.kv_head, room);
  float *keys_t = room + 2 * count * dim, *values_t = keys_t + count * dim;
  transpose(w.view.keys, w.view.ld, count, dim, keys_t);
  transpose(w.view.values, w.view.ld, count, dim, values_t);
  w.keys_t = keys_t;
  w.values_t = values_t;
  w.p = values_t + count * dim;
  w.dp = w.p + TILE * count;
  w.q = w.dp + TILE * count;
  w.slopes = params->soft_cap > 0 ? w.q + TILE * dim : NULL;
  clear_keys(&w, range, 1);
  clear_keys(&w, range, 2);
  for (w.head = w.kv_head * group; w.head < (w.kv_head + 1) * group; w.head++)
    for (size_t from = 0; from < range->queries; from += TILE) {
      size_t to = from + TILE < range->queries ? from + TILE : range->queries;
      key_range tile = keys_of_tile(params, w.keys, from, to);
      rebuild_tile(&w, from, to, tile);
      for (size_t g = range->first; g < range->last; g++) backward_group(&w, g, from, to, tile);
    }
}

/* How many targets of a branch go into a part. They share P, whose making costs about as much as 3/8 of a target's
 * share; but few branches with few heads are parts that do not divide among the threads. What a target gives does not
 * depend on it. */
static size_t targets_at_once(const ci_backward_call *call) {
  const ci_attention_params *params = call->node->params;
  const ci_adjoint *adjoint = call->adjoint;
  size_t branches = 1, threads = (size_t)ci_pool_threads(call->run->compute->pool), best = adjoint->count;
  for (size_t g = 1; g < adjoint->count; g++) branches += adjoint->groups[g].branch != adjoint->groups[g - 1].branch;
  size_t each = (adjoint->count + branches - 1) / branches, least = SIZE_MAX;
  for (size_t cuts = 1; cuts <= threads && cuts <= each; cuts++) {
    size_t targets = (each + cuts - 1) / cuts, parts = branches * params->kv_heads * cuts;
    size_t cost = (parts + threads - 1) / threads * (8 * targets + 3);
    if (cost < least) best = targets;
    if (cost < least) least = cost;
  }
  return best;
}

/* Groups come sorted by branch; source branches that several decoder branches share are not contiguous in general, but
 * groups of one decoder branch are what shares P, which is enough. */
static size_t find_branches(const ci_backward_call *call, branch_groups *out) {
  const ci_adjoint *adjoint = call->adjoint;
  size_t n = 0, most = targets_at_once(call);
  for (size_t g = 0; g < adjoint->count; g++) {
    const ci_adjoint_group *group = &adjoint->groups[g];
    size_t queries = call->set == CI_SET_SOURCE ? group->source_count : group->predictor + 1;
    if (n && adjoint->groups[out[n - 1].first].branch == group->branch && g - out[n - 1].first < most) {
      out[n - 1].last = g + 1;
      if (out[n - 1].queries < queries) out[n - 1].queries = queries;
    } else {
      out[n++] = (branch_groups){g, g + 1, queries};
    }
  }
  return n;
}

static void vjp(const ci_backward_call *call) {
  const ci_attention_params *params = call->node->params;
  branch_groups *branches = ci_alloc(call->adjoint->count, sizeof *branches);
  if (!branches) {
    atomic_store(&call->run->compute->no_memory, true);
    return;
  }
  backward_job job = {call, params, branches};
  size_t count = find_branches(call, branches);
  double cost = 0;
  for (size_t i = 0; i < count; i++)
    cost += 8.0 * (double)call->count * (double)branches[i].queries * (double)call->node->width;
  run_parts(call->run->compute, count * params->kv_heads, cost, backward_part, &job);
  ci_free(branches);
}

void ci_attention_weights(const ci_run *run, int node_number, int branch, size_t position, size_t head, float *out) {
  const ci_node *node = &run->graph->nodes[node_number];
  const ci_attention_params *params = node->params;
  const ci_kernels *kernels = run->compute->kernels;
  const ci_branch *keys = key_branch(run, node, branch);
  size_t row = (size_t)run->spaces[node->space].branches[branch].rows[position], dim = params->head_dim;
  key_range seen = keys_seen(params, keys, position);
  size_t kv_head = head / (params->heads / params->kv_heads), n = seen.high - seen.low;
  const float *q = ci_run_row(run, node->inputs[0], row) + head * dim;
  for (size_t k = 0; k < seen.low; k++) out[k] = 0;
  for (size_t k = seen.low; k < seen.high; k++)
    out[k] = kernels->dot(q, ci_run_row(run, node->inputs[1], (size_t)keys->rows[k]) + kv_head * dim, dim);
  float scale = ci_attention_adjust(kernels, params, head, position, seen.low, n, out + seen.low, NULL);
  kernels->exp_sum(out + seen.low, n, scale, run->values[node_number].kept[row * node->kept_width + head]);
}

void ci_attention_without(const ci_run *run, int node_number, int branch, size_t position, size_t key,
                          const unsigned char *heads, float *out) {
  const ci_node *node = &run->graph->nodes[node_number];
  const ci_attention_params *params = node->params;
  const ci_kernels *kernels = run->compute->kernels;
  const ci_branch *keys = key_branch(run, node, branch);
  size_t row = (size_t)run->spaces[node->space].branches[branch].rows[position], key_row = (size_t)keys->rows[key];
  size_t dim = params->head_dim, group = params->heads / params->kv_heads;
  key_range seen = keys_seen(params, keys, position);
  if (key < seen.low || key >= seen.high) return;
  const float *q = ci_run_row(run, node->inputs[0], row),
              *log_sums = run->values[node_number].kept + row * node->kept_width;
  const float *k = ci_run_row(run, node->inputs[1], key_row), *v = ci_run_row(run, node->inputs[2], key_row);
  for (size_t head = 0; head < params->heads; head++) {
    if (!heads[head]) continue;
    size_t column = head / group * dim;
    float score = kernels->dot(q + head * dim, k + column, dim);
    float scale = ci_attention_adjust(kernels, params, head, position, key, 1, &score, NULL);
    kernels->axpy(-expf(scale * score - log_sums[head]), v + column, out + head * dim, dim);
  }
}

const ci_op ci_op_attention = {.id = "attention",
                               .help = "scaled dot-product attention",
                               .mixes_rows = true,
                               .vjp_reads = true,
                               .forward = forward,
                               .vjp = vjp,
                               .rescale = vjp};
