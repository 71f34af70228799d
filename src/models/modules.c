/* See modules.h. No table says which nodes a module has: they are found by the weights. A node that reads a weight
 * whose name begins with the path is inside; so is what reads only nodes inside (activations, products, attention), and
 * a residual sum whose other side a norm inside reads (T5's layers hold their residual). The last node inside is the
 * module's output; for a path that holds all weights of a block it is the block's. */
#include "models/modules.h"
#include "ops/params.h"
#include <stdlib.h>
#include <string.h>

/* Bytes of a tensor, or made of one. */
typedef struct {
  const char *data;
  size_t bytes;
  const ci_tensor *tensor;
} span;

typedef struct {
  const ci_model *model;
  const char *path; /* "model.layers.3.mlp" */
  span *spans;      /* [count] by address */
  size_t count;
  bool *inside; /* [nodes] */
} search;

static int by_address(const void *x, const void *y) {
  const span *a = x, *b = y;
  if (a->data != b->data) return (uintptr_t)a->data < (uintptr_t)b->data ? -1 : 1;
  return a->tensor < b->tensor ? 1 : a->tensor > b->tensor ? -1 : 0; /* of tied ones the first is found */
}

/* The tensor that an address lies in or was made of; NULL: none. */
static const ci_tensor *tensor_at(const search *s, const void *address) {
  size_t low = 0, high = s->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if ((uintptr_t)s->spans[middle].data <= (uintptr_t)address)
      low = middle + 1;
    else
      high = middle;
  }
  const span *found = low ? &s->spans[low - 1] : NULL;
  return found && (uintptr_t)address - (uintptr_t)found->data < found->bytes ? found->tensor : NULL;
}

/* The tensor of origin i: its source lies in a tensor, or was made a little earlier. */
static const ci_tensor *tensor_of_origin(const search *s, size_t i) {
  const ci_origin *all = s->model->origins;
  for (size_t k = i; k-- > 0;)
    if ((uintptr_t)all[i].source - (uintptr_t)all[k].data < all[k].bytes) return tensor_of_origin(s, k);
  return tensor_at(s, all[i].source);
}

/* Spans of tensors first, then what was made of them. */
static ci_status open_spans(search *s, ci_error *err) {
  const ci_model *model = s->model;
  size_t tensors = ci_tensors_count(model->tensors), room = tensors + model->origin_count;
  const ci_tensor **origins = ci_alloc(model->origin_count, sizeof *origins);
  s->spans = room < tensors ? NULL : ci_alloc(room, sizeof *s->spans);
  if (!s->spans || !origins) return ci_free(origins), ci_fail_memory(err);
  for (; s->count < tensors; s->count++) {
    const ci_tensor *t = ci_tensors_at(model->tensors, s->count);
    s->spans[s->count] = (span){t->data, t->count / ci_dtype_block(t->type) * ci_dtype_size(t->type), t};
  }
  if (tensors) qsort(s->spans, tensors, sizeof *s->spans, by_address);
  for (size_t i = 0; i < model->origin_count; i++) origins[i] = tensor_of_origin(s, i);
  for (size_t i = 0; i < model->origin_count; i++)
    if (origins[i]) s->spans[s->count++] = (span){model->origins[i].data, model->origins[i].bytes, origins[i]};
  if (s->count) qsort(s->spans, s->count, sizeof *s->spans, by_address);
  ci_free(origins);
  return CI_OK;
}

/* What a node reads of the checkpoint. */
static const ci_tensor *weight_of(const search *s, const ci_node *node) {
  bool expert = node->op == &ci_op_expert_linear || node->op == &ci_op_expert_sum;
  const void *data = expert ? ((const ci_expert_params *)node->params)->weights[0].data : node->weight.data;
  return tensor_at(s, data ? data : node->scale);
}

static bool is_under(const char *name, const char *path) {
  size_t n = strlen(path);
  return strncmp(name, path, n) == 0 && name[n] == '.';
}

