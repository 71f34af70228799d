/* Every op's vjp against finite differences, in every place where the engine calls it: on the rows that predict (top),
 * on all decoder rows, on source rows; first or second to write a gradient; branches that share prefixes; one and two
 * threads. A failure names the op. Rows of ops.def that no case here covers fail too. Attention has a file of its own.
 */
#include "support/differences.h"
#include "support/tiny_graph.h"

typedef struct {
  const char *op;
  const char *what;
  size_t width; /* of the inputs */
  int (*add)(tiny_graph *t, int x, int y);
} op_case;

static int add_position(tiny_graph *t, int x, int y) {
  (void)y;
  return ci_add_position(&t->b, "op", x, tiny_weight(t, 60, t->model.graph.nodes[x].width, 1), 2);
}
static int add_scale(tiny_graph *t, int x, int y) {
  (void)y;
  return ci_add_scale(&t->b, "op", x, 1.7);
}
static int add_linear(tiny_graph *t, int x, int y) {
  (void)y;
  return tiny_linear(t, "op", x, 11);
}
static int add_narrow(tiny_graph *t, int x, const char *type, bool by_input) {
  size_t inputs = t->model.graph.nodes[x].width;
  ci_weight w = tiny_narrow_weight(t, type, by_input ? inputs : 9, by_input ? 9 : inputs);
  w.by_input = by_input;
  int y = ci_add_linear(&t->b, "op", x, w, NULL);
  return ci_add_scale(&t->b, "smaller", y, 0.2); /* softmax above should not saturate */
}
static int add_linear_f16(tiny_graph *t, int x, int y) {
  return (void)y, add_narrow(t, x, "F16", false);
}
static int add_linear_bf16(tiny_graph *t, int x, int y) {
  return (void)y, add_narrow(t, x, "BF16", false);
}
static int add_conv1d_f16(tiny_graph *t, int x, int y) {
  return (void)y, add_narrow(t, x, "F16", true);
}
static int add_conv1d_bf16(tiny_graph *t, int x, int y) {
  return (void)y, add_narrow(t, x, "BF16", true);
}
/* Columns of a wider matrix, as GPT-2's query, key and value are. */
static int add_conv1d_part(tiny_graph *t, int x, int y) {
  (void)y;
  size_t inputs = t->model.graph.nodes[x].width;
  ci_weight w = tiny_weight(t, inputs, 3 * 10, 0.5f);
  w.data = (const float *)w.data + 10;
  w.b = 10;
  w.by_input = true;
  return ci_add_linear(&t->b, "op", x, w, tiny_vector(t, 10, 0, 1));
}
static int add_layer_norm(tiny_graph *t, int x, int y) {
  (void)y;
  size_t n = t->model.graph.nodes[x].width;
  return ci_add_layer_norm(&t->b, "op", x, tiny_vector(t, n, 1, 0.5f), tiny_vector(t, n, 0, 1), 1e-5);
}
static int add_rms_norm(tiny_graph *t, int x, int y) {
  (void)y;
  return ci_add_rms_norm(&t->b, "op", x, tiny_vector(t, t->model.graph.nodes[x].width, 1, 0.5f), 1e-6);
}
static int add_norm_of_heads(tiny_graph *t, int x, const ci_op *op) {
  size_t n = t->model.graph.nodes[x].width;
  return ci_add_group_norm(&t->b, "op", op, x, 3, tiny_vector(t, n, 1, 0.5f), tiny_vector(t, n, 0, 1), 1e-5);
}
static int add_layer_norm_of_heads(tiny_graph *t, int x, int y) {
  return (void)y, add_norm_of_heads(t, x, &ci_op_layer_norm);
}
static int add_rms_norm_of_heads(tiny_graph *t, int x, int y) {
  return (void)y, add_norm_of_heads(t, x, &ci_op_rms_norm);
}
static int add_columns(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_columns(&t->b, "op", x, &(ci_columns_params){.first = 2, .block = 3, .stride = 7, .count = 2});
}
static int add_clip(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_clip(&t->b, "op", x, 0, 9); /* its corner where the leaves have none */
}
static int add_clip_above(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_clip(&t->b, "op", x, -9, 0);
}
static int add_soft_cap(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_soft_cap(&t->b, "op", x, 0.8);
}
static int add_turned(tiny_graph *t, int x, size_t heads, size_t dim, size_t pairs, bool interleaved) {
  float *f = tiny_vector(t, pairs, 0, 0);
  for (size_t i = 0; i < pairs; i++) f[i] = powf(10, -(float)i / (float)pairs);
  ci_rope *rope = ci_build_alloc(&t->b, 1, sizeof *rope);
  *rope = (ci_rope){.half = pairs, .frequencies = f, .factor = interleaved ? 1.3f : 1};
  return ci_add_rope(&t->b, "op", x, heads, dim, rope, interleaved);
}
static int add_rope(tiny_graph *t, int x, int y) {
  return (void)y, add_turned(t, x, 3, 8, 4, false);
}
static int add_rope_part(tiny_graph *t, int x, int y) {
  return (void)y, add_turned(t, x, 2, 9, 3, false);
}
static int add_rope_interleaved(tiny_graph *t, int x, int y) {
  return (void)y, add_turned(t, x, 2, 9, 4, true);
}
static int add_silu(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_activation(&t->b, "op", x, "silu");
}
static int add_swish(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_activation(&t->b, "op", x, "swish");
}
static int add_gelu_new(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_activation(&t->b, "op", x, "gelu_new");
}
static int add_gelu_tanh(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_activation(&t->b, "op", x, "gelu_pytorch_tanh");
}
static int add_gelu_fast(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_activation(&t->b, "op", x, "gelu_fast");
}
static int add_gelu(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_activation(&t->b, "op", x, "gelu");
}
static int add_relu(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_activation(&t->b, "op", x, "relu");
}
static int add_tanh(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_activation(&t->b, "op", x, "tanh");
}
static int add_relu2(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_activation(&t->b, "op", x, "relu2");
}
static int add_quick_gelu(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_activation(&t->b, "op", x, "quick_gelu");
}
static int add_sigmoid(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_activation(&t->b, "op", x, "sigmoid");
}
static int add_multiply(tiny_graph *t, int x, int y) {
  return ci_add_multiply(&t->b, "op", x, y);
}
static int add_square(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_multiply(&t->b, "op", x, x);
}
static int add_sum(tiny_graph *t, int x, int y) {
  return ci_add_sum(&t->b, "op", x, y);
}
static int add_double(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_sum(&t->b, "op", x, x);
}
static int add_pair_gate(tiny_graph *t, int x, int y) {
  return (void)y, ci_add_pair_gate(&t->b, "op", x, 7, 1.702);
}
/* Columns that are far above, far below or well within the limit. */
static int add_pair_gate_clamped(tiny_graph *t, int x, int y) {
  (void)y;
  float *same = tiny_vector(t, 64, 0, 0), *moved = tiny_vector(t, 8, 0, 0);
  const float away[] = {3, 0, 0, 3, 0, -3, -3, 0};
  for (size_t i = 0; i < 8; i++) same[9 * i] = 1, moved[i] = away[i];
  return ci_add_pair_gate(&t->b, "op", ci_add_linear(&t->b, "moved", x, ci_weight_table(same, 8, 8), moved), 1.5,
                          1.702);
}
static int add_gate(tiny_graph *t, int x, int y) {
  return ci_add_gate(&t->b, "op", x, tiny_linear(t, "gate", y, 1));
}

