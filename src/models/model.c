/* Opening a model folder: configuration, architecture, weights, tokenizer, special tokens. See model.h. */
#include "models/model.h"
#include "base/file.h"
#include "formats/gguf.h"
#include "models/dropout.h"
#include <stdio.h>
#include <string.h>

#define CI_ARCHITECTURE(member) extern const ci_architecture ci_architecture_##member;
#include "models/models.def"
#undef CI_ARCHITECTURE

static const ci_architecture *const rows[] = {
#define CI_ARCHITECTURE(member) &ci_architecture_##member,
#include "models/models.def"
#undef CI_ARCHITECTURE
};

enum { ROWS = sizeof rows / sizeof *rows };

const ci_architecture *ci_architecture_at(size_t index) { return index < ROWS ? rows[index] : NULL; }

static ci_status find_architecture(ci_model *model, const char *path, ci_error *err) {
  const char *type;
  if (ci_json_get_text(model->config, path, "model_type", NULL, &type, err)) {
    if (err) err->code = CI_EMODEL;
    return CI_EMODEL;
  }
  ci_text known = {0};
  for (size_t i = 0; i < ROWS; i++) {
    if (type && strcmp(rows[i]->id, type) == 0) model->architecture = rows[i];
    ci_text_add_format(&known, i ? ", %s" : "%s", rows[i]->id);
  }
  if (!model->architecture && !type) ci_fail(err, CI_EMODEL, path, "\"model_type\" is missing");
  else if (!model->architecture)
    ci_fail(err, CI_EMODEL, path, "architecture \"%s\" is not supported, expected one of %s", type, known.data ? known.data : "");
  ci_text_free(&known);
  return model->architecture ? CI_OK : CI_EMODEL;
}

/* config.json as it is. */
static ci_status find_config(ci_model *model, const ci_model_source *source, const char *path, ci_error *err) {
  if (source->config) {
    model->config = json_deep_copy(source->config); /* the caller's may change */
    return model->config ? CI_OK : ci_fail_memory(err);
  }
  if (ci_gguf_named(model->path)) return ci_gguf_config(model->path, &model->config, err);
  if (ci_file_exists(path)) return ci_json_read_file(path, &model->config, err);
  if (ci_folder_exists(model->path))
    return ci_fail(err, CI_EFILE, model->path, "is no model folder: it holds no config.json (a .gguf file is given by its own name)");
  return ci_fail(err, CI_EINVAL, model->path, "is no model folder and no installed model");
}

static ci_status find_generation_config(ci_model *model, const ci_model_source *source, const char *path, ci_error *err) {
  if (!source->config) return ci_json_read_file_if_there(path, &model->generation_config, err);
  model->generation_config = json_deep_copy(source->generation_config);
  return model->generation_config || !source->generation_config ? CI_OK : ci_fail_memory(err);
}

/* config.json, with the architecture's defaults beneath and model_kwargs on top. */
static ci_status read_config(ci_model *model, const ci_model_source *source, ci_error *err) {
  const json_t *kwargs = source->model_kwargs;
  char *path = ci_join_path(model->path, "config.json"), *generation = ci_join_path(model->path, "generation_config.json");
  ci_status status = path && generation ? CI_OK : ci_fail_memory(err);
  if (!status) status = find_config(model, source, path, err);
  if (!status && !json_is_object(model->config)) status = ci_fail(err, CI_EFILE, path, "is not a JSON object");
  if (!status) status = ci_loading_read(model->config, path, kwargs, &model->loading, err);
  if (!status && kwargs && json_object_update(model->config, (json_t *)kwargs)) status = ci_fail_memory(err);
  if (!status) status = find_architecture(model, path, err);
  if (!status && model->architecture->defaults) {
    json_t *defaults;
    status = ci_json_parse(model->architecture->id, model->architecture->defaults, strlen(model->architecture->defaults), &defaults, err);
    if (!status && json_object_update_missing(model->config, defaults)) status = ci_fail_memory(err);
    if (!status) json_decref(defaults);
  }
  if (!status) status = find_generation_config(model, source, generation, err);
  ci_free(path);
  ci_free(generation);
  return status;
}

/* pattern: an ending, or a beginning with a star behind it. */
static bool matches(const char *name, const char *pattern) {
  size_t length = strlen(pattern);
  return pattern[length - 1] == '*' ? strncmp(name, pattern, length - 1) == 0 : ci_ends_with(name, pattern);
}

static bool is_ignored(const ci_architecture *architecture, const char *name) {
  static const char *const always[] = {"position_ids", "inv_freq", NULL};
  for (int i = 0; always[i]; i++)
    if (matches(name, always[i])) return true;
  for (int i = 0; architecture->ignored && architecture->ignored[i]; i++)
    if (matches(name, architecture->ignored[i])) return true;
  return false;
}

