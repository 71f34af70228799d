/* Attention rollout (Abnar & Zuidema 2020): how much of each input token flows into a position, if attention and the
 * residual connection were all that mixes positions. With A the mean over heads of a layer's attention and r the
 * residual's share, X <- r X + (1 - r) A X,   X = I at the embeddings;   score[token, t] = X[position that predicts t,
 * token]. Encoder-decoder (Ferrando et al. 2022): the encoder's rollout E; then in the decoder, whose rows flow from
 * target tokens (X) and source tokens (Y, 0 at the embeddings), self-attention mixes both, and cross-attention C adds
 *   X <- r X,   Y <- r Y + (1 - r) C E.
 * A column's scores over source and target tokens sum to 1. */
#include "attribute/internals.h"
#include "ops/attention.h"
#include <string.h>

typedef struct {
  json_t *layers, *heads;
  double residual;
} arguments;

static const ci_option options_table[] = {
    {"layers", NULL, CI_JSON, offsetof(arguments, layers), "null", 0, 0, NULL,
     "Layers to roll through: null all, [0, 2], \"0:2\" (0 and 1); negative numbers count from the last."},
    {"heads", NULL, CI_JSON, offsetof(arguments, heads), "null", 0, 0, NULL,
     "Heads that the mean is taken of, in the same way."},
    {"residual", NULL, CI_REAL, offsetof(arguments, residual), "0.5", 0, 1, NULL, "Share of the residual connection."},
    CI_OPTIONS_END};

typedef struct {
  ci_attribution *a;
  const arguments *arg;
  ci_attention_nodes nodes;
  size_t rows[CI_SPACES];
  unsigned char *layers, *heads; /* chosen, of the kind that is looked at */
  float *attention;              /* [queries, keys] of one layer */
  float *mixed;                  /* [queries, tokens] */
  float *flow[CI_SPACES];        /* [rows of the decoder, tokens of the space] */
  float *encoder;                /* [source, source] */
} rollout;

static ci_status look_at(rollout *r, ci_space_id query, ci_space_id key, ci_error *err) {
  ci_find_attention(r->a->subject.graph, query, key, &r->nodes);
  ci_free(r->layers);
  ci_free(r->heads);
  r->layers = ci_alloc(r->nodes.layers, 1);
  r->heads = ci_alloc(r->nodes.heads, 1);
  if (!r->layers || !r->heads) return ci_fail_memory(err);
  ci_status status = ci_choose("layers", r->arg->layers, r->nodes.layers, r->layers, err);
  return status ? status : ci_choose("heads", r->arg->heads, r->nodes.heads, r->heads, err);
}

/* attention[queries, keys] = (1 - residual) times the mean over the chosen heads. */
static void read(rollout *r, size_t layer, ci_space_id query, ci_space_id key) {
  const ci_subject *s = &r->a->subject;
  size_t queries = r->rows[query], keys = r->rows[key];
  int branch = query == CI_ENCODER ? s->run->spaces[CI_DECODER].branches[s->branch].source_branch : s->branch;
  float share = (float)((1 - r->arg->residual) / (double)ci_count_chosen(r->heads, r->nodes.heads));
  memset(r->attention, 0, queries * keys * sizeof *r->attention);
  for (size_t head = 0; head < r->nodes.heads; head++)
    for (size_t q = 0; q < queries && r->heads[head]; q++) {
      size_t seen = query == CI_DECODER && key == CI_DECODER ? q + 1 : keys;
      ci_attention_weights(s->run, r->nodes.nodes[layer], branch, q, head, r->mixed);
      for (size_t k = 0; k < seen; k++) r->attention[q * keys + k] += share * r->mixed[k];
    }
}

/* x[queries, tokens] = residual x + attention from[keys, tokens]. */
static void mix(rollout *r, size_t queries, size_t keys, const float *from, float *x, size_t tokens) {
  const ci_kernels *kernels = r->a->job->compute->kernels;
  kernels->matmul(queries, tokens, keys, r->attention, keys, 1, from, tokens, r->mixed, tokens, 0);
  float residual = (float)r->arg->residual;
  for (size_t i = 0; i < queries * tokens; i++) x[i] = residual * x[i] + r->mixed[i];
}

static void start(float *x, size_t rows) {
  memset(x, 0, rows * rows * sizeof *x);
  for (size_t i = 0; i < rows; i++) x[i * rows + i] = 1;
}

