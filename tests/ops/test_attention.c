/* Attention: forward against the formula in double, for branches that share prefixes and rows that lie scattered, all
 * at once and token by token; its vjp for query, key and value apart, against finite differences. Each also with windows,
 * caps, sinks and position biases. */
#include "ops/attention.h"
#include "support/differences.h"
#include "support/tiny_graph.h"

typedef enum { CAUSAL, BIDIRECTIONAL, CROSS, KINDS } kind;
static const char *const kind_names[] = {"causal", "bidirectional", "cross"};

typedef struct {
  size_t heads, kv_heads, dim;
} shape;
static const shape shapes[] = {{1, 1, 4}, {2, 2, 16}, {4, 2, 5}, {6, 1, 3}, {2, 1, 18}, {4, 2, 33}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* What models add to the plain formula. Tables and slopes for up to 6 heads. */
static const float sinks[] = {0.3f, -1, 2, 0.1f, 0, 1}, slopes[] = {0.5f, 0.25f, -0.1f, 0.06f, 0.03f, 0.2f};
static const float bias_table[6 * 6] = {0.1f, 0.4f, -0.3f, 0.8f, 0, -0.5f, 1, 0.2f, 0.3f, -0.8f, 0.6f, 0.5f,
                                        0,    0.9f, 0.3f,  -1,   2, 0.4f,  0, 0.2f, 0.1f, 0.7f,  -0.2f, 0.3f};
static const ci_position_bias alibi = {.slopes = slopes}, buckets = {.table = bias_table, .before = 3, .after = 2},
                              both_ends = {.table = bias_table, .slopes = slopes, .before = 3, .after = 2},
                              sided = {.slopes = slopes, .before = 2, .after = 1},
                              by_key = {.table = bias_table, .after = 5, .by_key = true};
typedef struct {
  const char *id;
  size_t window; /* causal only */
  float soft_cap;
  const float *sinks;
  const ci_position_bias *bias;
} variant;
static const variant variants[] = {
    {"plain", 0, 0, NULL, NULL},        {"window of 3", 3, 0, NULL, NULL},     {"window of 40", 40, 0, NULL, NULL},
    {"window of 1", 1, 0, NULL, NULL},  {"cap", 0, 1.5f, NULL, NULL},          {"sinks", 0, 0, sinks, NULL},
    {"ALiBi", 0, 0, NULL, &alibi},      {"buckets", 0, 0, NULL, &buckets},     {"buckets and slopes", 0, 0, NULL, &both_ends},
    {"slopes past a distance", 0, 0, NULL, &sided}, {"bias by key", 0, 0, NULL, &by_key},
    {"all", 5, 2, sinks, &both_ends},
};
enum { VARIANTS = sizeof variants / sizeof *variants };

#define DECODER(parent, start, source)                                                                                 \
  { STEP_BRANCH, CI_DECODER, parent, start, source }
#define TOKENS(branch, count)                                                                                          \
  { STEP_TOKENS, CI_DECODER, branch, count, 0 }
#define ENCODER                                                                                                        \
  { STEP_BRANCH, CI_ENCODER, -1, 0, -1 }
#define SOURCE(branch, count)                                                                                          \
  { STEP_TOKENS, CI_ENCODER, branch, count, 0 }

static const layout decoders[] = {
    {.id = "one branch",
     .steps = {DECODER(-1, 0, -1), TOKENS(0, 6)},
     .targets = {{0, 0, 0}, {0, 3, 0}, {0, 5, 0}, {0, 5, 0}},
     .target_count = 4},
    {.id = "one token", .steps = {DECODER(-1, 0, -1), TOKENS(0, 1)}, .targets = {{0, 0, 0}}, .target_count = 1},
    {.id = "longer than a tile",
     .steps = {DECODER(-1, 0, -1), TOKENS(0, 67)},
     .targets = {{0, 5, 0}, {0, 31, 0}, {0, 32, 0}, {0, 66, 0}, {0, 63, 0}},
     .target_count = 5},
    {.id = "from position 10 on",
     .steps = {DECODER(-1, 0, -1), TOKENS(0, 40)},
     .targets = {{0, 33, 10}, {0, 39, 10}, {0, 11, 10}},
     .target_count = 3},
    {.id = "from the second tile on",
     .steps = {DECODER(-1, 0, -1), TOKENS(0, 40)},
     .targets = {{0, 39, 33}, {0, 35, 33}},
     .target_count = 2},
    {.id = "shared prefixes, scattered rows",
     .steps = {DECODER(-1, 0, -1), TOKENS(0, 4), DECODER(0, 2, -1), TOKENS(1, 3), DECODER(1, 4, -1), TOKENS(2, 1),
               TOKENS(0, 2), TOKENS(2, 2), TOKENS(1, 1)},
     .targets = {{0, 1, 0}, {0, 5, 0}, {1, 5, 0}, {2, 3, 0}, {2, 6, 0}},
     .target_count = 5},
};
static const layout with_source[] = {
    {.id = "one source",
     .steps = {ENCODER, SOURCE(0, 5), DECODER(-1, 0, 0), TOKENS(0, 4)},
     .targets = {{0, 0, 0}, {0, 3, 0}},
     .target_count = 2},
    {.id = "a source longer than a tile",
     .steps = {ENCODER, SOURCE(0, 70), DECODER(-1, 0, 0), TOKENS(0, 35)},
     .targets = {{0, 0, 0}, {0, 34, 0}},
     .target_count = 2},
    {.id = "two sources, scattered rows, one looked at by two branches",
     .steps = {ENCODER, SOURCE(0, 3), ENCODER, SOURCE(1, 2), SOURCE(0, 2), DECODER(-1, 0, 0), TOKENS(0, 3),
               DECODER(-1, 0, 1), TOKENS(1, 2), DECODER(0, 2, 0), TOKENS(2, 2)},
     .targets = {{0, 0, 0}, {0, 2, 0}, {1, 1, 0}, {2, 1, 0}, {2, 3, 0}},
     .target_count = 5},
};

static ci_compute compute;

static int set_up(void **state) {
  (void)state;
  ci_error err = {0};
  return ci_compute_open(&compute, 2, "auto", NULL, &err);
}

static int tear_down(void **state) {
  (void)state;
  ci_compute_close(&compute);
  return 0;
}

typedef struct {
  tiny_graph t;
  int attention;
  int leaves[MOST_LEAVES]; /* query, key, value */
} attention_graph;

/* below: another attention stands above, so that all rows have gradients. twice: a second attention reads the same
 * nodes. */
static int add_op(ci_builder *b, const char *name, const int *in, const shape *s, double scale, kind what, const variant *v) {
  ci_attention_params params = {.heads = s->heads,
                                .kv_heads = s->kv_heads,
                                .head_dim = s->dim,
                                .scale = (float)scale,
                                .causal = what == CAUSAL,
                                .window = v->window,
                                .soft_cap = v->soft_cap,
                                .sinks = v->sinks,
                                .bias = v->bias};
  return ci_add_attention_with(b, name, in[0], in[1], in[2], &params);
}

static void build(attention_graph *a, kind what, const shape *s, const variant *more, bool below, bool twice) {
  tiny_graph *t = &a->t;
  tiny_open(t);
  ci_builder *b = &t->b;
  const char *const names[] = {"query", "key", "value"};
  int in[3];
  ci_space_id query = what == BIDIRECTIONAL ? CI_ENCODER : CI_DECODER, key = what == CAUSAL ? CI_DECODER : CI_ENCODER;
  ci_build_section(b, query, "block.", 0);
  for (int i = 0; i < 3; i++) {
    b->space = i ? key : query;
    a->leaves[i] = tiny_tokens(t, names[i], (i ? s->kv_heads : s->heads) * s->dim);
    in[i] = ci_add_scale(b, names[i], a->leaves[i], 1.3);
  }
  a->leaves[3] = -1;
  b->space = query;
  double scale = 1 / sqrt((double)s->dim);
  int x = a->attention = add_op(b, "op", in, s, scale, what, more);
  if (twice) {
    int again = add_op(b, "again", in, s, 1.5 * scale, what, more);
    x = ci_add_sum(b, "both", tiny_linear(t, "mixed", again, 6), tiny_linear(t, "mixed_op", x, 6));
  }
  if (what == BIDIRECTIONAL) {
    int k = tiny_linear(t, "k", x, 8), v = tiny_linear(t, "v", x, 8);
    ci_build_section(b, CI_DECODER, "decoder.", 0);
    x = ci_add_attention(b, "mix", tiny_tokens(t, "q", 8), k, v, 2, 2, 4, 0.5, false);
  }
  if (below) {
    int q = tiny_linear(t, "q2", x, 8), k = tiny_linear(t, "k2", x, 8), v = tiny_linear(t, "v2", x, 8);
    x = ci_add_attention(b, "mix2", q, k, v, 2, 2, 4, 0.5, true);
  }
  tiny_finish(t, x);
  t->model.graph.nodes[a->attention].keep = true; /* to look at */
}

static const layout *layout_at(kind what, size_t i) {
  if (what == CAUSAL) return i < sizeof decoders / sizeof *decoders ? &decoders[i] : NULL;
  return i < sizeof with_source / sizeof *with_source ? &with_source[i] : NULL;
}

static void check_gradients_of(kind what, const shape *s, const variant *v, int way) {
  attention_graph a;
  build(&a, what, s, v, way & 1, way & 2);
  for (size_t i = 0; layout_at(what, i); i++)
    for (int only = -1; only < 3; only++) { /* query, key, value alone: all others need nothing */
      char text[200];
      snprintf(text, sizeof text, "op attention, %s, %s, %zu heads, %zu of keys, dimension %zu, %s, %s, leaf %s",
               kind_names[what], v->id, s->heads, s->kv_heads, s->dim, way & 1 ? "all rows" : "top rows",
               way & 2 ? "added to a gradient" : "first to write",
               only < 0 ? "all" : a.t.model.graph.nodes[a.leaves[only]].name);
      difference_case c = {
          .graph = &a.t.model.graph, .compute = &compute, .layout = layout_at(what, i), .what = text, .seed = 9};
      c.keep = way & 1 ? CI_KEEP_BOUNDARIES : CI_KEEP_ALL;
      memcpy(c.leaves, a.leaves, sizeof c.leaves);
      if (only >= 0) c.leaves[0] = a.leaves[only], c.leaves[1] = -1;
      /* One key: the softmax is constant, its inputs have no gradient; the last few of many keys: too small a one. */
      bool flat = v->window == 1 || strcmp(c.layout->id, "one token") == 0 || strcmp(c.layout->id, "from the second tile on") == 0;
      if (flat && (only == 0 || only == 1)) continue;
      check_differences(&c);
    }
  tiny_close(&a.t);
}

static void check_gradients(void **state) {
  kind what = *(const kind *)*state;
  for (size_t n = 0; n < SHAPES; n++)
    for (int way = 0; way < 4; way++) check_gradients_of(what, &shapes[n], &variants[0], way);
  for (size_t i = 1; i < VARIANTS; i++)
    if (what == CAUSAL || !variants[i].window) check_gradients_of(what, &shapes[2], &variants[i], (int)i & 3);
}

/* P[p, k] and o[p] of one head, from the values that the run holds. */
static double bias_of(const ci_position_bias *bias, size_t head, double distance) {
  double low = -(double)bias->before, high = (double)bias->after;
  double within = distance < low ? low : distance > high ? high : distance;
  double value = bias->slopes ? (double)bias->slopes[head] * (distance - within) : 0;
  return value + (bias->table ? (double)bias->table[head * (bias->before + 1 + bias->after) + (size_t)(within - low)] : 0);
}

static void formula(const ci_run *run, const attention_graph *a, const shape *s, const variant *v, int branch, size_t position,
                    size_t head, double *p, double *out, size_t *count) {
  const ci_node *node = &run->graph->nodes[a->attention], *key = &run->graph->nodes[node->inputs[1]];
  const ci_branch *queries = &run->spaces[node->space].branches[branch], *keys = queries;
  if (key->space != node->space) keys = &run->spaces[key->space].branches[queries->source_branch];
  bool causal = ((const ci_attention_params *)node->params)->causal;
  *count = causal ? position + 1 : keys->length;
  size_t kv = head / (s->heads / s->kv_heads);
  const float *q = ci_run_row(run, node->inputs[0], (size_t)queries->rows[position]) + head * s->dim;
  double total = v->sinks ? exp((double)v->sinks[head]) : 0;
  for (size_t k = 0; k < *count; k++) {
    const float *x = ci_run_row(run, node->inputs[1], (size_t)keys->rows[k]) + kv * s->dim;
    double dot = 0, cap = (double)v->soft_cap;
    for (size_t i = 0; i < s->dim; i++) dot += (double)q[i] * (double)x[i];
    dot /= sqrt((double)s->dim);
    if (v->soft_cap > 0) dot = cap * tanh(dot / cap);
    if (v->bias) dot += bias_of(v->bias, head, (double)k - (v->bias->by_key ? 0 : (double)position));
    total += p[k] = v->window && position - k >= v->window ? 0 : exp(dot);
  }
  for (size_t i = 0; i < s->dim; i++) out[i] = 0;
  for (size_t k = 0; k < *count; k++) {
    const float *x = ci_run_row(run, node->inputs[2], (size_t)keys->rows[k]) + kv * s->dim;
    p[k] /= total;
    for (size_t i = 0; i < s->dim; i++) out[i] += p[k] * (double)x[i];
  }
}

static void check_rows(const ci_run *run, const attention_graph *a, const shape *s, const variant *v, const char *what) {
  ci_space_id space = run->graph->nodes[a->attention].space;
  for (size_t branch = 0; branch < run->spaces[space].branch_count; branch++)
    for (size_t position = 0; position < run->spaces[space].branches[branch].length; position++)
      for (size_t head = 0; head < s->heads; head++) {
        double p[128], out[64];
        float weights[128];
        size_t count;
        formula(run, a, s, v, (int)branch, position, head, p, out, &count);
        ci_attention_weights(run, a->attention, (int)branch, position, head, weights);
        for (size_t k = 0; k < count; k++)
          if (!(fabs(p[k] - (double)weights[k]) < 1e-5))
            fail_msg("%s: probability %g, expected %g", what, (double)weights[k], p[k]);
        /* a branch's own outputs: those of the prefix are its parent's, which looked at the same keys */
        const float *y =
            ci_run_row(run, a->attention, (size_t)run->spaces[space].branches[branch].rows[position]) + head * s->dim;
        for (size_t i = 0; i < s->dim; i++)
          if (!(fabs(out[i] - (double)y[i]) < 1e-5)) fail_msg("%s: output %g, expected %g", what, (double)y[i], out[i]);
      }
}

/* steps: forward after every appended token of the decoder, so that rows come one by one. */
static void check_forward_of(kind what, const shape *s, const variant *v, const layout *l, bool steps) {
  attention_graph a;
  ci_run *run;
  ci_error err = {0};
  char text[160];
  snprintf(text, sizeof text, "%s, %s, %zu heads, %zu of keys, dimension %zu, %s, %s", kind_names[what], v->id, s->heads,
           s->kv_heads, s->dim, l->id, steps ? "token by token" : "at once");
  build(&a, what, s, v, false, false);
  assert_int_equal(ci_run_open(&a.t.model.graph, &compute, CI_KEEP_BOUNDARIES, &run, &err), CI_OK);
  for (size_t i = 0; i < MOST_STEPS && l->steps[i].kind != STEP_END; i++) {
    const layout_step *step = &l->steps[i];
    if (step->kind == STEP_BRANCH)
      assert_true(ci_run_branch(run, step->space, step->branch, step->count, step->source) >= 0);
    for (size_t k = 0; step->kind == STEP_TOKENS && k < step->count; k++) {
      int32_t id = (int32_t)((k * 7 + i) % TINY_VOCABULARY);
      assert_int_equal(ci_run_append(run, step->space, step->branch, &id, 1, &err), CI_OK);
      if (steps && step->space == CI_DECODER) assert_int_equal(ci_run_forward(run, &err), CI_OK);
    }
  }
  assert_int_equal(ci_run_forward(run, &err), CI_OK);
  check_rows(run, &a, s, v, text);
  ci_run_close(run);
  tiny_close(&a.t);
}

static void check_forward(void **state) {
  kind what = *(const kind *)*state;
  for (size_t n = 0; n < SHAPES; n++)
    for (size_t v = 0; v < VARIANTS; v++)
      for (size_t i = 0; layout_at(what, i) && (what == CAUSAL || !variants[v].window); i++)
        for (int steps = 0; steps < 2; steps++)
          check_forward_of(what, &shapes[n], &variants[v], layout_at(what, i), steps);
}

int main(void) {
  static kind kinds[KINDS] = {CAUSAL, BIDIRECTIONAL, CROSS};
  const struct CMUnitTest tests[] = {
      {"forward, causal", check_forward, NULL, NULL, &kinds[CAUSAL]},
      {"forward, bidirectional", check_forward, NULL, NULL, &kinds[BIDIRECTIONAL]},
      {"forward, cross", check_forward, NULL, NULL, &kinds[CROSS]},
      {"gradients, causal", check_gradients, NULL, NULL, &kinds[CAUSAL]},
      {"gradients, bidirectional", check_gradients, NULL, NULL, &kinds[BIDIRECTIONAL]},
      {"gradients, cross", check_gradients, NULL, NULL, &kinds[CROSS]},
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
