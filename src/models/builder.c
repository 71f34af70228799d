/* See builder.h. */
#include "models/builder.h"
#include "kernels/weight_types.h"
#include "ops/routing.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ci_build_fail(ci_builder *b, const char *where, const char *format, ...) {
  if (b->status) return;
  char message[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  b->status = ci_fail(b->err, CI_EMODEL, where, "%s", message);
}

void *ci_build_alloc(ci_builder *b, size_t count, size_t size) {
  void *memory = b->status ? NULL : ci_arena_alloc(b->model->arena, count, size);
  if (!memory && !b->status) b->status = ci_fail_memory(b->err);
  return memory;
}

void ci_note_origin(ci_builder *b, const void *data, size_t bytes, const void *source) {
  ci_model *m = b->model;
  if (b->status || !data || !source) return;
  if (ci_reserve((void **)&m->origins, &m->origin_capacity, m->origin_count + 1, sizeof *m->origins))
    b->status = ci_fail_memory(b->err);
  else
    m->origins[m->origin_count++] = (ci_origin){data, bytes, source};
}

void ci_build_section(ci_builder *b, ci_space_id space, const char *scope_format, int index) {
  b->space = space;
  b->section = b->model->graph.sections++;
  snprintf(b->scope, sizeof b->scope, scope_format, index);
}

void ci_build_weights(ci_builder *b, const char *format, int index) {
  snprintf(b->weights, sizeof b->weights, format, index);
}

/* The tensor with this name, or with the base prefix added or taken away. */
static const ci_tensor *look_up(ci_builder *b, const char *name) {
  char full[256], other[320];
  const char *prefix = b->model->architecture->prefix;
  snprintf(full, sizeof full, "%s%s", b->weights, name);
  const ci_tensor *tensor = ci_tensors_find(b->model->tensors, full);
  if (!tensor && *prefix && ci_starts_with(full, prefix)) {
    tensor = ci_tensors_find(b->model->tensors, full + strlen(prefix));
    b->model->base_alone = b->model->base_alone || tensor;
  }
  if (!tensor) {
    snprintf(other, sizeof other, "%s%s", prefix, full);
    tensor = ci_tensors_find(b->model->tensors, other);
  }
  return tensor;
}

void ci_mark_used(ci_builder *b, const ci_tensor *tensor) { b->used[tensor - ci_tensors_at(b->model->tensors, 0)] = 1; }

bool ci_has_weight(ci_builder *b, const char *name) { return !b->status && look_up(b, name); }

static const ci_tensor *need(ci_builder *b, const char *name) {
  if (b->status) return NULL;
  const ci_tensor *tensor = look_up(b, name);
  if (!tensor) ci_build_fail(b, b->model->path, "tensor \"%s%s\" is missing", b->weights, name);
  else ci_mark_used(b, tensor);
  return tensor;
}

static void wrong_shape(ci_builder *b, const ci_tensor *t, const char *expected) {
  ci_text shape = {0};
  for (int i = 0; i < t->rank; i++) ci_text_add_format(&shape, i ? ", %zu" : "%zu", t->shape[i]);
  ci_build_fail(b, t->file, "tensor \"%s\" has shape [%s], expected %s", t->name, shape.data ? shape.data : "", expected);
  ci_text_free(&shape);
}

static void expected_types(ci_builder *b, const ci_tensor *t) {
  ci_build_fail(b, t->file, "tensor \"%s\" has type %s, expected F32, F16, BF16 or a type of GGUF's blocks", t->name,
                ci_dtype_name(t->type));
}

static ci_weight matrix_of(ci_builder *b, const ci_tensor *t, bool fits, size_t rows, size_t columns, const char *expected) {
  const ci_weight_type *type = ci_weight_type_named(ci_dtype_name(t->type));
  if (!type) expected_types(b, t);
  else if (!fits) wrong_shape(b, t, expected);
  ci_weight w = {.type = type, .data = t->data, .a = rows, .b = columns, .ld = columns};
  if (t->transposed) w = (ci_weight){.type = type, .data = t->data, .a = columns, .b = rows, .ld = rows, .by_input = true};
  return w;
}