/* Names in files may lack the base model's prefix, or have one that the path lacks. */
static bool belongs(const search *s, const ci_tensor *t) {
  const char *prefix = s->model->architecture->prefix;
  size_t n = strlen(prefix);
  if (is_under(t->name, s->path)) return true;
  if (strncmp(s->path, prefix, n) == 0 && is_under(t->name, s->path + n)) return true;
  return strncmp(t->name, prefix, n) == 0 && is_under(t->name + n, s->path);
}

static bool is_norm(const ci_node *node) {
  return node->op == &ci_op_layer_norm || node->op == &ci_op_rms_norm;
}

/* Whether a norm that lies inside reads the node. */
static bool is_normed_inside(const search *s, int node, int before) {
  const ci_graph *graph = &s->model->graph;
  for (int i = node + 1; i < before; i++)
    if (s->inside[i] && is_norm(&graph->nodes[i]) && graph->nodes[i].inputs[0] == node) return true;
  return false;
}

static bool lies_inside(const search *s, int number) {
  const ci_node *node = &s->model->graph.nodes[number];
  const ci_tensor *weight = weight_of(s, node);
  const ci_tensor *bias = node->bias ? tensor_at(s, node->bias) : NULL; /* a tied head's own */
  if (weight) return belongs(s, weight) || (bias && belongs(s, bias));
  if (!node->input_count || is_norm(node) || node->op == &ci_op_select) return false;
  size_t inside = 0, normed = 0;
  for (int i = 0; i < node->input_count; i++) {
    inside += s->inside[node->inputs[i]];
    normed += !s->inside[node->inputs[i]] && is_normed_inside(s, node->inputs[i], number);
  }
  if (node->op == &ci_op_scale) return false; /* residual scales stand outside */
  return inside == (size_t)node->input_count || (node->op == &ci_op_add && inside == 1 && normed == 1);
}

/* Whether a section is a block all of whose weights lie inside. */
static bool is_whole_block(const search *s, int section) {
  const ci_graph *graph = &s->model->graph;
  bool attends = false;
  for (int i = 0; i < graph->count; i++) {
    const ci_node *node = &graph->nodes[i];
    if (node->section != section) continue;
    attends = attends || node->op == &ci_op_attention;
    if (weight_of(s, node) && !s->inside[i]) return false;
  }
  return attends;
}

/* First and last node inside, of one section; -1: none. False: more than one section. A table of embeddings may be read
 * on both sides and by the head: then it is the first. */
static bool find_ends(search *s, int *first, int *last) {
  const ci_graph *graph = &s->model->graph;
  bool single = true, table = true;
  *first = *last = -1;
  for (int i = 0; i < graph->count; i++) {
    s->inside[i] = lies_inside(s, i);
    if (!s->inside[i]) continue;
    if (*last >= 0 && graph->nodes[*last].section != graph->nodes[i].section) single = false;
    if (*first < 0) *first = i;
    *last = i;
    table = table && graph->nodes[*first].op == &ci_op_embedding &&
            weight_of(s, &graph->nodes[i]) == weight_of(s, &graph->nodes[*first]);
  }
  if (table) *last = *first;
  return single || table;
}

/* "model.layers[3].mlp" as "model.layers.3.mlp" */
static char *normalise(const char *name) {
  char *path = ci_duplicate(name), *to = path;
  for (const char *c = path; path && *c; c++) {
    if (*c == ']') continue;
    *to++ = *c == '[' ? '.' : *c;
  }
  if (path) *to = 0;
  return path;
}

/* The module that a tensor belongs to, `up` levels above its name; NULL: none, or memory is out. */
static char *module_of(const ci_tensor *tensor, int up) {
  char *name = ci_duplicate(tensor->name), *dot = NULL;
  for (; name && up > 0; up--) {
    dot = strrchr(name, '.');
    if (!dot) break;
    *dot = 0;
  }
  if (dot || !name) return name;
  ci_free(name);
  return NULL;
}

