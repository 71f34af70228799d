/* See block.h. */
#include "models/block.h"
#include "models/dropout.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME = 128 };

/* Names are an architecture file's own and short. */
static const char *join(char *out, const char *a, const char *c) {
  snprintf(out, NAME, "%.90s%.30s", a, c);
  return out;
}

static ci_weight load(ci_builder *b, const char *name, size_t outputs, size_t inputs, bool by_input) {
  char key[NAME];
  join(key, name, ".weight");
  return ci_weight_module(b, key, outputs, inputs, by_input);
}

int ci_add_linear_named(ci_builder *b, const char *node, const char *name, int x, size_t outputs, size_t inputs,
                        bool biased, bool by_input) {
  char key[NAME];
  ci_weight w = load(b, name, outputs, inputs, by_input);
  return ci_add_linear(b, node, x, w, biased ? ci_vector(b, join(key, name, ".bias"), outputs) : NULL);
}

/* The factors of a norm over n elements: ones, or the file's, plus one if need be. */
static const float *factors(ci_builder *b, const ci_norm_style *style, const char *name, size_t n) {
  char key[NAME];
  if (style->weightless) return ci_vector_of(b, 1, n);
  const float *weight = ci_vector(b, join(key, name, ".weight"), n);
  if (!style->plus_one) return weight;
  float *sum = ci_build_alloc(b, n, sizeof *sum);
  for (size_t i = 0; sum && weight && i < n; i++) sum[i] = 1 + weight[i];
  ci_note_origin(b, sum, n * sizeof *sum, weight);
  return sum;
}

static const float *offsets(ci_builder *b, const ci_norm_style *style, const char *name, size_t n) {
  char key[NAME];
  bool none = style->weightless || style->unbiased || style->op != &ci_op_layer_norm;
  return none ? NULL : ci_vector(b, join(key, name, ".bias"), n);
}

static size_t width_of(const ci_builder *b, int node) {
  return b->status ? 0 : b->model->graph.nodes[node].width;
}

int ci_add_norm(ci_builder *b, const ci_norm_style *style, const char *name, int x) {
  size_t n = width_of(b, x);
  return ci_add_group_norm(b, name, style->op, x, 1, factors(b, style, name, n), offsets(b, style, name, n),
                           style->epsilon);
}

/* `count` copies of [n], or `count` vectors of it read one by one, in a row. NULL stays NULL. */
static const float *repeated(ci_builder *b, const float *one, size_t n, size_t count) {
  float *all = one ? ci_build_alloc(b, count * n, sizeof *all) : NULL;
  for (size_t i = 0; all && i < count; i++) memcpy(all + i * n, one, n * sizeof *all);
  ci_note_origin(b, all, count * n * sizeof *all, one);
  return all;
}

static const float *listed(ci_builder *b, const ci_norm_style *style, const char *name, size_t n, size_t count,
                           bool bias) {
  float *all = ci_build_alloc(b, count * n, sizeof *all);
  for (size_t i = 0; all && i < count; i++) {
    char member[NAME];
    snprintf(member, sizeof member, "%.90s.norms.%zu", name, i);
    const float *one = bias ? offsets(b, style, member, n) : factors(b, style, member, n);
    if (!one) return NULL;
    memcpy(all + i * n, one, n * sizeof *all);
    ci_note_origin(b, all + i * n, n * sizeof *all, one);
  }
  return all;
}

/* A weight [heads, head_dim] as one row. */
static const float *flattened(ci_builder *b, const char *name, size_t heads, size_t dim) {
  char key[NAME];
  ci_weight w = ci_weight_linear(b, join(key, name, ".weight"), heads, dim);
  float *all = ci_build_alloc(b, heads * dim, sizeof *all);
  if (all) w.type->panel(ci_kernels_best(), &w, 0, heads, 0, dim, all);
  ci_note_origin(b, all, heads * dim * sizeof *all, w.data);
  return all;
}

/* The norm of queries or keys. */
static int head_norm(ci_builder *b, const ci_attention_shape *s, const char *name, int x, size_t heads) {
  const ci_norm_style *style = &s->norm_style;
  size_t dim = s->head_dim;
  const float *scale, *bias;
  if (b->status) return 0;
  switch (s->norm) {
  case CI_NORM_NONE:
    return x;
  case CI_NORM_ROW:
    return ci_add_norm(b, style, name, x);
  case CI_NORM_HEADS:
    scale = repeated(b, factors(b, style, name, dim), dim, heads);
    bias = repeated(b, offsets(b, style, name, dim), dim, heads);
    break;
  case CI_NORM_LISTED:
    scale = listed(b, style, name, dim, heads, false);
    bias = listed(b, style, name, dim, heads, true);
    break;
  default: /* CI_NORM_EACH_HEAD */
    scale = flattened(b, name, heads, dim);
    bias = NULL;
  }
  return ci_add_group_norm(b, name, style->op, x, heads, scale, bias, style->epsilon);
}

