/* See loading.h. */
#include "models/loading.h"
#include "base/file.h"
#include "base/memory.h"
#include "kernels/int8.h"
#include "kernels/weight_types.h"
#include "models/builder.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *dtype_text(const json_t *object) {
  const json_t *value = json_object_get(object, "dtype");
  if (!value || json_is_null(value)) value = json_object_get(object, "torch_dtype");
  return json_is_string(value) ? json_string_value(value) : NULL;
}

/* torch's names of the types that weights may be loaded in. */
static ci_status read_type(const json_t *config, const json_t *kwargs, ci_loading *l, ci_error *err) {
  static const struct {
    const char *name;
    ci_dtype type;
  } known[] = {{"float32", CI_F32}, {"float", CI_F32}, {"float16", CI_F16}, {"half", CI_F16}, {"bfloat16", CI_BF16}};
  static const char *const keys[] = {"dtype", "torch_dtype"};
  for (size_t i = 0; i < 2; i++) {
    const char *text;
    ci_status status = ci_json_get_text(kwargs, "model_kwargs", keys[i], NULL, &text, err);
    if (status) return status;
  }
  const char *name = dtype_text(kwargs);
  l->type = l->int8 ? CI_F16 : CI_F32; /* bitsandbytes wants the rest of a model in half precision */
  if (!name) return CI_OK;
  bool automatic = strcmp(name, "auto") == 0;
  if (automatic) {
    l->type = CI_F32;
    name = dtype_text(config);
  }
  for (size_t i = 0; name && i < sizeof known / sizeof *known; i++)
    if (strcmp(known[i].name, name) == 0) {
      l->type = known[i].type;
      return CI_OK;
    }
  if (automatic) return CI_OK; /* as the file has them */
  return ci_fail(err, CI_EINVAL, "model_kwargs", "\"dtype\" is \"%s\", expected auto, float32, float16 or bfloat16",
                 name);
}

/* An object with BitsAndBytesConfig's keys among its own. */
static ci_status read_bitsandbytes(const json_t *object, const char *where, ci_loading *l, ci_error *err) {
  bool four = false, eight = false, own_halves = false;
  double threshold = 6;
  ci_status status = ci_json_get_bool(object, where, "load_in_4bit", false, &four, err);
  if (!status) status = ci_json_get_bool(object, where, "load_in_8bit", false, &eight, err);
  if (!status && four)
    return ci_fail(err, CI_EINVAL, where,
                   "\"load_in_4bit\" is not supported: use \"load_in_8bit\", or a .gguf file in 4 bits");
  if (status || !eight) return status;
  status = ci_json_get_real(object, where, "llm_int8_threshold", 6, &threshold, err);
  if (!status) status = ci_json_get_bool(object, where, "llm_int8_has_fp16_weight", false, &own_halves, err);
  if (!status && own_halves)
    status = ci_fail(err, CI_EINVAL, where, "\"llm_int8_has_fp16_weight\": true is for training, expected false");
  if (!status && !(threshold >= 0))
    status = ci_fail(err, CI_EINVAL, where, "\"llm_int8_threshold\" is %g, expected 0 or more", threshold);
  const json_t *left_out = json_object_get(object, "llm_int8_skip_modules"), *name;
  bool listed = left_out && !json_is_null(left_out), names = json_is_array(left_out);
  size_t i;
  json_array_foreach(left_out, i, name) names = names && json_is_string(name);
  if (!status && listed && !names)
    status = ci_fail(err, CI_EINVAL, where, "\"llm_int8_skip_modules\": expected a list of names of modules");
  l->int8 = true;
  l->threshold = threshold > 0 ? (float)threshold : NAN;
  l->left_out = listed ? left_out : NULL;
  return status;
}