/* Logits of as many experts as y is wide: which are largest is the token's affair, so that no step of a difference
 * makes a row choose others; what they are worth depends on y. */
static int far_apart(tiny_graph *t, int y) {
  size_t experts = t->model.graph.nodes[y].width;
  float *prefer = tiny_vector(t, TINY_VOCABULARY * experts, 0, 0);
  for (size_t i = 0; i < TINY_VOCABULARY * experts; i++)
    prefer[i] = 1.2f * ((float)((i % experts * 5 + i / experts * 3) % experts) - 0.5f * (float)(experts - 1));
  int tokens = ci_add_embedding(&t->b, "prefer", ci_weight_table(prefer, TINY_VOCABULARY, experts));
  return ci_add_sum(&t->b, "logits", ci_add_scale(&t->b, "a_little", y, 0.1), tokens);
}
static int add_chosen(tiny_graph *t, int y, const ci_route_params *more) {
  ci_route_params p = *more;
  p.experts = t->model.graph.nodes[y].width;
  p.slots = 3;
  p.scale = 0.8;
  return ci_add_route(&t->b, "route", far_apart(t, y), &p);
}
static int add_route(tiny_graph *t, int x, int y) {
  return (void)x, add_chosen(t, y, &(ci_route_params){0});
}
static int add_route_norm(tiny_graph *t, int x, int y) {
  return (void)x, add_chosen(t, y, &(ci_route_params){.norm = 1, .least = 0.01});
}
static int add_route_norm2(tiny_graph *t, int x, int y) {
  return (void)x, add_chosen(t, y, &(ci_route_params){.norm = 2});
}
static int add_route_least(tiny_graph *t, int x, int y) {
  return (void)x, add_chosen(t, y, &(ci_route_params){.norm = 1, .least = 2});
}
static int add_route_sigmoid(tiny_graph *t, int x, int y) {
  return (void)x, add_chosen(t, y, &(ci_route_params){.sigmoid = true, .norm = 1});
}
static int add_route_groups(tiny_graph *t, int x, int y) {
  (void)x;
  static const float bias[8] = {-0.2f, -0.5f, -0.5f, -0.5f, 0, 0.1f, 0.1f, 0.5f}; /* no near ties */
  return add_chosen(
      t, y,
      &(ci_route_params){
          .sigmoid = true, .norm = 1, .selection_bias = bias, .groups = 4, .top_groups = 2, .group_of_two = true});
}