/* Left-over tensors are no error (transformers warns too), but the user should know. */
static void warn_unused(const ci_model *model, const unsigned char *used, ci_warn *warn, void *context) {
  size_t count = 0;
  const char *first = NULL;
  for (size_t i = 0; i < ci_tensors_count(model->tensors); i++) {
    const ci_tensor *t = ci_tensors_at(model->tensors, i);
    if (used[i] || t->tied || is_ignored(model->architecture, t->name)) continue;
    if (!count++) first = t->name;
  }
  char message[512];
  if (!count || !warn) return;
  snprintf(message, sizeof message, "%s: %zu tensors are not used by architecture %s, the first is \"%s\"", model->path, count,
           model->architecture->id, first);
  warn(context, message);
}

static ci_status build_graph(ci_model *model, ci_warn *warn, void *context, ci_error *err) {
  ci_graph *graph = &model->graph;
  for (int s = 0; s < CI_SPACES; s++) graph->ids_node[s] = graph->input_node[s] = -1;
  ci_builder b = {.model = model, .err = err, .used = ci_alloc_zeroed(ci_tensors_count(model->tensors), 1)};
  b.made = ci_alloc_zeroed(ci_tensors_count(model->tensors), sizeof *b.made);
  if (!b.used || !b.made) b.status = ci_fail_memory(err);
  ci_config_only(&b, "pruned_heads", json_object()); /* every class of transformers takes these heads away */
  if (!b.status) model->architecture->build(&b);
  ci_look_at_training(&b);
  if (!b.status) {
    ci_graph_finish(graph);
    model->vocabulary = graph->nodes[graph->logits].width;
    warn_unused(model, b.used, warn, context);
  }
  model->used = b.used;
  ci_free(b.made);
  ci_pool_close(b.pool);
  return b.status;
}

/* An id, or the first of a list of ids; -1 when absent. */
static int64_t config_id(const json_t *config, const char *key) {
  const json_t *value = json_object_get(config, key);
  if (json_is_array(value)) value = json_array_get(value, 0);
  int64_t id = -1;
  return value && ci_json_as_int(value, &id) ? id : -1;
}

/* Ids that an int32 cannot hold would become others. */
static ci_status check_ids(const ci_model *model, ci_error *err) {
  static const char *const keys[] = {"eos_token_id", "pad_token_id", "bos_token_id", "decoder_start_token_id"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    int64_t id = config_id(model->config, keys[i]);
    if (id > INT32_MAX)
      return ci_fail(err, CI_EMODEL, "config.json", "\"%s\" is %lld, which is no token id", keys[i], (long long)id);
  }
  return CI_OK;
}

/* Which ids mean what, in Inseq's order of precedence (spec 1.1). */
static ci_status resolve_specials(ci_model *model, ci_error *err) {
  const ci_tokenizer_facts *facts = ci_tokenizer_get_facts(model->tokenizer);
  ci_status status = check_ids(model, err);
  if (status) return status;
  model->eos = config_id(model->config, "eos_token_id");
  model->pad = config_id(model->config, "pad_token_id");
  if (model->pad < 0) model->pad = facts->pad;
  if (model->pad < 0) model->pad = model->eos;
  model->decoder_start = model->graph.encoder_decoder ? config_id(model->config, "decoder_start_token_id") : -1;
  model->bos = config_id(model->config, "bos_token_id");
  if (model->eos < 0) model->eos = facts->pad;
  model->unk = facts->unk >= 0 ? facts->unk : model->pad;
  if (model->graph.encoder_decoder && model->decoder_start < 0) model->decoder_start = model->bos;
  if (model->graph.encoder_decoder && model->decoder_start < 0)
    return ci_fail(err, CI_EMODEL, model->path, "config.json has neither decoder_start_token_id nor bos_token_id");
  return CI_OK;
}

/* tgt_lang of tokenizer_kwargs: its token is the code itself (mBART, NLLB) or has underscores around it (M2M100, SeamlessM4T). */
static ci_status resolve_language(ci_model *model, const json_t *tokenizer_kwargs, ci_error *err) {
  const char *code = NULL;
  model->target_language = -1;
  if (!model->graph.encoder_decoder) return CI_OK;
  ci_status status = ci_json_get_text(tokenizer_kwargs, "tokenizer_kwargs", "tgt_lang", NULL, &code, err);
  if (status || !code) return status;
  char name[64];
  snprintf(name, sizeof name, "__%.50s__", code);
  model->target_language = ci_tokenizer_id(model->tokenizer, name); /* first: "fr" alone may be a piece of a word */
  if (model->target_language < 0) model->target_language = ci_tokenizer_id(model->tokenizer, code);
  if (model->target_language >= 0) return CI_OK;
  return ci_fail(err, CI_EINVAL, "tokenizer_kwargs", "\"tgt_lang\" is \"%s\": the tokenizer has no token \"%s\" or \"%s\"", code, code, name);
}