static ci_status read_quantization(const json_t *object, const char *where, ci_loading *l, ci_error *err) {
  const json_t *given = json_object_get(object, "quantization_config");
  const char *method = NULL;
  if (!given || json_is_null(given)) return CI_OK;
  if (!json_is_object(given)) return ci_fail(err, CI_EINVAL, where, "\"quantization_config\": expected an object");
  ci_status status = ci_json_get_text(given, where, "quant_method", NULL, &method, err);
  if (!status && method && strcmp(method, "bitsandbytes") != 0)
    status =
        ci_fail(err, CI_EINVAL, where,
                "\"quantization_config\": \"quant_method\" \"%s\" is not supported, expected bitsandbytes", method);
  return status ? status : read_bitsandbytes(given, where, l, err);
}

ci_status ci_loading_read(const json_t *config, const char *path, const json_t *kwargs, ci_loading *l, ci_error *err) {
  *l = (ci_loading){.threshold = 6, .type = CI_F32};
  const json_t *own = json_object_get(kwargs, "quantization_config");
  ci_status status = own ? CI_OK : read_quantization(config, path, l, err);
  if (status && err) err->code = CI_EMODEL;
  if (status) return CI_EMODEL;
  status = read_quantization(kwargs, "model_kwargs", l, err);
  if (!status) status = read_bitsandbytes(kwargs, "model_kwargs", l, err);
  return status ? status : read_type(config, kwargs, l, err);
}

/* Whether transformers' rule finds the module in a list: by its last name, its whole name, or a name that it lies
 * under. */
static bool is_among(const char *key, const char *module) {
  size_t length = strlen(key);
  const char *leaf = strrchr(module, '.');
  if (strcmp(key, module) == 0 || (leaf && strcmp(key, leaf + 1) == 0)) return true;
  for (const char *at = module; length && (at = strstr(at, key)) != NULL; at++)
    if (at[length] == '.') return true;
  return false;
}

/* Names in a list may have the base model's prefix or not, as the file's. */
static bool is_named(const ci_builder *b, const char *key, const char *module) {
  const char *prefix = b->model->architecture->prefix;
  char other[320];
  snprintf(other, sizeof other, "%s%s", prefix, module);
  return is_among(key, module) || is_among(key, ci_starts_with(module, prefix) ? module + strlen(prefix) : other);
}

/* Modules that transformers keeps in float32 whatever is asked for. */
static bool stays_float32(const ci_builder *b, const char *module) {
  const char *const *kept = b->model->architecture->float32;
  for (int i = 0; kept && kept[i]; i++)
    if (is_named(b, kept[i], module)) return true;
  return false;
}

static bool is_left_out(const ci_builder *b, const char *module) {
  size_t i;
  const json_t *name;
  const json_t *listed = b->model->loading.left_out;
  if (!listed && b->last_module && ci_ends_with(module, b->last_module)) return true;
  json_array_foreach(listed, i, name) if (is_named(b, json_string_value(name), module)) return true;
  return stays_float32(b, module);
}

/* "decoder.0.mlp.wi" of "decoder.0.mlp.wi.weight" */
static void module_of(const ci_tensor *t, char *room, size_t size) {
  const char *dot = strrchr(t->name, '.');
  snprintf(room, size, "%.*s", dot ? (int)(dot - t->name) : (int)strlen(t->name), t->name);
}

static bool narrows(const ci_builder *b, const ci_tensor *t) {
  char module[320];
  const ci_loading *l = &b->model->loading;
  module_of(t, module, sizeof module);
  return l->type != CI_F32 && t->type != l->type && !stays_float32(b, module);
}

bool ci_loads_vector(const ci_builder *b, const ci_tensor *t) {
  return narrows(b, t);
}

static void narrow(const ci_builder *b, const float *x, uint16_t *y, size_t n) {
  const ci_kernels *k = ci_kernels_best();
  (b->model->loading.type == CI_F16 ? k->narrow_f16 : k->narrow_bf16)(x, y, n);
}