/* module: its full name, if it may be quantised; by_input: the file has [inputs, outputs]. */
static ci_weight matrix(ci_builder *b, const char *name, size_t outputs, size_t inputs, bool by_input, const char *module) {
  const ci_tensor *t = need(b, name);
  if (!t) return (ci_weight){0};
  bool codes = t->type == CI_I8; /* bitsandbytes has turned Conv1D's round */
  size_t rows = by_input && !codes ? inputs : outputs, columns = by_input && !codes ? outputs : inputs;
  bool fits = t->rank == 2 && t->shape[0] == rows && t->shape[1] == columns;
  char expected[64];
  snprintf(expected, sizeof expected, "[%zu, %zu]", rows, columns);
  if (codes && !fits) wrong_shape(b, t, expected);
  if (codes) return ci_load_codes(b, t, outputs, inputs);
  ci_weight w = matrix_of(b, t, fits, rows, columns, expected);
  w.by_input ^= by_input;
  return ci_load_weight(b, t, &w, module);
}

ci_weight ci_weight_stack(ci_builder *b, const char *name, size_t count, size_t rows, size_t columns) {
  const ci_tensor *t = need(b, name);
  if (!t) return (ci_weight){0};
  char expected[96];
  snprintf(expected, sizeof expected, "[%zu, %zu, %zu]", count, rows, columns);
  bool fits = t->rank == 3 && t->shape[0] == count && t->shape[1] == rows && t->shape[2] == columns;
  if (t->rank == 2) fits = t->shape[1] == columns && t->shape[0] / rows == count && t->shape[0] % rows == 0;
  ci_weight w = matrix_of(b, t, fits, fits ? count * rows : 0, columns, expected);
  return ci_load_weight(b, t, &w, NULL);
}

ci_weight ci_weight_linear(ci_builder *b, const char *name, size_t outputs, size_t inputs) {
  return matrix(b, name, outputs, inputs, false, NULL);
}

ci_weight ci_weight_module(ci_builder *b, const char *name, size_t outputs, size_t inputs, bool by_input) {
  static const char ending[] = ".weight";
  char module[256];
  size_t length = (size_t)snprintf(module, sizeof module, "%s%s", b->weights, name);
  bool named = length < sizeof module && ci_ends_with(module, ending);
  if (named) module[length - strlen(ending)] = 0;
  return matrix(b, name, outputs, inputs, by_input, named ? module : NULL);
}

ci_weight ci_weight_head(ci_builder *b, const char *name, size_t outputs, size_t inputs) {
  if (b->model->loading.left_out) return ci_weight_module(b, name, outputs, inputs, false);
  return ci_weight_linear(b, name, outputs, inputs);
}

ci_weight ci_weight_table(const float *data, size_t rows, size_t columns) {
  return (ci_weight){.type = ci_weight_type_named("F32"), .data = data, .a = rows, .b = columns, .ld = columns};
}

static const float *widened(ci_builder *b, const ci_tensor *t, size_t first, size_t n) {
  if (t->type == CI_F32 && !ci_loads_vector(b, t)) return (const float *)t->data + first;
  if (t->type != CI_F32 && t->type != CI_F16 && t->type != CI_BF16 && ci_dtype_block(t->type) == 1) return expected_types(b, t), NULL;
  float *copy = ci_build_alloc(b, n, sizeof *copy);
  if (!copy) return NULL;
  ci_tensor_widen(t, first, n, copy);
  ci_load_vector(b, t, copy, n);
  ci_note_origin(b, copy, n * sizeof *copy, t->data);
  return copy;
}

/* Vectors are read in every row: float32 copies, unless the file has them so. Leading dimensions of 1 are allowed
 * (final_logits_bias is [1, vocabulary]). */
const float *ci_vector_part(ci_builder *b, const char *name, size_t whole, size_t first, size_t n) {
  const ci_tensor *t = need(b, name);
  if (!t) return NULL;
  char expected[32];
  snprintf(expected, sizeof expected, "[%zu]", whole);
  if (t->count != whole || t->rank < 1 || t->shape[t->rank - 1] != whole) return wrong_shape(b, t, expected), NULL;
  return widened(b, t, first, n);
}

const float *ci_small_matrix(ci_builder *b, const char *name, size_t rows, size_t columns) {
  const ci_tensor *t = need(b, name);
  if (!t) return NULL;
  char expected[64];
  snprintf(expected, sizeof expected, "[%zu, %zu]", rows, columns);
  if (t->rank != 2 || t->shape[0] != rows || t->shape[1] != columns) return wrong_shape(b, t, expected), NULL;
  return widened(b, t, 0, t->count);
}