/* Matrices of one type, one an expert. */
static ci_expert_params experts(tiny_graph *t, const char *type, bool by_input, size_t count, size_t outputs,
                                size_t inputs) {
  ci_weight *w = ci_build_alloc(&t->b, count, sizeof *w);
  assert_non_null(w);
  size_t a = by_input ? inputs : outputs, b = by_input ? outputs : inputs;
  for (size_t e = 0; e < count; e++) {
    w[e] = type[0] != 'F' || type[1] == '1' ? tiny_narrow_weight(t, type, a, b)
                                            : tiny_weight(t, a, b, 1.5f / sqrtf((float)inputs));
    w[e].by_input = by_input;
  }
  return (ci_expert_params){count, w, tiny_vector(t, count * outputs, 0, 0.5f)};
}
static int add_experts(tiny_graph *t, int x, int y, const char *type, bool by_input) {
  size_t n = t->model.graph.nodes[y].width;
  ci_expert_params p = experts(t, type, by_input, n, 5, n);
  return ci_add_expert_linear(&t->b, "op", x, add_chosen(t, y, &(ci_route_params){0}), &p);
}
static int add_expert_linear(tiny_graph *t, int x, int y) {
  return add_experts(t, x, y, "F32", false);
}
static int add_expert_linear_bf16(tiny_graph *t, int x, int y) {
  return ci_add_scale(&t->b, "smaller", add_experts(t, x, y, "BF16", false), 0.3);
}
static int add_expert_linear_by_input(tiny_graph *t, int x, int y) {
  return add_experts(t, x, y, "F32", true);
}
static int add_sum_of(tiny_graph *t, int x, int y, const char *type, bool by_input) {
  size_t n = t->model.graph.nodes[y].width;
  ci_expert_params p = experts(t, type, by_input, n, 6, 4);
  return ci_add_expert_sum(&t->b, "op", tiny_linear(t, "slots", x, 3 * 4),
                           add_chosen(t, y, &(ci_route_params){.norm = 1}), &p);
}
static int add_expert_sum(tiny_graph *t, int x, int y) {
  return add_sum_of(t, x, y, "F32", false);
}
static int add_expert_sum_f16(tiny_graph *t, int x, int y) {
  return ci_add_scale(&t->b, "smaller", add_sum_of(t, x, y, "F16", true), 0.3);
}
/* Its slots are read once more, so that their gradient is added to. */
static int add_expert_sum_twice(tiny_graph *t, int x, int y) {
  size_t n = t->model.graph.nodes[y].width;
  ci_expert_params p = experts(t, "F32", false, n, n, n);
  int route = add_chosen(t, y, &(ci_route_params){0}), slots = ci_add_expert_linear(&t->b, "slots", x, route, &p);
  int sum = ci_add_expert_sum(&t->b, "op", slots, route, &p);
  return ci_add_sum(&t->b, "both", sum, ci_add_expert_sum(&t->b, "again", slots, route, &p));
}
/* The op that is tested is the one which every graph ends with. */
static int add_nothing(tiny_graph *t, int x, int y) {
  return (void)t, (void)y, x;
}