/* What the parts of one matrix have in common while an attention layer is built: the whole product's node, once it is
 * there. */
typedef struct {
  const ci_attention_shape *s;
  const char *scope;
  int fused;
} layer;

/* Rows (columns, by_input) [first, first + outputs) of a matrix with `all` outputs. */
static int stretch(ci_builder *b, const layer *l, const char *node, const ci_projection *p, int x, size_t outputs) {
  char key[NAME];
  const ci_attention_shape *s = l->s;
  size_t inputs = width_of(b, x);
  ci_weight w = load(b, p->weight, s->fused, inputs, s->by_input);
  if (b->status) return 0;
  w = ci_weight_cut(&w, p->part.first, outputs);
  const float *bias =
      s->biased ? ci_vector_part(b, join(key, p->weight, ".bias"), s->fused, p->part.first, outputs) : NULL;
  return ci_add_linear(b, node, x, w, bias);
}

/* A projection's product. Parts that lie together are products of their own with those rows of the matrix; others are
 * columns of the whole product. */
static int project(ci_builder *b, layer *l, const char *node, const ci_projection *p, int x, size_t outputs) {
  const ci_attention_shape *s = l->s;
  char whole[NAME];
  if (!p->part.count)
    return ci_add_linear_named(b, node, p->weight, x, outputs, width_of(b, x), s->biased, s->by_input);
  if (p->part.count == 1) return stretch(b, l, node, p, x, outputs);
  if (l->fused < 0)
    l->fused = ci_add_linear_named(b, join(whole, l->scope, ".projections"), p->weight, x, s->fused, width_of(b, x),
                                   s->biased, s->by_input);
  return ci_add_columns(b, node, l->fused, &p->part);
}

/* From the product to what attention reads. The last node is called `last`; those before it, `last`_projection, ... */
static int prepare(ci_builder *b, layer *l, const char *last, const ci_projection *p, int x, size_t heads,
                   const char *norm, bool turned) {
  const ci_attention_shape *s = l->s;
  bool normed = norm && s->norm != CI_NORM_NONE, clipped = s->clip > 0;
  turned = turned && s->rope;
  char plain[NAME], projection[NAME], projected[NAME];
  snprintf(plain, sizeof plain, "%.60s.%.30s", l->scope, last);
  join(projection, plain, "_projection");
  join(projected, plain, "_clipped");
  int y = project(b, l, normed || clipped || turned ? projection : plain, p, x, heads * s->head_dim);
  if (normed) y = head_norm(b, s, norm, y, heads);
  if (clipped) y = ci_add_clip(b, turned ? projected : plain, y, -s->clip, s->clip);
  if (turned) y = ci_add_rope(b, plain, y, heads, s->head_dim, s->rope, s->interleaved);
  return y;
}

int ci_add_attention_layer(ci_builder *b, const ci_attention_shape *s, int x, int source) {
  layer l = {.s = s, .scope = s->scope ? s->scope : "self_attn", .fused = -1};
  char output[NAME];
  ci_space_id own = b->space;
  int q = prepare(b, &l, "query", &s->query, x, s->heads, s->query_norm, true);
  if (!b->status) b->space = b->model->graph.nodes[source].space; /* cross keys and values have source rows */
  int k = prepare(b, &l, "key", &s->key, source, s->kv_heads, s->key_norm, true);
  int v = prepare(b, &l, "value", &s->value, source, s->kv_heads, NULL, false);
  b->space = own;
  ci_attention_params params = {.heads = s->heads,
                                .kv_heads = s->kv_heads,
                                .head_dim = s->head_dim,
                                .scale = (float)(s->scale != 0 ? s->scale : 1 / sqrt((double)s->head_dim)),
                                .causal = !s->bidirectional && x == source,
                                .window = s->window,
                                .soft_cap = (float)s->soft_cap,
                                .sinks = s->sinks,
                                .bias = s->bias};
  int a = ci_add_attention_with(b, l.scope, q, k, v, &params);
  ci_build_dropout(b, a, &ci_dropout_keys_of(b)->attention);
  return ci_add_linear_named(b, join(output, l.scope, ".output"), s->output, a, width_of(b, x), s->heads * s->head_dim,
                             s->output_biased, s->by_input);
}

