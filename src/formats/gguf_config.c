/* config.json of a GGUF file, from its metadata. See gguf_names.h. */
#include "formats/gguf_names.h"
#include "base/memory.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

static const ci_tensor *tensor(const ci_gguf *g, const char *name) {
  for (size_t i = 0; i < g->tensors_count; i++)
    if (strcmp(g->tensors[i].name, name) == 0) return &g->tensors[i].tensor;
  return NULL;
}

static ci_status set(json_t *config, const char *key, json_t *value, ci_error *err) {
  return json_object_set_new(config, key, value) ? ci_fail_memory(err) : CI_OK;
}

/* Values of the layers, where they are all alike, are one value. */
static json_t *one_for_all(json_t *value) {
  size_t n = json_array_size(value);
  for (size_t i = 1; i < n; i++)
    if (!json_equal(json_array_get(value, 0), json_array_get(value, i))) return value;
  if (!n) return value;
  json_t *first = json_incref(json_array_get(value, 0));
  json_decref(value);
  return first;
}

static ci_status set_keys(const ci_gguf *g, const ci_gguf_architecture *row, json_t *config, ci_error *err) {
  ci_status status = CI_OK;
  for (const ci_gguf_key *k = row->keys; k->gguf && !status; k++) {
    const ci_gguf_value *value = ci_gguf_own(g, row, k->gguf);
    if (!value) continue;
    if (value->array && value->count > 1 << 16)
      return ci_fail(err, CI_EFILE, g->file, "key \"%s\" has %llu values, expected one, or one a layer", value->key,
                     (unsigned long long)value->count);
    json_t *json = ci_gguf_json(value);
    if (!json)
      return ci_fail(err, CI_EFILE, g->file, "key \"%s\" cannot be read, expected numbers or UTF-8", value->key);
    status = set(config, k->key, one_for_all(json), err);
  }
  return status;
}

/* The tensors say how many tokens there are; an output of its own means that the embedding is not it. */
static ci_status set_shapes(const ci_gguf *g, const ci_gguf_architecture *row, json_t *config, ci_error *err) {
  const ci_tensor *embedding = tensor(g, "token_embd.weight");
  ci_status status = set(config, "tie_word_embeddings", json_boolean(!tensor(g, "output.weight")), err);
  if (!status && embedding && embedding->rank == 2)
    status = set(config, "vocab_size", json_integer((json_int_t)embedding->shape[0]), err);
  if (!status && tensor(g, "blk.0.attn_q.bias")) status = set(config, "attention_bias", json_true(), err);
  if (!status && tensor(g, "blk.0.ffn_down.bias")) status = set(config, "mlp_bias", json_true(), err);
  size_t rotated = 0, width = 0, heads = 0, layers = 0;
  if (!status) status = ci_gguf_own_count(g, row, "rope.dimension_count", &rotated, err);
  if (!status) status = ci_gguf_own_count(g, row, "embedding_length", &width, err);
  if (!status) status = ci_gguf_own_count(g, row, "attention.head_count", &heads, err);
  if (!status) status = ci_gguf_own_count(g, row, "block_count", &layers, err);
  if (!status && row->by_width && layers == row->by_width && heads)
    status = set(config, "query_pre_attn_scalar", json_integer((json_int_t)(width / heads)), err);
  const json_t *window = json_object_get(config, "sliding_window");
  if (!status && json_is_integer(window) && json_integer_value(window) == 0) /* Phi 3 without one */
    status = set(config, "sliding_window", json_null(), err);
  if (!status && rotated && heads && width / heads && width / heads != rotated &&
      !ci_gguf_own(g, row, "attention.key_length")) {
    double part = (double)rotated / (double)(width / heads);
    status = set(config, "rotary_pct", json_real(part), err);
    if (!status) status = set(config, "partial_rotary_factor", json_real(part), err);
  }
  return status;
}

static json_t *factors(const ci_tensor *t) {
  float value;
  json_t *list = json_array();
  for (size_t i = 0; list && i < t->count; i++) {
    ci_tensor_widen(t, i, 1, &value);
    if (json_array_append_new(list, json_real((double)value))) return json_decref(list), NULL;
  }
  return list;
}

/* A factor for each frequency: rope_freqs of Llama 3 (the converter's form of its scaling), rope_factors_* of Phi 3.
 * Both are "longrope", the first with one set of factors for all lengths and nothing for the cosines. */