static const op_case cases[] = {
    {"position", "position", 7, add_position},
    {"scale", "scale", 6, add_scale},
    {"linear", "linear", 7, add_linear},
    {"linear", "linear, F16", 21, add_linear_f16},
    {"linear", "linear, BF16", 21, add_linear_bf16},
    {"linear", "linear by input, F16", 21, add_conv1d_f16},
    {"linear", "linear by input, BF16", 21, add_conv1d_bf16},
    {"linear", "linear by input, columns of a wider matrix", 12, add_conv1d_part},
    {"layer_norm", "layer_norm of 5", 5, add_layer_norm},
    {"layer_norm", "layer_norm of 33", 33, add_layer_norm},
    {"rms_norm", "rms_norm of 5", 5, add_rms_norm},
    {"rms_norm", "rms_norm of 33", 33, add_rms_norm},
    {"layer_norm", "layer_norm of heads", 33, add_layer_norm_of_heads},
    {"rms_norm", "rms_norm of heads", 33, add_rms_norm_of_heads},
    {"columns", "columns", 13, add_columns},
    {"clip", "clip from below", 19, add_clip},
    {"clip", "clip from above", 19, add_clip_above},
    {"soft_cap", "soft_cap", 19, add_soft_cap},
    {"soft_cap", "soft_cap of more than a piece", 1030, add_soft_cap},
    {"rope", "rope", 24, add_rope},
    {"rope", "rope of pairs beside each other, with a factor", 18, add_rope_interleaved},
    {"rope", "rope of 6 of 9 dimensions", 18, add_rope_part},
    {"activation", "silu", 7, add_silu},
    {"activation", "swish", 19, add_swish},
    {"activation", "gelu_new", 19, add_gelu_new},
    {"activation", "gelu_pytorch_tanh", 7, add_gelu_tanh},
    {"activation", "gelu_fast", 7, add_gelu_fast},
    {"activation", "gelu", 19, add_gelu},
    {"activation", "relu", 19, add_relu},
    {"activation", "tanh", 19, add_tanh},
    {"activation", "relu2", 19, add_relu2},
    {"activation", "quick_gelu", 19, add_quick_gelu},
    {"activation", "sigmoid", 19, add_sigmoid},
    {"activation", "silu of more than a piece", 1030, add_silu},
    {"multiply", "multiply", 9, add_multiply},
    {"multiply", "multiply by itself", 9, add_square},
    {"add", "add", 9, add_sum},
    {"add", "add to itself", 9, add_double},
    {"select", "select", 6, add_nothing},
    {"pair_gate", "pair_gate", 8, add_pair_gate},
    {"pair_gate", "pair_gate beyond its limit", 8, add_pair_gate_clamped},
    {"gate", "gate", 6, add_gate},
    {"route", "route", 8, add_route},
    {"route", "route, divided by the sum", 8, add_route_norm},
    {"route", "route, divided by the 2-norm", 8, add_route_norm2},
    {"route", "route, divided by a constant", 8, add_route_least},
    {"route", "route, sigmoid", 8, add_route_sigmoid},
    {"route", "route, groups", 8, add_route_groups},
    {"expert_linear", "expert_linear", 8, add_expert_linear},
    {"expert_linear", "expert_linear, BF16", 8, add_expert_linear_bf16},
    {"expert_linear", "expert_linear by input", 8, add_expert_linear_by_input},
    {"expert_sum", "expert_sum", 8, add_expert_sum},
    {"expert_sum", "expert_sum by input, F16", 8, add_expert_sum_f16},
    {"expert_sum", "expert_sum of slots that are read twice", 8, add_expert_sum_twice},
};
enum { CASES = sizeof cases / sizeof *cases };