const float *ci_vector(ci_builder *b, const char *name, size_t n) { return ci_vector_part(b, name, n, 0, n); }

const float *ci_vector_if_there(ci_builder *b, const char *name, size_t n) {
  return ci_has_weight(b, name) ? ci_vector(b, name, n) : NULL;
}

const float *ci_vector_of(ci_builder *b, double value, size_t n) {
  float *x = ci_build_alloc(b, n, sizeof *x);
  for (size_t i = 0; x && i < n; i++) x[i] = (float)value;
  return x;
}

/* A node with these inputs (-1: none); its number, 0 after an error. */
static ci_node *add(ci_builder *b, const char *name, const ci_op *op, size_t width, int x, int y, int z) {
  ci_graph *graph = &b->model->graph;
  if (b->status) return NULL;
  if (ci_reserve((void **)&graph->nodes, &graph->capacity, (size_t)graph->count + 1, sizeof *graph->nodes)) {
    b->status = ci_fail_memory(b->err);
    return NULL;
  }
  char full[160];
  snprintf(full, sizeof full, "%s%s", b->scope, name);
  ci_node *node = &graph->nodes[graph->count];
  *node = (ci_node){.name = ci_arena_text(b->model->arena, full), .op = op, .space = b->space, .section = b->section, .width = width};
  if (!node->name) {
    b->status = ci_fail_memory(b->err);
    return NULL;
  }
  const int inputs[CI_MOST_INPUTS] = {x, y, z};
  while (node->input_count < CI_MOST_INPUTS && inputs[node->input_count] >= 0) {
    node->inputs[node->input_count] = inputs[node->input_count];
    node->input_count++;
  }
  graph->count++;
  return node;
}

static int number(ci_builder *b, const ci_node *node) { return node ? (int)(node - b->model->graph.nodes) : 0; }
static size_t width_of(ci_builder *b, int node) { return b->status ? 1 : b->model->graph.nodes[node].width; }

int ci_add_embedding(ci_builder *b, const char *name, ci_weight weight) {
  ci_node *node = add(b, name, &ci_op_embedding, weight.b, -1, -1, -1);
  if (node) node->weight = weight;
  return number(b, node);
}

int ci_add_scale(ci_builder *b, const char *name, int x, double factor) {
  ci_scale_params *params = ci_build_alloc(b, 1, sizeof *params);
  ci_node *node = add(b, name, &ci_op_scale, width_of(b, x), x, -1, -1);
  if (!node) return 0;
  params->factor = (float)factor;
  node->params = params;
  return number(b, node);
}

int ci_add_position(ci_builder *b, const char *name, int x, ci_weight table, size_t offset) {
  ci_position_params *params = ci_build_alloc(b, 1, sizeof *params);
  ci_node *node = add(b, name, &ci_op_position, width_of(b, x), x, -1, -1);
  if (!node) return 0;
  params->offset = offset;
  node->params = params;
  node->weight = table;
  size_t positions = table.a > offset ? table.a - offset : 0, *most = &b->model->graph.positions[b->space];
  if (!*most || positions < *most) *most = positions;
  return number(b, node);
}

int ci_add_linear(ci_builder *b, const char *name, int x, ci_weight weight, const float *bias) {
  ci_node *node = add(b, name, &ci_op_linear, b->status ? 0 : ci_weight_outputs(&weight), x, -1, -1);
  if (!node) return 0;
  node->weight = weight;
  node->bias = bias;
  if (ci_weight_inputs(&weight) != width_of(b, x)) ci_build_fail(b, node->name, "input and weight do not fit");
  return number(b, node);
}

int ci_add_group_norm(ci_builder *b, const char *name, const ci_op *op, int x, size_t groups, const float *scale,
                      const float *bias, double epsilon) {
  ci_norm_params *params = ci_build_alloc(b, 1, sizeof *params);
  ci_node *node = add(b, name, op, width_of(b, x), x, -1, -1);
  if (!node) return 0;
  params->epsilon = epsilon;
  params->groups = groups;
  if (!groups || node->width % groups) ci_build_fail(b, node->name, "a row of %zu has no %zu equal parts", node->width, groups);
  node->params = params;
  node->scale = scale;
  node->bias = bias;
  return number(b, node);
}

int ci_add_layer_norm(ci_builder *b, const char *name, int x, const float *scale, const float *bias, double epsilon) {
  return ci_add_group_norm(b, name, &ci_op_layer_norm, x, 1, scale, bias, epsilon);
}