/* "decoder.3.mlp.up": the length of "decoder.", and *rest is "mlp.up"; 0: the node is in no block. */
static size_t before_number(const char *name, const char **rest) {
  size_t n = strcspn(name, "0123456789"), digits = strspn(name + n, "0123456789");
  if (!n || !digits || name[n - 1] != '.' || name[n + digits] != '.') return 0;
  *rest = name + n + digits + 1;
  return n;
}

/* Whether a node of this name has come before, in another block. */
static bool is_in_earlier_block(const ci_graph *graph, int node) {
  const char *rest, *other, *name = graph->nodes[node].name;
  size_t n = before_number(name, &rest);
  for (int i = 0; i < node && n; i++)
    if (before_number(graph->nodes[i].name, &other) == n && !strncmp(graph->nodes[i].name, name, n) &&
        !strcmp(other, rest))
      return true;
  return false;
}

/* "decoder.embedding.tokens, decoder.N.{input_layernorm, ..., output}, ..., output.logits" */
static void list_nodes(const ci_graph *graph, ci_text *list) {
  const char *open = NULL, *rest;
  size_t length = 0;
  for (int i = 0; i < graph->count; i++) {
    const char *name = graph->nodes[i].name, *comma = list->length ? ", " : "";
    size_t n = before_number(name, &rest);
    if (is_in_earlier_block(graph, i)) continue;
    bool goes_on = open && n == length && !strncmp(name, open, n);
    if (open && !goes_on) ci_text_add_format(list, "}");
    open = n ? name : NULL;
    length = n;
    if (goes_on)
      ci_text_add_format(list, ", %s", rest);
    else if (n)
      ci_text_add_format(list, "%s%.*sN.{%s", comma, (int)n, name, rest);
    else
      ci_text_add_format(list, "%s%s", comma, name);
  }
  if (open) ci_text_add_format(list, "}");
}