void ci_load_vector(const ci_builder *b, const ci_tensor *t, float *x, size_t n) {
  enum { STRETCH = 1024 };
  uint16_t halves[STRETCH];
  if (!narrows(b, t)) return;
  for (size_t i = 0; i < n; i += STRETCH) {
    size_t count = n - i < STRETCH ? n - i : STRETCH;
    narrow(b, x + i, halves, count);
    (b->model->loading.type == CI_F16 ? ci_kernels_best()->widen_f16 : ci_kernels_best()->widen_bf16)(halves, x + i,
                                                                                                      count);
  }
}

typedef struct {
  const ci_builder *b;
  const ci_weight *source;
  float *room; /* [threads, source->b] */
  uint16_t *out;
} narrowing;

static void narrow_row(void *context, size_t row, int thread) {
  const narrowing *n = context;
  const ci_weight *w = n->source;
  const float *x = (const float *)w->data + row * w->ld;
  if (!w->type->in_place) {
    float *wide = n->room + (size_t)thread * w->b;
    w->type->panel(ci_kernels_best(), w, row, 1, 0, w->b, wide);
    x = wide;
  }
  narrow(n->b, x, n->out + row * w->b, w->b);
}

static void open_pool(ci_builder *b) {
  enum { WORTH_THREADS = 16 * 1024 * 1024 }; /* bytes of a checkpoint */
  int wanted = ci_tensors_bytes(b->model->tensors) < WORTH_THREADS ? 1 : 0;
  if (!b->status && !b->pool) b->status = ci_pool_create(wanted, &b->pool, b->err);
}

/* `floats` for each thread of the builder's pool; the caller frees it. NULL: the builder has failed. */
static float *open_room(ci_builder *b, size_t floats) {
  open_pool(b);
  size_t threads = b->status ? 1 : (size_t)ci_pool_threads(b->pool);
  float *room = !b->status && floats < SIZE_MAX / threads ? ci_alloc(threads * floats, sizeof *room) : NULL;
  if (!room && !b->status) b->status = ci_fail_memory(b->err);
  return room;
}

static void *large(ci_builder *b, size_t count, size_t size) {
  void *memory = b->status ? NULL : ci_arena_alloc_large(b->model->arena, count, size);
  if (!memory && !b->status) b->status = ci_fail_memory(b->err);
  return memory;
}

/* The tensor's pages, which are read once: a model that is converted need not fit into memory twice. */
static bool is_mapped(const ci_builder *b, const ci_tensor *t) {
  return ci_tensors_file_at(b->model->tensors, t->data) != NULL;
}
static size_t bytes_of(const ci_tensor *t) {
  return t->count / ci_dtype_block(t->type) * ci_dtype_size(t->type);
}

static void narrow_weight(ci_builder *b, const ci_weight *w, ci_weight *made) {
  narrowing n = {.b = b, .source = w, .out = large(b, w->a * w->b, sizeof *n.out)};
  n.room = open_room(b, w->b);
  if (!b->status) ci_pool_run(b->pool, w->a, narrow_row, &n);
  ci_free(n.room);
  *made = *w;
  made->type = ci_weight_type_named(ci_dtype_name(b->model->loading.type));
  made->data = n.out;
}

static ci_weight codes_of(const ci_builder *b, size_t outputs, size_t inputs, const void *codes, const float *scale) {
  return (ci_weight){.type = ci_weight_type_named("LLM.int8()"),
                     .data = codes,
                     .a = outputs,
                     .b = inputs,
                     .ld = inputs,
                     .scale = scale,
                     .threshold = b->model->loading.threshold};
}

static void note_module(ci_builder *b, const ci_tensor *t, const ci_weight *w) {
  ci_loading *l = &b->model->loading;
  if (b->status) return;
  if (ci_reserve((void **)&l->modules, &l->module_capacity, l->module_count + 1, sizeof *l->modules))
    b->status = ci_fail_memory(b->err);
  else
    l->modules[l->module_count++] = (ci_module){t->name, *w};
}