static ci_status set_factors(const ci_gguf *g, const ci_gguf_architecture *row, json_t *config, ci_error *err) {
  enum { MOST = 4096 };
  const ci_tensor *both = tensor(g, "rope_freqs.weight");
  const ci_tensor *brief = both ? both : tensor(g, "rope_factors_short.weight"),
                  *lengthy = both ? both : tensor(g, "rope_factors_long.weight");
  if (!brief || !lengthy || brief->count > MOST || lengthy->count > MOST) return CI_OK;
  json_t *scaling = json_pack("{s:s,s:o*,s:o*}", "rope_type", "longrope", "short_factor", factors(brief), "long_factor",
                              factors(lengthy));
  if (!scaling) return ci_fail_memory(err);
  const ci_gguf_value *factor = ci_gguf_own(g, row, "rope.scaling.attn_factor"),
                      *original = ci_gguf_own(g, row, "rope.scaling.original_context_length");
  json_t *attention = both ? json_real(1) : factor ? ci_gguf_json(factor) : NULL;
  if (attention && json_object_set_new(scaling, "attention_factor", attention))
    return json_decref(scaling), ci_fail_memory(err);
  ci_status status = set(config, "rope_scaling", scaling, err);
  if (!status && original && !both)
    status = set(config, "original_max_position_embeddings", ci_gguf_json(original), err);
  return status;
}

/* llama.cpp's own scaling of positions, for files without factors. */
static ci_status set_scaling(const ci_gguf *g, const ci_gguf_architecture *row, json_t *config, ci_error *err) {
  const ci_gguf_value *kind = ci_gguf_own(g, row, "rope.scaling.type"),
                      *factor = ci_gguf_own(g, row, "rope.scaling.factor");
  const ci_gguf_value *original = ci_gguf_own(g, row, "rope.scaling.original_context_length");
  if (!kind || !factor || json_object_get(config, "rope_scaling")) return CI_OK;
  json_t *type = ci_gguf_json(kind);
  if (!json_is_string(type) || strcmp(json_string_value(type), "none") == 0) return json_decref(type), CI_OK;
  json_t *scaling = json_pack("{s:o,s:o}", "rope_type", type, "factor", ci_gguf_json(factor));
  if (scaling && original && json_object_set_new(scaling, "original_max_position_embeddings", ci_gguf_json(original))) {
    json_decref(scaling);
    scaling = NULL;
  }
  return set(config, "rope_scaling", scaling, err);
}

static ci_status set_ids(const ci_gguf *g, json_t *config, ci_error *err) {
  static const char *const names[][2] = {{"bos", "bos"}, {"eos", "eos"}, {"padding", "pad"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char key[64], own[32];
    int64_t id;
    snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", names[i][0]);
    snprintf(own, sizeof own, "%s_token_id", names[i][1]);
    ci_status status = ci_gguf_integer(g, key, -1, &id, err);
    if (!status && id >= 0 && id <= INT32_MAX) status = set(config, own, json_integer(id), err);
    if (status) return status;
  }
  return CI_OK;
}

ci_status ci_gguf_config_of(const ci_gguf *g, json_t **config, ci_error *err) {
  const ci_gguf_architecture *row;
  *config = NULL;
  ci_status status = ci_gguf_architecture_of(g, &row, err);
  if (status) return status;
  json_t *made;
  status = ci_json_parse(row->gguf, row->settings ? row->settings : "{}", strlen(row->settings ? row->settings : "{}"),
                         &made, err);
  if (status) return status;
  status = set(made, "model_type", json_string(row->model_type), err);
  if (!status) status = set_keys(g, row, made, err);
  if (!status) status = set_shapes(g, row, made, err);
  if (!status) status = set_factors(g, row, made, err);
  if (!status) status = set_scaling(g, row, made, err);
  if (!status) status = set_ids(g, made, err);
  if (status)
    json_decref(made);
  else
    *config = made;
  return status;
}

ci_status ci_gguf_config(const char *path, json_t **config, ci_error *err) {
  ci_mapping mapping;
  ci_gguf gguf = {0};
  ci_status status = ci_map_file(path, &mapping, err);
  if (status) return status;
  status = ci_gguf_parse(&gguf, path, mapping.bytes, mapping.length, err);
  if (!status) status = ci_gguf_config_of(&gguf, config, err);
  ci_gguf_close(&gguf);
  ci_unmap_file(&mapping);
  return status;
}