static ci_status unknown(const ci_model *model, const char *where, const char *name, ci_error *err) {
  enum { LEVELS = 3 };
  const ci_graph *graph = &model->graph;
  size_t count = (size_t)graph->count, tensors = ci_tensors_count(model->tensors), cells;
  if (__builtin_mul_overflow(tensors, (size_t)LEVELS, &cells) || __builtin_add_overflow(cells, count, &cells))
    return ci_fail_memory(err);
  const char **names = ci_alloc(cells, sizeof *names);
  char *path = normalise(name);
  if (!names || !path) return ci_free(names), ci_free(path), ci_fail_memory(err);
  for (int i = 0; i < graph->count; i++) names[i] = graph->nodes[i].name;
  for (size_t i = 0; i < tensors; i++)
    for (int up = 1; up <= LEVELS; up++)
      if ((names[count] = module_of(ci_tensors_at(model->tensors, i), up))) count++;
  const char *nearest = ci_nearest(path, names, count);
  ci_text list = {0};
  list_nodes(graph, &list);
  ci_status status =
      list.failed
          ? ci_fail_memory(err)
          : ci_fail(err, CI_EINVAL, where, "\"%.100s\" is no node or module of the model%s%s%s (nodes are %s)", name,
                    nearest ? ": did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "", list.data);
  ci_text_free(&list);
  while (count > (size_t)graph->count) ci_free((char *)names[--count]);
  ci_free(names);
  ci_free(path);
  return status;
}

/* How many nodes read a weight of the module's own ("PATH.weight"), if it has no others: it is a linear layer or a
 * norm, and what follows is not its. 0: it has modules inside. */
static size_t own_nodes(const search *s, int *last) {
  const ci_graph *graph = &s->model->graph;
  size_t n = 0;
  for (int i = 0; i < graph->count; i++) {
    const ci_tensor *weight = s->inside[i] ? weight_of(s, &graph->nodes[i]) : NULL;
    const char *end = weight ? strrchr(weight->name, '.') : NULL, *name = strrchr(s->path, '.');
    if (!weight) continue;
    size_t length = strlen(name ? name : s->path);
    bool own = end && (size_t)(end - weight->name) >= length && !strncmp(end - length, name ? name : s->path, length);
    if (!own) return 0;
    *last = i;
    n++;
  }
  return n;
}

static ci_status find_module(search *s, const char *where, const char *name, bool input, int *node, ci_error *err) {
  const ci_graph *graph = &s->model->graph;
  int first, last;
  bool single = find_ends(s, &first, &last);
  if (last < 0) return unknown(s->model, where, name, err);
  if (!single)
    return ci_fail(err, CI_EINVAL, where, "\"%.100s\" is more than one block: name one, as in \"%.100s[0]\"", name,
                   name);
  size_t own = first == last ? 1 : own_nodes(s, &last);
  if (own > 1)
    return ci_fail(err, CI_EINVAL, where, "\"%.100s\" is computed in parts here: name one, as \"%s\"", name,
                   graph->nodes[first].name);
  if (!own && is_whole_block(s, graph->nodes[last].section))
    while (last + 1 < graph->count && graph->nodes[last + 1].section == graph->nodes[last].section) last++;
  *node = input ? (graph->nodes[first].input_count ? graph->nodes[first].inputs[0] : -1) : last;
  return CI_OK;
}

static ci_status search_module(const ci_model *model, const char *where, const char *name, bool input, int *node,
                               ci_error *err) {
  char *path = normalise(name);
  search s = {.model = model, .path = path};
  s.inside = ci_alloc_zeroed((size_t)model->graph.count, sizeof *s.inside);
  ci_status status = path && s.inside ? open_spans(&s, err) : ci_fail_memory(err);
  if (!status) status = find_module(&s, where, name, input, node, err);
  ci_free(s.spans);
  ci_free(s.inside);
  ci_free(path);
  return status;
}

ci_status ci_model_node(const ci_model *model, const char *where, const char *name, bool input, int *node,
                        ci_error *err) {
  const ci_graph *graph = &model->graph;
  ci_status status = CI_OK;
  *node = ci_graph_find(graph, name);
  if (*node < 0)
    status = search_module(model, where, name, input, node, err);
  else if (input)
    *node = graph->nodes[*node].input_count ? graph->nodes[*node].inputs[0] : -1;
  if (status) return status;
  if (*node < 0) return ci_fail(err, CI_EINVAL, where, "\"%.100s\" reads token ids, which are not attributed", name);
  return CI_OK;
}

/* Adds the modules that a tensor lies in, from the outside in. */
static ci_status add_modules(json_t *seen, json_t *paths, char *name, ci_error *err) {
  for (char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
    *dot = 0;
    bool failed = !json_object_get(seen, name) && (json_object_set_new_nocheck(seen, name, json_true()) ||
                                                   json_array_append_new(paths, json_string_nocheck(name)));
    *dot = '.';
    if (failed) return ci_fail_memory(err);
  }
  return CI_OK;
}

ci_status ci_model_modules(const ci_model *model, json_t **paths, ci_error *err) {
  const char *prefix = model->base_alone ? model->architecture->prefix : "";
  json_t *seen = json_object();
  *paths = json_array();
  ci_status status = seen && *paths ? CI_OK : ci_fail_memory(err);
  for (size_t i = 0; i < ci_tensors_count(model->tensors) && !status; i++) {
    const char *tensor = ci_tensors_at(model->tensors, i)->name;
    if (!model->used[i] || !ci_utf8_valid(tensor, strlen(tensor))) continue;
    ci_text name = {0};
    ci_text_add_format(&name, "%s%s", prefix, tensor);
    status = name.failed ? ci_fail_memory(err) : add_modules(seen, *paths, name.data, err);
    ci_text_free(&name);
  }
  json_decref(seen);
  if (!status) return CI_OK;
  json_decref(*paths);
  *paths = NULL;
  return status;
}