int ci_add_rms_norm(ci_builder *b, const char *name, int x, const float *scale, double epsilon) {
  return ci_add_group_norm(b, name, &ci_op_rms_norm, x, 1, scale, NULL, epsilon);
}

int ci_add_columns(ci_builder *b, const char *name, int x, const ci_columns_params *columns) {
  ci_columns_params *params = ci_build_alloc(b, 1, sizeof *params);
  ci_node *node = add(b, name, &ci_op_columns, columns->block * columns->count, x, -1, -1);
  if (!node) return 0;
  *params = *columns;
  node->params = params;
  size_t last = params->first + (params->count - 1) * params->stride + params->block;
  if (!node->width || last > width_of(b, x)) ci_build_fail(b, node->name, "columns up to %zu of %zu", last, width_of(b, x));
  return number(b, node);
}

int ci_add_clip(ci_builder *b, const char *name, int x, double low, double high) {
  ci_clip_params *params = ci_build_alloc(b, 1, sizeof *params);
  ci_node *node = add(b, name, &ci_op_clip, width_of(b, x), x, -1, -1);
  if (!node) return 0;
  *params = (ci_clip_params){(float)low, (float)high};
  node->params = params;
  return number(b, node);
}

int ci_add_rope(ci_builder *b, const char *name, int x, size_t heads, size_t head_dim, const ci_rope *rope, bool interleaved) {
  ci_rope_params *params = ci_build_alloc(b, 1, sizeof *params);
  ci_node *node = add(b, name, &ci_op_rope, width_of(b, x), x, -1, -1);
  if (!node) return 0;
  *params = (ci_rope_params){.heads = heads, .head_dim = head_dim, .rope = rope, .interleaved = interleaved};
  node->params = params;
  if (2 * rope->half > head_dim || node->width != heads * head_dim)
    ci_build_fail(b, node->name, "%zu pairs and %zu heads of %zu do not fit a row of %zu", rope->half, heads, head_dim, node->width);
  return number(b, node);
}

int ci_add_attention(ci_builder *b, const char *name, int query, int key, int value, size_t heads, size_t kv_heads,
                     size_t head_dim, double scale, bool causal) {
  ci_attention_params params = {
      .heads = heads, .kv_heads = kv_heads, .head_dim = head_dim, .scale = (float)scale, .causal = causal};
  return ci_add_attention_with(b, name, query, key, value, &params);
}

int ci_add_attention_with(ci_builder *b, const char *name, int query, int key, int value, const ci_attention_params *given) {
  ci_attention_params *params = ci_build_alloc(b, 1, sizeof *params);
  size_t heads = given->heads, kv_heads = given->kv_heads, head_dim = given->head_dim;
  ci_node *node = add(b, name, &ci_op_attention, heads * head_dim, query, key, value);
  if (!node) return 0;
  *params = *given;
  node->params = params;
  node->kept_width = heads;
  b->model->graph.heads[b->space] = heads;
  const ci_node *nodes = b->model->graph.nodes;
  if (nodes[query].width != heads * head_dim || nodes[key].width != kv_heads * head_dim || nodes[value].width != nodes[key].width)
    ci_build_fail(b, node->name, "query, key and value do not fit %zu and %zu heads of %zu", heads, kv_heads, head_dim);
  /* the vjp writes the query's gradient while it adds up the key's and the value's */
  if (query == key || query == value) ci_build_fail(b, node->name, "the query must be a node of its own");
  return number(b, node);
}

static void unknown_activation(ci_builder *b, const char *activation) {
  ci_text names = {0};
  const ci_activation *known;
  for (size_t i = 0; (known = ci_activation_at(i)) != NULL; i++) ci_text_add_format(&names, i ? ", %s" : "%s", known->id);
  ci_build_fail(b, "config.json", "unknown activation \"%s\", expected one of %s", activation, names.data ? names.data : "");
  ci_text_free(&names);
}

int ci_add_activation(ci_builder *b, const char *name, int x, const char *activation) {
  ci_activation_params *params = ci_build_alloc(b, 1, sizeof *params);
  ci_node *node = add(b, name, &ci_op_activation, width_of(b, x), x, -1, -1);
  if (!node) return 0;
  params->activation = ci_activation_named(activation);
  node->params = params;
  if (!params->activation) unknown_activation(b, activation);
  return number(b, node);
}