/* What a language model cannot lack, in one place for all: the tokenizer must not give ids that the model has no row for. */
static ci_status check_fit(const ci_model *model, ci_warn *warn, void *context) {
  size_t ids = ci_tokenizer_get_facts(model->tokenizer)->vocabulary;
  if (ids > model->vocabulary && warn) {
    char message[256];
    snprintf(message, sizeof message, "the tokenizer has %zu ids, the model only %zu: texts that need others are refused", ids,
             model->vocabulary);
    warn(context, message);
  }
  return CI_OK;
}

/* The file of a folder that holds a .gguf file, which stands for the folder from here on; else the folder. ci_free. */
static ci_status locate(const char *folder, char **path, ci_error *err) {
  ci_status status = ci_gguf_locate(folder, path, err);
  if (!status && !*path && !(*path = ci_duplicate(folder))) status = ci_fail_memory(err);
  return status;
}

/* The model's own tokenizer, or that of another folder, of which the configuration is then asked. */
static ci_status open_tokenizer(ci_model *model, const ci_model_source *source, ci_error *err) {
  const json_t *kwargs = source->tokenizer_kwargs;
  if (!source->tokenizer) return ci_tokenizer_open(model->path, model->config, kwargs, &model->tokenizer, err);
  char *folder, *path = NULL;
  json_t *config = NULL;
  ci_status status = locate(source->tokenizer, &folder, err);
  if (status) return status;
  if (!ci_gguf_named(folder)) {
    path = ci_join_path(folder, "config.json");
    status = path ? ci_json_read_file_if_there(path, &config, err) : ci_fail_memory(err);
  }
  if (!status) status = ci_tokenizer_open(folder, config ? config : model->config, kwargs, &model->tokenizer, err);
  json_decref(config);
  ci_free(path);
  ci_free(folder);
  return status;
}

ci_status ci_model_open_from(const ci_model_source *source, ci_warn *warn, void *context, ci_model **out, ci_error *err) {
  ci_model *model = ci_alloc_zeroed(1, sizeof *model);
  if (!model) return ci_fail_memory(err);
  ci_checkpoint checkpoint = source->checkpoint;
  model->arena = ci_arena_create();
  ci_status status = CI_OK;
  if (!checkpoint.given) status = locate(checkpoint.folder, &model->path, err);
  else model->path = ci_duplicate(checkpoint.folder);
  if (!status && (!model->arena || !model->path)) status = ci_fail_memory(err);
  checkpoint.folder = model->path;
  if (!status) status = read_config(model, source, err);
  if (!status) status = ci_tensors_open_from(&checkpoint, &model->tensors, err);
  if (!status) status = build_graph(model, warn, context, err);
  if (!status) status = open_tokenizer(model, source, err);
  if (!status) status = resolve_specials(model, err);
  if (!status) status = resolve_language(model, source->tokenizer_kwargs, err);
  if (!status) status = check_fit(model, warn, context);
  if (status) ci_model_close(model);
  else *out = model;
  return status;
}

ci_status ci_model_open(const char *folder, const json_t *model_kwargs, const json_t *tokenizer_kwargs, ci_warn *warn,
                        void *context, ci_model **out, ci_error *err) {
  const ci_model_source source = {.checkpoint.folder = folder, .model_kwargs = model_kwargs, .tokenizer_kwargs = tokenizer_kwargs};
  return ci_model_open_from(&source, warn, context, out, err);
}

ci_status ci_model_set_name(ci_model *model, const char *name, ci_error *err) {
  model->name = ci_duplicate(name);
  return model->name ? CI_OK : ci_fail_memory(err);
}

ci_status ci_model_set_tokenizer_name(ci_model *model, const char *name, ci_error *err) {
  model->tokenizer_name = ci_duplicate(name);
  return model->tokenizer_name ? CI_OK : ci_fail_memory(err);
}

void ci_model_close(ci_model *model) {
  if (!model) return;
  ci_tokenizer_close(model->tokenizer);
  ci_tensors_close(model->tensors);
  json_decref(model->config);
  json_decref(model->generation_config);
  ci_free(model->graph.nodes);
  ci_free(model->loading.modules);
  ci_free(model->origins);
  ci_free(model->used);
  ci_arena_close(model->arena);
  ci_free(model->path);
  ci_free(model->name);
  ci_free(model->tokenizer_name);
  ci_free(model);
}

size_t ci_model_parameters(const ci_model *model) {
  size_t count = 0;
  for (size_t i = 0; i < ci_tensors_count(model->tensors); i++) {
    const ci_tensor *t = ci_tensors_at(model->tensors, i);
    if (!t->tied && !is_ignored(model->architecture, t->name)) count += t->count;
  }
  return count;
}