/* Half `index` of a fused gate and up matrix. */
static int half(ci_builder *b, const ci_mlp_shape *s, const char *node, int x, size_t width, size_t index) {
  char key[NAME];
  ci_weight w = load(b, s->up, 2 * s->inner, width, s->by_input);
  if (b->status) return 0;
  w = ci_weight_cut(&w, index * s->inner, s->inner);
  const float *bias =
      s->biased ? ci_vector_part(b, join(key, s->up, ".bias"), 2 * s->inner, index * s->inner, s->inner) : NULL;
  return ci_add_linear(b, node, x, w, bias);
}

int ci_add_mlp(ci_builder *b, const ci_mlp_shape *s, size_t width, int x) {
  if (!s->gate) {
    x = ci_add_linear_named(b, "mlp.up", s->up, x, s->inner, width, s->biased, s->by_input);
    x = ci_add_activation(b, "mlp.activation", x, s->activation);
  } else {
    int gate = s->fused ? half(b, s, "mlp.gate", x, width, 0)
                        : ci_add_linear_named(b, "mlp.gate", s->gate, x, s->inner, width, s->biased, s->by_input);
    int up = s->fused ? half(b, s, "mlp.up", x, width, 1)
                      : ci_add_linear_named(b, "mlp.up", s->up, x, s->inner, width, s->biased, s->by_input);
    gate = ci_add_activation(b, "mlp.activation", gate, s->activation);
    x = ci_add_multiply(b, "mlp.gated", gate, up);
  }
  ci_build_dropout(b, x, &ci_dropout_keys_of(b)->activation);
  return ci_add_linear_named(b, "mlp.down", s->down, x, width, s->inner, s->biased, s->by_input);
}

static int optional_norm(ci_builder *b, const ci_block *block, const char *name, int x) {
  return name ? ci_add_norm(b, &block->norm, name, x) : x;
}

static int scaled(ci_builder *b, const ci_block *block, const char *name, int x) {
  return block->residual_scale != 0 && block->residual_scale != 1 ? ci_add_scale(b, name, x, block->residual_scale) : x;
}

static int feed_forward(ci_builder *b, const ci_block *block, int x) {
  return block->mlp.build ? block->mlp.build(b, block, x) : ci_add_mlp(b, &block->mlp, block->width, x);
}

static int cross_attention(ci_builder *b, const ci_block *block, int x) {
  const ci_branch_norms *norms = &block->cross_norms;
  int a = ci_add_attention_layer(b, &block->cross, optional_norm(b, block, norms->before, x), block->source);
  ci_build_dropout(b, a, &ci_dropout_keys_of(b)->attended);
  return optional_norm(b, block, norms->sum, ci_add_sum(b, "cross_attn.residual", x, a));
}

int ci_add_block(ci_builder *b, const ci_block *block, int x) {
  const ci_branch_norms *first = &block->attention_norms, *second = &block->mlp_norms;
  int input = x, n = optional_norm(b, block, first->before, x);
  int a = ci_add_attention_layer(b, &block->attention, n, n), attended = a;
  ci_build_dropout(b, a, &ci_dropout_keys_of(b)->attended);
  a = scaled(b, block, "self_attn.scaled", optional_norm(b, block, first->after, a));
  int y = ci_add_sum(b, "self_attn.residual", block->residual_normed ? n : x, a);
  if (!block->parallel) {
    x = y = optional_norm(b, block, first->sum, y);
    if (block->cross.query.weight) x = y = cross_attention(b, block, x);
    n = optional_norm(b, block, second->before, y);
    if (block->residual_normed) y = n;
  } else if (second->before) {
    n = ci_add_norm(b, &block->norm, second->before, x);
  }
  int m = feed_forward(b, block, n);
  ci_build_dropout(b, m, &ci_dropout_keys_of(b)->fed);
  if (ci_dropout_keys_of(b)->of_the_sum && !b->status) b->model->graph.nodes[m].dropout_site = attended;
  m = scaled(b, block, "mlp.scaled", optional_norm(b, block, second->after, m));
  m = optional_norm(b, block, second->sum, ci_add_sum(b, second->sum ? "mlp.residual" : "output", y, m));
  ci_build_layer_dropout(b, m, input);
  return m;
}