int ci_add_soft_cap(ci_builder *b, const char *name, int x, double cap) {
  ci_soft_cap_params *params = ci_build_alloc(b, 1, sizeof *params);
  ci_node *node = add(b, name, &ci_op_soft_cap, width_of(b, x), x, -1, -1);
  if (!node) return 0;
  params->cap = (float)cap;
  node->params = params;
  if (!(cap > 0)) ci_build_fail(b, node->name, "the cap %g is not positive", cap);
  return number(b, node);
}

int ci_add_multiply(ci_builder *b, const char *name, int x, int y) {
  return number(b, add(b, name, &ci_op_multiply, width_of(b, x), x, y, -1));
}

int ci_add_sum(ci_builder *b, const char *name, int x, int y) {
  return number(b, add(b, name, &ci_op_add, width_of(b, x), x, y, -1));
}

int ci_add_pair_gate(ci_builder *b, const char *name, int x, double limit, double slope) {
  ci_pair_gate_params *params = ci_build_alloc(b, 1, sizeof *params);
  ci_node *node = add(b, name, &ci_op_pair_gate, width_of(b, x) / 2, x, -1, -1);
  if (!node) return 0;
  *params = (ci_pair_gate_params){(float)limit, (float)slope};
  node->params = params;
  if (width_of(b, x) % 2) ci_build_fail(b, node->name, "%zu columns are not pairs", width_of(b, x));
  return number(b, node);
}

int ci_add_gate(ci_builder *b, const char *name, int x, int gate) {
  ci_node *node = add(b, name, &ci_op_gate, width_of(b, x), x, gate, -1);
  if (node && width_of(b, gate) != 1) ci_build_fail(b, node->name, "a gate has one number a row, not %zu", width_of(b, gate));
  return number(b, node);
}

/* Slots hold their experts in the forward only: what backward rebuilds must not choose again. */
int ci_add_route(ci_builder *b, const char *name, int logits, const ci_route_params *params) {
  ci_route_params *copy = ci_build_alloc(b, 1, sizeof *copy);
  ci_node *node = add(b, name, &ci_op_route, params->slots, logits, -1, -1);
  if (!node) return 0;
  *copy = *params;
  node->params = copy;
  node->kept_width = params->slots;
  node->keep = true;
  if (params->experts > CI_MOST_EXPERTS || params->slots > params->experts || width_of(b, logits) != params->experts)
    ci_build_fail(b, node->name, "%zu logits do not choose %zu of %zu experts (at most %d)", width_of(b, logits), params->slots,
                  params->experts, CI_MOST_EXPERTS);
  if (params->groups && (params->experts % params->groups || params->top_groups > params->groups))
    ci_build_fail(b, node->name, "%zu experts do not make %zu groups of which %zu are chosen", params->experts, params->groups,
                  params->top_groups);
  return number(b, node);
}

static int add_experts(ci_builder *b, const char *name, const ci_op *op, int x, int route, const ci_expert_params *params,
                       size_t inputs, size_t width) {
  ci_expert_params *copy = ci_build_alloc(b, 1, sizeof *copy);
  ci_node *node = add(b, name, op, width, x, route, -1);
  if (!node) return 0;
  *copy = *params;
  node->params = copy;
  if (width_of(b, x) != inputs) ci_build_fail(b, node->name, "input and weights do not fit");
  return number(b, node);
}

int ci_add_expert_linear(ci_builder *b, const char *name, int x, int route, const ci_expert_params *params) {
  if (b->status) return 0;
  size_t outputs = ci_weight_outputs(params->weights);
  return add_experts(b, name, &ci_op_expert_linear, x, route, params, ci_weight_inputs(params->weights),
                     width_of(b, route) * outputs);
}

int ci_add_expert_sum(ci_builder *b, const char *name, int x, int route, const ci_expert_params *params) {
  if (b->status) return 0;
  size_t inputs = ci_weight_inputs(params->weights);
  return add_experts(b, name, &ci_op_expert_sum, x, route, params, width_of(b, route) * inputs, ci_weight_outputs(params->weights));
}

int ci_add_select(ci_builder *b, const char *name, int x) {
  return number(b, add(b, name, &ci_op_select, width_of(b, x), x, -1, -1));
}

void ci_build_input(ci_builder *b, int ids_node, int input_node) {
  b->model->graph.ids_node[b->space] = ids_node;
  b->model->graph.input_node[b->space] = input_node;
}
