/* What a model is, for people and scripts. */
#include "api/session.h"
#include "api/c_locale.h"
#include "models/modules.h"
#include <math.h>
#include <string.h>

/* How many weights lie in each type: {"F16": 2985984}. NULL: memory is out. */
static json_t *count_types(const ci_tensors *tensors) {
  json_t *types = json_object();
  for (size_t i = 0; i < ci_tensors_count(tensors) && types; i++) {
    const ci_tensor *t = ci_tensors_at(tensors, i);
    const char *name = ci_dtype_name(t->type);
    json_int_t before = json_integer_value(json_object_get(types, name));
    if (json_object_set_new(types, name, json_integer(before + (json_int_t)t->count))) {
      json_decref(types);
      types = NULL;
    }
  }
  return types;
}

/* How weights are held when that is not as the file has them. Whether memory lasted. */
static bool add_loading(json_t *info, const ci_loading *l) {
  if (l->type != CI_F32 && json_object_set_new(info, "dtype", json_string(ci_dtype_name(l->type)))) return false;
  if (!l->module_count) return true;
  size_t weights = 0;
  for (size_t i = 0; i < l->module_count; i++) weights += l->modules[i].weight.a * l->modules[i].weight.b;
  json_t *threshold = isnan(l->threshold) ? json_integer(0) : json_real((double)l->threshold);
  return !json_object_set_new(info, "quantization",
                              json_pack("{s:s, s:I, s:I, s:o}", "method", l->modules->weight.type->id, "modules",
                                        (json_int_t)l->module_count, "weights", (json_int_t)weights,
                                        "outlier_threshold", threshold));
}

/* Whole numbers of a side that the model has; nothing for one that it has not. Whether memory lasted. */
static bool add_side(json_t *info, const ci_graph *graph, ci_space_id space, const char *name) {
  if (graph->input_node[space] < 0) return true;
  return !json_object_set_new(
      info, name,
      json_pack("{s:i, s:I, s:I, s:I, s:s}", "layers", graph->layers[space], "heads", (json_int_t)graph->heads[space],
                "width", (json_int_t)graph->nodes[graph->input_node[space]].width, "positions",
                (json_int_t)graph->positions[space], "attribution_input", graph->nodes[graph->input_node[space]].name));
}

char *cinseq_model_info(const cinseq_model *handle) {
  const ci_model *m = handle->model;
  const ci_tokenizer_facts *t = ci_tokenizer_get_facts(m->tokenizer);
  json_t *info = json_pack("{s:s, s:s, s:s, s:I, s:I}", "path", m->path, "architecture", m->architecture->id, "class",
                           m->architecture->class_name, "parameters", (json_int_t)ci_model_parameters(m), "vocabulary",
                           (json_int_t)m->vocabulary);
  if (!info) return NULL;
  bool failed = !add_side(info, &m->graph, CI_ENCODER, "encoder") || !add_side(info, &m->graph, CI_DECODER, "decoder");
  failed = failed ||
           json_object_set_new(info, "checkpoint",
                               json_pack("{s:s, s:I, s:I, s:o}", "format", ci_tensors_format(m->tensors), "tensors",
                                         (json_int_t)ci_tensors_count(m->tensors), "bytes",
                                         (json_int_t)ci_tensors_bytes(m->tensors), "types", count_types(m->tensors)));
  failed = failed || !add_loading(info, &m->loading);
  failed = failed || json_object_set_new(info, "special_ids",
                                         json_pack("{s:I, s:I, s:I, s:I, s:I}", "bos", (json_int_t)m->bos, "eos",
                                                   (json_int_t)m->eos, "pad", (json_int_t)m->pad, "unk",
                                                   (json_int_t)m->unk, "decoder_start", (json_int_t)m->decoder_start));
  failed = failed || json_object_set_new(info, "tokenizer",
                                         json_pack("{s:s, s:s, s:I, s:i, s:i, s:i, s:i}", "class", t->class_name,
                                                   "kind", t->kind, "vocabulary", (json_int_t)t->vocabulary, "bos",
                                                   t->bos, "eos", t->eos, "pad", t->pad, "unk", t->unk));
  char *text = failed ? NULL : ci_json_text(info, JSON_INDENT(1));
  json_decref(info);
  return text;
}

/* As text; the reference is taken. NULL: memory is out. */
static char *taken(json_t *value) {
  char *text = value ? ci_json_text(value, JSON_COMPACT) : NULL;
  json_decref(value);
  return text;
}

char *cinseq_model_modules(const cinseq_model *handle) {
  json_t *paths;
  locale_t before = ci_locale_enter();
  char *text = ci_model_modules(handle->model, &paths, NULL) ? NULL : taken(paths);
  ci_locale_leave(before);
  return text;
}

char *cinseq_model_files(const cinseq_model *handle) {
  const ci_model *m = handle->model;
  locale_t before = ci_locale_enter();
  json_t *files = json_object();
  bool failed = !files || json_object_set_new(files, "config.json", json_deep_copy(m->config)) ||
                (m->generation_config &&
                 json_object_set_new(files, "generation_config.json", json_deep_copy(m->generation_config)));
  if (failed) json_decref(files);
  char *text = failed ? NULL : taken(files);
  ci_locale_leave(before);
  return text;
}