/* Ops that are proved elsewhere, or have no gradient. */
static const struct {
  const char *id;
  bool has_gradient;
} others[] = {{"embedding", false}, {"attention", true} /* test_attention.c */};

static const layout single = {.id = "one branch",
                              .steps = {{STEP_BRANCH, CI_DECODER, -1, 0, -1}, {STEP_TOKENS, CI_DECODER, 0, 6, 0}},
                              .targets = {{0, 0, 0}, {0, 3, 0}, {0, 5, 0}, {0, 5, 0}},
                              .target_count = 4};
static const layout late = {.id = "from position 2 on",
                            .steps = {{STEP_BRANCH, CI_DECODER, -1, 0, -1}, {STEP_TOKENS, CI_DECODER, 0, 6, 0}},
                            .targets = {{0, 2, 2}, {0, 5, 2}},
                            .target_count = 2};
static const layout shared = {.id = "branches that share prefixes",
                              .steps = {{STEP_BRANCH, CI_DECODER, -1, 0, -1},
                                        {STEP_TOKENS, CI_DECODER, 0, 4, 0},
                                        {STEP_BRANCH, CI_DECODER, 0, 2, -1},
                                        {STEP_TOKENS, CI_DECODER, 1, 3, 0},
                                        {STEP_BRANCH, CI_DECODER, 1, 4, -1},
                                        {STEP_TOKENS, CI_DECODER, 2, 1, 0},
                                        {STEP_TOKENS, CI_DECODER, 0, 2, 0},
                                        {STEP_TOKENS, CI_DECODER, 2, 2, 0}},
                              .targets = {{0, 1, 0}, {0, 5, 0}, {1, 4, 0}, {2, 3, 0}, {2, 6, 0}},
                              .target_count = 5};
static const layout two_sources = {.id = "two sources",
                                   .steps = {{STEP_BRANCH, CI_ENCODER, -1, 0, -1},
                                             {STEP_TOKENS, CI_ENCODER, 0, 5, 0},
                                             {STEP_BRANCH, CI_ENCODER, -1, 0, -1},
                                             {STEP_TOKENS, CI_ENCODER, 1, 3, 0},
                                             {STEP_BRANCH, CI_DECODER, -1, 0, 0},
                                             {STEP_TOKENS, CI_DECODER, 0, 3, 0},
                                             {STEP_BRANCH, CI_DECODER, -1, 0, 1},
                                             {STEP_TOKENS, CI_DECODER, 1, 2, 0}},
                                   .targets = {{0, 0, 0}, {0, 2, 0}, {1, 1, 0}},
                                   .target_count = 3};

/* Where the op stands: what is above it decides which adjoint rows it sees. */
typedef enum { TOP, BELOW_ATTENTION, IN_ENCODER, PLACES } place;
static const char *const place_names[] = {"top", "below attention", "in the encoder"};

/* x and y are not the leaves themselves, whose gradients always have all rows. Twice: the op's input is read once more,
 * by an addition that comes later: backward has written there before. */