static void too_long(ci_builder *b, const ci_tensor *t, size_t inputs) {
  if (inputs > CI_INT8_LONGEST)
    ci_build_fail(b, t->file, "tensor \"%s\" has rows of %zu numbers, in 8 bits they may have %d", t->name, inputs,
                  CI_INT8_LONGEST);
}

static void quantize_weight(ci_builder *b, const ci_tensor *t, const ci_weight *w, ci_weight *made) {
  size_t outputs = ci_weight_outputs(w), inputs = ci_weight_inputs(w);
  too_long(b, t, inputs);
  int8_t *codes = large(b, outputs * inputs, 1);
  float *scale = large(b, outputs, sizeof *scale);
  open_pool(b);
  if (!b->status && !ci_int8_quantize(b->pool, ci_kernels_best(), w, codes, scale)) b->status = ci_fail_memory(b->err);
  for (size_t i = 0; i < outputs && !b->status; i++)
    if (!isfinite(scale[i]))
      ci_build_fail(
          b, t->file,
          "tensor \"%s\" has a number for output %zu that half precision does not have, and 8 bits are made of it",
          t->name, i);
  *made = codes_of(b, outputs, inputs, codes, scale);
  note_module(b, t, made);
}

ci_weight ci_load_weight(ci_builder *b, const ci_tensor *t, const ci_weight *w, const char *module) {
  bool quantizes = module && b->model->loading.int8 && !is_left_out(b, module);
  if (b->status || (!quantizes && !narrows(b, t))) return *w;
  ci_weight *made = &b->made[t - ci_tensors_at(b->model->tensors, 0)];
  if (!made->type) {
    if (is_mapped(b, t) && !ci_mapping_expect(t->data, bytes_of(t)))
      ci_build_fail(b, t->file, "became shorter while tensor \"%s\" was read", t->name);
    if (quantizes)
      quantize_weight(b, t, w, made);
    else
      narrow_weight(b, w, made);
    ci_note_origin(b, made->data, w->a * w->b * (quantizes ? sizeof(int8_t) : sizeof(uint16_t)), t->data);
    if (is_mapped(b, t)) ci_mapping_forget(t->data, bytes_of(t));
  }
  if (made->scale) return *made;
  ci_weight narrowed = *w;
  narrowed.type = made->type;
  narrowed.data = made->data;
  narrowed.ld = w->b;
  return narrowed;
}

/* NAME.SCB and, in files of bitsandbytes since 0.37, NAME.weight_format, 0 for rows in order. */
ci_weight ci_load_codes(ci_builder *b, const ci_tensor *t, size_t outputs, size_t inputs) {
  char module[320], name[336];
  if (b->status) return (ci_weight){0};
  ci_weight *made = &b->made[t - ci_tensors_at(b->model->tensors, 0)];
  if (made->type) return *made;
  module_of(t, module, sizeof module);
  snprintf(name, sizeof name, "%s.SCB", module);
  const ci_tensor *scale = ci_tensors_find(b->model->tensors, name);
  if (!scale) {
    ci_build_fail(b, t->file, "tensor \"%s\" is in 8 bits, and \"%s\" with its scales is missing", t->name, name);
    return *made;
  }
  if (scale->type != CI_F32 || scale->rank != 1 || scale->count != outputs)
    ci_build_fail(b, scale->file, "tensor \"%s\" is no list of F32 scales for the %zu outputs of \"%s\"", name, outputs,
                  t->name);
  too_long(b, t, inputs);
  snprintf(name, sizeof name, "%s.weight_format", module);
  const ci_tensor *format = ci_tensors_find(b->model->tensors, name);
  if (format && (format->type != CI_U8 || format->count != 1 || *(const uint8_t *)format->data != 0))
    ci_build_fail(b, format->file, "tensor \"%s\" names an order of the codes that is not supported, expected 0 (rows)",
                  name);
  ci_mark_used(b, scale);
  if (format) ci_mark_used(b, format);
  *made = codes_of(b, outputs, inputs, t->data, scale->data);
  note_module(b, t, made);
  return *made;
}