static ci_status roll_encoder(rollout *r, ci_error *err) {
  size_t rows = r->rows[CI_ENCODER];
  ci_status status = look_at(r, CI_ENCODER, CI_ENCODER, err);
  start(r->encoder, rows);
  for (size_t layer = 0; layer < r->nodes.layers && !status; layer++) {
    if (!r->layers[layer]) continue;
    read(r, layer, CI_ENCODER, CI_ENCODER);
    mix(r, rows, rows, r->encoder, r->encoder, rows);
  }
  return status;
}

/* Self-attention mixes what has flowed into the decoder's rows, from either side. */
static void mix_self(rollout *r, size_t layer) {
  size_t rows = r->rows[CI_DECODER];
  read(r, layer, CI_DECODER, CI_DECODER);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++)
    if (r->rows[space]) mix(r, rows, rows, r->flow[space], r->flow[space], r->rows[space]);
}

static void mix_cross(rollout *r, size_t layer) {
  size_t rows = r->rows[CI_DECODER], source = r->rows[CI_ENCODER];
  float residual = (float)r->arg->residual;
  read(r, layer, CI_DECODER, CI_ENCODER);
  mix(r, rows, source, r->encoder, r->flow[CI_ENCODER], source);
  for (size_t i = 0; i < rows * rows; i++) r->flow[CI_DECODER][i] *= residual;
}

static ci_status roll_decoder(rollout *r, ci_error *err) {
  bool pair = r->rows[CI_ENCODER] > 0;
  ci_status status = look_at(r, CI_DECODER, CI_DECODER, err);
  ci_attention_nodes self = r->nodes, cross;
  ci_find_attention(r->a->subject.graph, CI_DECODER, CI_ENCODER, &cross);
  start(r->flow[CI_DECODER], r->rows[CI_DECODER]);
  for (size_t layer = 0; layer < self.layers && !status; layer++) {
    if (!r->layers[layer]) continue;
    r->nodes = self;
    mix_self(r, layer);
    r->nodes = cross;
    if (pair) mix_cross(r, layer);
  }
  return status;
}

static ci_status store(rollout *r, ci_space_id space, ci_error *err) {
  ci_attribution *a = r->a;
  size_t targets = a->subject.target_count, tokens = r->rows[space];
  ci_array *array;
  ci_status status = ci_attribution_array(a, space, 2, 1, 1, &array, err);
  for (size_t t = 0; t < targets && !status; t++) {
    size_t seen = space == CI_ENCODER ? tokens : a->start + t;
    for (size_t k = 0; k < seen; k++) array->data[k * targets + t] = r->flow[space][(a->start + t - 1) * tokens + k];
  }
  return status;
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  rollout r = {
      .a = a, .arg = options, .rows = {[CI_ENCODER] = a->subject.source_count, [CI_DECODER] = a->subject.row_count}};
  size_t source = r.rows[CI_ENCODER], target = r.rows[CI_DECODER], most = source > target ? source : target;
  r.attention = ci_alloc(most * most, sizeof(float));
  r.mixed = ci_alloc(most * most, sizeof(float));
  r.encoder = ci_alloc(source * source, sizeof(float));
  r.flow[CI_ENCODER] = ci_alloc_zeroed(target * source, sizeof(float));
  r.flow[CI_DECODER] = ci_alloc(target * target, sizeof(float));
  bool there = r.attention && r.mixed && r.encoder && r.flow[CI_ENCODER] && r.flow[CI_DECODER];
  ci_status status = !there ? ci_fail_memory(err) : source ? roll_encoder(&r, err) : CI_OK;
  if (!status) status = roll_decoder(&r, err);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++)
    if (a->wants[space]) status = store(&r, space, err);
  float *const owned[] = {r.attention, r.mixed, r.encoder, r.flow[CI_ENCODER], r.flow[CI_DECODER]};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) ci_free(owned[i]);
  ci_free(r.layers);
  ci_free(r.heads);
  return status;
}

extern const ci_method ci_method_attention_rollout;
const ci_method ci_method_attention_rollout = {
    .id = "attention_rollout",
    .help = "Attention of all layers, multiplied through with the residual connections.",
    .paper = "Abnar & Zuidema 2020, arXiv:2005.00928",
    .options = options_table,
    .options_size = sizeof(arguments),
    .kind = CI_COARSE,
    .goes_by = "attention's weights",
    .keep = CI_KEEP_BOUNDARIES,
    .deterministic = true,
    .attribute = attribute};