static void build(tiny_graph *t, const op_case *c, place where, bool twice, int *leaves) {
  tiny_open(t);
  ci_builder *b = &t->b;
  ci_build_section(b, where == IN_ENCODER ? CI_ENCODER : CI_DECODER, "block.", 0);
  leaves[0] = tiny_tokens(t, "x", c->width);
  leaves[1] = tiny_tokens(t, "y", c->width);
  leaves[2] = leaves[3] = -1;
  int x = ci_add_scale(b, "scaled_x", leaves[0], 0.9), y = ci_add_scale(b, "scaled_y", leaves[1], 1.1);
  int z = c->add(t, x, y);
  if (twice)
    z = ci_add_sum(b, "twice", tiny_linear(t, "mixed", z, c->width), ci_add_sum(b, "inputs", x, y));
  else
    z = ci_add_sum(b, "once", tiny_linear(t, "mixed_z", z, 8), tiny_linear(t, "mixed_y", y, 8));
  if (where != TOP) {
    if (where == IN_ENCODER) {
      ci_build_section(b, CI_DECODER, "decoder.", 0);
      int q = tiny_tokens(t, "q", 8);
      b->space = CI_ENCODER;
      int k = tiny_linear(t, "k", z, 8), v = tiny_linear(t, "v", z, 8);
      b->space = CI_DECODER;
      z = ci_add_attention(b, "mix", q, k, v, 2, 2, 4, 0.5, false);
    } else {
      int q = tiny_linear(t, "q", z, 8), k = tiny_linear(t, "k", z, 8), v = tiny_linear(t, "v", z, 8);
      z = ci_add_attention(b, "mix", q, k, v, 2, 2, 4, 0.5, true);
    }
  }
  tiny_finish(t, z);
}

static void check_case(const op_case *c, ci_compute *compute) {
  static const layout *const layouts[] = {&single, &late, &shared, &two_sources};
  static const ci_keep plans[] = {CI_KEEP_ALL, CI_KEEP_BOUNDARIES};
  for (place where = TOP; where < PLACES; where++)
    for (int twice = 0; twice < 2; twice++) {
      tiny_graph t;
      difference_case d = {.compute = compute, .seed = 3};
      build(&t, c, where, twice, d.leaves);
      d.graph = &t.model.graph;
      for (size_t i = 0; i < 4; i++) {
        bool source = layouts[i] == &two_sources;
        if (source != (where == IN_ENCODER)) continue;
        for (int plan = 0; plan < 2; plan++) {
          char what[160];
          snprintf(what, sizeof what, "op %s (%s), %s, %s, %s", c->op, c->what, place_names[where],
                   twice ? "added to a gradient" : "first to write", plan ? "boundaries kept" : "all kept");
          d.what = what;
          d.layout = layouts[i];
          d.keep = plans[plan];
          check_differences(&d);
        }
      }
      tiny_close(&t);
    }
}

static void check_op(void **state) {
  ci_error err = {0};
  ci_compute compute;
  assert_int_equal(ci_compute_open(&compute, 2, "auto", NULL, &err), CI_OK);
  for (size_t i = 0; i < CASES; i++)
    if (strcmp(cases[i].op, *state) == 0) check_case(&cases[i], &compute);
  ci_compute_close(&compute);
}

static void every_op_is_covered(void **state) {
  (void)state;
  size_t seen = 0;
  for (const ci_op *op; (op = ci_op_at(seen)) != NULL; seen++) {
    bool covered = false, expected = true;
    for (size_t i = 0; i < CASES; i++) covered = covered || strcmp(cases[i].op, op->id) == 0;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
      if (strcmp(others[i].id, op->id) == 0) covered = true, expected = others[i].has_gradient;
    if (!covered) fail_msg("op %s: no case proves its gradient", op->id);
    if (expected != (op->vjp != NULL)) fail_msg("op %s: %s a gradient rule", op->id, expected ? "lacks" : "has");
    if ((op->rescale != NULL) != (op->vjp != NULL)) fail_msg("op %s: it does not say its rescale rule", op->id);
    assert_non_null(op->forward);
    assert_non_null(op->help);
  }
  assert_true(seen >= 19);
}

