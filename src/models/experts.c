/* See experts.h. */
#include "models/experts.h"
#include "ops/routing.h"
#include <stdio.h>
#include <string.h>

enum { NAME = 128 };

static bool is_each(const char *name) {
  return strstr(name, "%d") != NULL;
}

static const char *name_of(char *room, const char *format, size_t expert) {
  snprintf(room, NAME, format, (int)expert);
  return room;
}

/* Matrices of their own are modules that may be in 8 bits; stacked ones are parameters, which are not. */
static void read_weights(ci_builder *b, const ci_expert_matrix *m, size_t experts, size_t outputs, size_t inputs,
                         ci_weight *out) {
  char room[NAME];
  size_t of = m->of ? m->of : outputs, rows = m->by_input ? inputs : of, columns = m->by_input ? of : inputs;
  ci_weight all = {0};
  if (!is_each(m->weight)) all = ci_weight_stack(b, m->weight, experts, rows, columns);
  for (size_t e = 0; e < experts && !b->status; e++) {
    ci_weight w = all;
    if (is_each(m->weight)) {
      w = ci_weight_module(b, name_of(room, m->weight, e), of, inputs, m->by_input);
    } else {
      w.data = (const char *)w.data + e * rows * w.ld / w.type->block * w.type->size;
      w.a = rows;
      w.by_input = m->by_input;
    }
    if (b->status) return;
    out[e] = ci_weight_cut(&w, m->first, outputs);
    if (out[e].type != out[0].type)
      ci_build_fail(b, b->model->path, "tensors \"%s%s\": experts of different types, %s and %s", b->weights, m->weight,
                    out[0].type->id, out[e].type->id);
  }
}

/* [experts, outputs] as float32 */
static const float *read_bias(ci_builder *b, const ci_expert_matrix *m, size_t experts, size_t outputs) {
  char room[NAME];
  size_t of = m->of ? m->of : outputs;
  float *out = m->bias ? ci_build_alloc(b, experts * outputs, sizeof *out) : NULL;
  ci_weight all = {0};
  if (out && !is_each(m->bias)) all = ci_weight_stack(b, m->bias, experts, 1, of);
  for (size_t e = 0; out && e < experts && !b->status; e++) {
    float *to = out + e * outputs;
    const float *each = is_each(m->bias) ? ci_vector_part(b, name_of(room, m->bias, e), of, m->first, outputs) : NULL;
    if (each)
      memcpy(to, each, outputs * sizeof *to);
    else if (!b->status)
      all.type->panel(ci_kernels_best(), &all, e, 1, m->first, outputs, to);
  }
  return out;
}

static ci_expert_params read_experts(ci_builder *b, const ci_expert_matrix *m, size_t experts, size_t outputs,
                                     size_t inputs) {
  ci_weight *weights = ci_build_alloc(b, experts, sizeof *weights);
  if (weights) read_weights(b, m, experts, outputs, inputs, weights);
  return (ci_expert_params){experts, weights, read_bias(b, m, experts, outputs)};
}

/* [slots, inner] of what goes into the last matrices */
static int inside(ci_builder *b, const ci_experts_shape *s, size_t width, int x, int route) {
  size_t experts = s->route.experts;
  bool pairs = s->limit != 0;
  ci_expert_params up = read_experts(b, &s->up, experts, pairs ? 2 * s->inner : s->inner, width);
  if (pairs) {
    int both = ci_add_expert_linear(b, "mlp.experts.gate_and_up", x, route, &up);
    return ci_add_pair_gate(b, "mlp.experts.gated", both, s->limit, s->slope);
  }
  if (!s->gate.weight)
    return ci_add_activation(b, "mlp.experts.activation", ci_add_expert_linear(b, "mlp.experts.up", x, route, &up),
                             s->activation);
  ci_expert_params gate = read_experts(b, &s->gate, experts, s->inner, width);
  int g = ci_add_expert_linear(b, "mlp.experts.gate", x, route, &gate);
  int u = ci_add_expert_linear(b, "mlp.experts.up", x, route, &up);
  return ci_add_multiply(b, "mlp.experts.gated", ci_add_activation(b, "mlp.experts.activation", g, s->activation), u);
}