/* Names for the same function need one case. */
static void every_activation_is_covered(void **state) {
  (void)state;
  size_t seen = 0;
  for (const ci_activation *f; (f = ci_activation_at(seen)) != NULL; seen++) {
    bool covered = false;
    for (size_t c = 0; c < CASES; c++) {
      const ci_activation *other = ci_activation_named(cases[c].what);
      covered = covered || (other && other->value == f->value && other->gradient == f->gradient);
    }
    if (!covered) fail_msg("activation %s: no case", f->id);
    assert_ptr_equal(ci_activation_named(f->id), f);
  }
  assert_true(seen >= 11);
  assert_null(ci_activation_named("gelu_old"));
}

/* An op without a rule is an error that names node and op, never a silent zero. */
static void missing_rule_is_an_error(void **state) {
  (void)state;
  static const ci_op blind = {.id = "blind", .help = "", .forward = NULL, .vjp = NULL};
  ci_op op = blind;
  op.forward = ci_op_scale.forward;
  tiny_graph t;
  tiny_open(&t);
  ci_build_section(&t.b, CI_DECODER, "block.", 0);
  int x = tiny_tokens(&t, "x", 4), y = ci_add_scale(&t.b, "blind", x, 2);
  t.model.graph.nodes[y].op = &op;
  tiny_finish(&t, y);
  ci_error err = {0};
  ci_compute compute;
  assert_int_equal(ci_compute_open(&compute, 1, "auto", NULL, &err), CI_OK);
  ci_run *run;
  assert_int_equal(ci_run_open(&t.model.graph, &compute, CI_KEEP_ALL, &run, &err), CI_OK);
  ci_adjoint_group groups[MOST_TARGETS];
  layout_fill(run, &single, groups);
  assert_int_equal(ci_run_forward(run, &err), CI_OK);
  ci_adjoint adjoint;
  assert_int_equal(ci_adjoint_open(run, groups, single.target_count, &adjoint, &err), CI_OK);
  float seeds[MOST_TARGETS * TINY_VOCABULARY], gradient[256];
  for (size_t i = 0; i < MOST_TARGETS * TINY_VOCABULARY; i++) seeds[i] = 1;
  ci_leaf leaf = leaf_into(x, gradient);
  assert_int_equal(ci_run_backward(run, &adjoint, seeds, &leaf, 1, &err), CI_EMODEL);
  assert_string_equal(err.where, "block.blind");
  assert_non_null(strstr(err.message, "\"blind\""));
  ci_adjoint_close(&adjoint);
  ci_run_close(run);
  ci_compute_close(&compute);
  tiny_close(&t);
}

/* f(x) - f(x') and the sum of (x - x') times the multipliers, for one logit of linear, activation, linear. */
static void sum_of_multipliers(const char *activation, bool rescales, double *difference, double *sum) {
  tiny_graph t;
  ci_error err = {0};
  ci_compute compute;
  ci_run *run;
  enum { WIDTH = 4 };
  tiny_open(&t);
  ci_build_section(&t.b, CI_DECODER, "block.", 0);
  int x = tiny_tokens(&t, "x", WIDTH), h = ci_add_scale(&t.b, "h", tiny_linear(&t, "l", x, 40), 3);
  tiny_finish(&t, tiny_linear(&t, "y", ci_add_activation(&t.b, "op", h, activation), 3));
  assert_int_equal(ci_compute_open(&compute, 1, "auto", NULL, &err), CI_OK);
  assert_int_equal(ci_run_open(&t.model.graph, &compute, CI_KEEP_ALL, &run, &err), CI_OK);
  ci_adjoint_group group = {.branch = 0, .reference = 1, .rescales = rescales};
  const int32_t ids[2] = {3, 8};
  for (int i = 0; i < 2; i++) {
    int branch = ci_run_branch(run, CI_DECODER, -1, 0, -1);
    assert_int_equal(ci_run_append(run, CI_DECODER, branch, &ids[i], 1, &err), CI_OK);
    assert_int_equal(ci_run_want_logits(run, branch, 0, i ? &group.reference_output_row : &group.output_row, &err), CI_OK);
  }
  assert_int_equal(ci_run_forward(run, &err), CI_OK);
  float seeds[TINY_VOCABULARY] = {[5] = 1}, multipliers[WIDTH];
  ci_leaf leaf = leaf_into(x, multipliers);
  ci_adjoint adjoint;
  *difference = (double)ci_run_logits(run, group.output_row)[5] - (double)ci_run_logits(run, group.reference_output_row)[5];
  assert_int_equal(ci_adjoint_open(run, &group, 1, &adjoint, &err), CI_OK);
  assert_int_equal(ci_run_backward(run, &adjoint, seeds, &leaf, 1, &err), CI_OK);
  *sum = 0;
  for (size_t i = 0; i < WIDTH; i++)
    *sum += (double)multipliers[i] * ((double)ci_run_row(run, x, 0)[i] - (double)ci_run_row(run, x, 1)[i]);
  ci_adjoint_close(&adjoint);
  ci_run_close(run);
  ci_compute_close(&compute);
  tiny_close(&t);
}

/* DeepLift's summation to delta: what the rescale rule traces back is the whole difference of the output. */
static void rescaled_activations_sum_to_the_difference(void **state) {
  (void)state;
  size_t rescaled = 0;
  const ci_activation *f;
  for (size_t i = 0; (f = ci_activation_at(i)) != NULL; i++) {
    double difference, sum, by_gradient;
    sum_of_multipliers(f->id, true, &difference, &sum);
    sum_of_multipliers(f->id, false, &difference, &by_gradient);
    assert_true(!f->rescales || fabs(by_gradient - difference) > 1e-3); /* else nothing is shown */
    if (f->rescales ? fabs(sum - difference) > 1e-5 : fabs(sum - by_gradient) > 1e-6)
      fail_msg("%s: sum %g, difference %g, by the gradient %g", f->id, sum, difference, by_gradient);
    rescaled += f->rescales;
  }
  assert_int_equal(rescaled, 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rescaled_activations_sum_to_the_difference),
      {"position", check_op, NULL, NULL, (void *)"position"},
      {"scale", check_op, NULL, NULL, (void *)"scale"},
      {"linear", check_op, NULL, NULL, (void *)"linear"},
      {"layer_norm", check_op, NULL, NULL, (void *)"layer_norm"},
      {"rms_norm", check_op, NULL, NULL, (void *)"rms_norm"},
      {"rope", check_op, NULL, NULL, (void *)"rope"},
      {"columns", check_op, NULL, NULL, (void *)"columns"},
      {"clip", check_op, NULL, NULL, (void *)"clip"},
      {"soft_cap", check_op, NULL, NULL, (void *)"soft_cap"},
      {"activation", check_op, NULL, NULL, (void *)"activation"},
      {"multiply", check_op, NULL, NULL, (void *)"multiply"},
      {"add", check_op, NULL, NULL, (void *)"add"},
      {"select", check_op, NULL, NULL, (void *)"select"},
      {"pair_gate", check_op, NULL, NULL, (void *)"pair_gate"},
      {"gate", check_op, NULL, NULL, (void *)"gate"},
      {"route", check_op, NULL, NULL, (void *)"route"},
      {"expert_linear", check_op, NULL, NULL, (void *)"expert_linear"},
      {"expert_sum", check_op, NULL, NULL, (void *)"expert_sum"},
      cmocka_unit_test(every_op_is_covered),
      cmocka_unit_test(every_activation_is_covered),
      cmocka_unit_test(missing_rule_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