static int add_shared(ci_builder *b, const ci_experts_shape *s, size_t width, int x, int routed) {
  char scope[sizeof b->scope];
  memcpy(scope, b->scope, sizeof scope);
  snprintf(b->scope, sizeof b->scope, "%.40smlp.shared.", scope);
  int y = ci_add_mlp(b, s->shared, width, x);
  if (s->shared_gate) {
    int gate = ci_add_linear_named(b, "weight_logit", s->shared_gate, x, 1, width, false, false);
    y = ci_add_gate(b, "weighted", y, ci_add_activation(b, "weight", gate, "sigmoid"));
  }
  memcpy(b->scope, scope, sizeof scope);
  return ci_add_sum(b, "mlp.output", routed, y);
}

ci_route_params ci_experts_route(ci_builder *b, const char *experts_key, const char *slots_key, bool normalised) {
  ci_route_params p = {.norm = normalised, .scale = 1};
  p.experts = (size_t)ci_config_needed(b, experts_key, 1, CI_MOST_EXPERTS);
  p.slots = (size_t)ci_config_needed(b, slots_key, 1, (int64_t)p.experts);
  return p;
}

ci_experts_shape ci_experts_like_deepseek(ci_builder *b, const ci_decoder *d, ci_mlp_shape *shared) {
  ci_experts_shape e = {.router = "mlp.gate.weight",
                        .plain_router = true,
                        .selection_bias = "mlp.gate.e_score_correction_bias",
                        .gate.weight = "mlp.experts.%d.gate_proj.weight",
                        .up.weight = "mlp.experts.%d.up_proj.weight",
                        .down.weight = "mlp.experts.%d.down_proj.weight",
                        .activation = d->block.mlp.activation,
                        .shared = shared};
  e.inner = (size_t)ci_config_needed(b, "moe_intermediate_size", 1, 1 << 24);
  bool normalised = ci_config_bool(b, "norm_topk_prob", false);
  e.route = ci_experts_route(b, "n_routed_experts", "num_experts_per_tok", normalised);
  e.route.sigmoid = e.route.group_of_two = true;
  e.route.least = normalised ? 1e-20 : 0;
  e.route.scale = ci_config_real(b, "routed_scaling_factor", 1);
  size_t groups = ci_config_size(b, "n_group", 1, 1);
  e.route.top_groups = ci_config_size(b, "topk_group", 1, 1);
  e.route.groups = groups > 1 ? groups : 0;
  *shared = d->block.mlp;
  shared->inner = e.inner * (size_t)ci_config_needed(b, "n_shared_experts", 1, 1 << 10);
  shared->gate = "mlp.shared_experts.gate_proj";
  shared->up = "mlp.shared_experts.up_proj";
  shared->down = "mlp.shared_experts.down_proj";
  return e;
}

void ci_experts_after_first(ci_builder *b, const ci_decoder *d, int index, ci_block *block) {
  (void)d;
  if (index < ci_config_int(b, "first_k_dense_replace", 0, 0, CI_MOST_LAYERS)) block->mlp.build = NULL;
}

int ci_add_experts(ci_builder *b, const ci_block *block, int x) {
  const ci_experts_shape *s = block->mlp.own;
  ci_route_params params = s->route;
  if (s->selection_bias) params.selection_bias = ci_vector(b, s->selection_bias, params.experts);
  ci_weight router = s->plain_router ? ci_weight_linear(b, s->router, params.experts, block->width)
                                     : ci_weight_module(b, s->router, params.experts, block->width, false);
  const float *bias = s->router_bias ? ci_vector(b, s->router_bias, params.experts) : NULL;
  int route = ci_add_route(b, "mlp.route", ci_add_linear(b, "mlp.router", x, router, bias), &params);
  int inner = inside(b, s, block->width, x, route);
  ci_expert_params down = read_experts(b, &s->down, params.experts, block->width, s->inner);
  int y = ci_add_expert_sum(b, "mlp.experts", inner, route, &down);
  return s->shared ? add_shared(b, s, block->width, x, y) : y;
}
