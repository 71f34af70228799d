/* See source.h. */
#include "tokenizers/source.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

static const ci_tokenizer_class classes[] = {
#define CI_CLASS(name, types, unk, bos, eos, pad, sep, cls, mask, fast, template, add_bos, byte_level)                 \
  {name, types, unk, bos, eos, pad, sep, cls, mask, fast, template, add_bos, byte_level},
#include "tokenizers/classes.def"
#undef CI_CLASS
};

static const ci_language_rule languages[] = {
#define CI_LANGUAGES(name, source, target, legacy, source_language, target_language, marks)                            \
  {name, source, target, legacy, source_language, target_language, marks},
#include "tokenizers/languages.def"
#undef CI_LANGUAGES
};

enum { CLASSES = sizeof classes / sizeof *classes };

const char *const ci_special_roles[CI_ROLES] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                "pad_token", "cls_token", "mask_token"};

static const ci_tokenizer_class *class_of_model(const char *model_type) {
  ci_text wanted = {0};
  ci_text_add_format(&wanted, " %s ", model_type);
  const ci_tokenizer_class *found = NULL;
  for (size_t i = 0; i < CLASSES && !wanted.failed && !found; i++)
    if (strstr(classes[i].model_types, wanted.data)) found = &classes[i];
  ci_text_free(&wanted);
  return found;
}

/* The class as AutoTokenizer finds it: tokenizer_config.json, config.json's tokenizer_class, its model_type. */
static ci_status find_class(ci_tokenizer_source *source, const json_t *file, const json_t *config, const char *fallback,
                            ci_error *err) {
  const char *name, *model_type;
  ci_status status = ci_json_get_text(file, source->config_path, "tokenizer_class", NULL, &name, err);
  if (!status && !name) status = ci_json_get_text(config, "config.json", "tokenizer_class", NULL, &name, err);
  if (!status) status = ci_json_get_text(config, "config.json", "model_type", NULL, &model_type, err);
  if (status) return status;
  const ci_tokenizer_class *row = !name && model_type ? class_of_model(model_type) : NULL;
  if (!name) name = row ? row->name : fallback;
  size_t length = strlen(name) - (ci_ends_with(name, "Fast") ? 4 : 0);
  for (size_t i = 0; i < CLASSES && !row; i++)
    if (strlen(classes[i].name) == length && strncmp(classes[i].name, name, length) == 0) row = &classes[i];
  source->row = row ? *row : (ci_tokenizer_class){.fast = true};
  source->class_name = ci_duplicate_n(name, length);
  return source->class_name ? CI_OK : ci_fail_memory(err);
}

/* special_tokens_map.json of the older layout: its values take the place of tokenizer_config.json's. */
static ci_status merge_special_map(ci_tokenizer_source *source, const json_t *kwargs, ci_error *err) {
  json_t *map;
  char *path;
  ci_status status = ci_source_json(source, "special_tokens_map.json", &map, &path, err);
  if (status || !map) return ci_free(path), status;
  if (!json_is_object(map)) status = ci_fail(err, CI_EFILE, path, "is not an object");
  const char *key;
  json_t *value;
  json_object_foreach(map, key, value) {
    if (json_object_get(kwargs, key)) continue;
    json_t *before = json_object_get(source->settings, key);
    if (strcmp(key, "additional_special_tokens") == 0 && json_is_array(value) && json_is_array(before)) {
      if (json_array_extend(before, value)) status = ci_fail_memory(err);
    } else if (json_object_set(source->settings, key, value)) {
      status = ci_fail_memory(err);
    }
  }
  json_decref(map);
  ci_free(path);
  return status;
}

static bool names_special(const ci_tokenizer_source *source, const char *content) {
  for (size_t i = 0; i < CI_ROLES; i++) {
    const json_t *value = json_object_get(source->settings, ci_special_roles[i]);
    if (json_is_object(value)) value = json_object_get(value, "content");
    if (json_is_string(value) && strcmp(json_string_value(value), content) == 0) return true;
  }
  const json_t *more = json_object_get(source->settings, "additional_special_tokens");
  for (size_t i = 0; i < json_array_size(more); i++) {
    const json_t *value = json_array_get(more, i);
    if (json_is_object(value)) value = json_object_get(value, "content");
    if (json_is_string(value) && strcmp(json_string_value(value), content) == 0) return true;
  }
  return false;
}

/* added_tokens.json of the older layout: {"content": id}. */
static ci_status read_added_file(ci_tokenizer_source *source, ci_error *err) {
  json_t *map;
  char *path;
  ci_status status = ci_source_json(source, "added_tokens.json", &map, &path, err);
  if (status || !map) return ci_free(path), status;
  if (!json_is_object(map)) status = ci_fail(err, CI_EFILE, path, "is not an object of token: id");
  const char *key;
  size_t length;
  json_t *value;
  json_object_keylen_foreach(map, key, length, value) {
    int64_t id;
    if (status) break;
    if (!ci_json_as_int(value, &id) || id < 0 || id > INT32_MAX) {
      status = ci_fail(err, CI_EFILE, path, "the id of \"%.40s\" is not an id", key);
      break;
    }
    bool special = names_special(source, key);
    ci_added_token token = {(char *)key, length, (int32_t)id, .special = special, .normalized = !special};
    status = ci_added_put(&source->decoder, &token, err);
  }
  json_decref(map);
  ci_free(path);
  return status;
}

/* {"id": {"content", ...}}: what newer files have instead of the two above. */
static ci_status read_decoder(ci_tokenizer_source *source, const json_t *decoder, ci_error *err) {
  if (!json_is_object(decoder))
    return ci_fail(err, CI_EFILE, source->config_path, "\"added_tokens_decoder\" is not an object");
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)decoder, key, value) {
    char *end;
    long id = strtol(key, &end, 10);
    if (end == key || *end || id < 0 || id > INT32_MAX)
      return ci_fail(err, CI_EFILE, source->config_path,
                     "\"added_tokens_decoder\" has the key \"%.40s\", expected an id", key);
    ci_added_token token;
    ci_status status = ci_added_read(value, source->config_path, false, &token, err);
    token.id = (int32_t)id;
    if (!status) status = ci_added_put(&source->decoder, &token, err);
    if (status) return status;
  }
  return CI_OK;
}

static ci_status merge_settings(ci_tokenizer_source *source, const json_t *kwargs, ci_error *err) {
  json_t *decoder = json_object_get(source->settings, "added_tokens_decoder");
  ci_status status = CI_OK;
  if (!decoder || json_is_null(decoder)) status = merge_special_map(source, kwargs, err);
  if (!status && kwargs && json_object_update(source->settings, (json_t *)kwargs)) status = ci_fail_memory(err);
  if (status) return status;
  return decoder && !json_is_null(decoder) ? read_decoder(source, decoder, err) : read_added_file(source, err);
}

static int by_id(const void *a, const void *b) {
  int32_t x = ((const ci_added_token *)a)->id, y = ((const ci_added_token *)b)->id;
  return (x > y) - (x < y);
}

ci_status ci_source_open(ci_tokenizer_source *source, const char *folder, const json_t *config, const json_t *kwargs,
                         const char *fallback_class, ci_source_settings *settings, ci_error *err) {
  *source = (ci_tokenizer_source){.folder = ci_duplicate(folder)};
  if (!source->folder) return ci_fail_memory(err);
  json_t *file = NULL;
  ci_status status;
  if (settings) {
    source->config_path = ci_duplicate(folder);
    status = source->config_path ? settings(folder, &file, err) : ci_fail_memory(err);
  } else {
    status = ci_source_json(source, "tokenizer_config.json", &file, &source->config_path, err);
  }
  if (!status && file && !json_is_object(file))
    status = ci_fail(err, CI_EFILE, source->config_path, "is not an object");
  if (!status) {
    source->settings = file ? json_deep_copy(file) : json_object();
    if (!source->settings) status = ci_fail_memory(err);
  }
  if (!status) status = find_class(source, file, config, fallback_class, err);
  if (!status) status = merge_settings(source, kwargs, err);
  if (!status) {
    ci_added *decoder = &source->decoder;
    if (decoder->count) qsort(decoder->items, decoder->count, sizeof *decoder->items, by_id);
    for (size_t i = 0; i < decoder->count && !status; i++) /* the index follows the new order */
      status = ci_vocabulary_add(&decoder->index, source->config_path, decoder->items[i].content,
                                 decoder->items[i].length, (int64_t)i, err);
  }
  json_decref(file);
  return status;
}

void ci_source_close(ci_tokenizer_source *source) {
  ci_free(source->folder);
  ci_free(source->config_path);
  ci_free(source->class_name);
  json_decref(source->settings);
  ci_added_free(&source->decoder);
}

ci_status ci_source_json(const ci_tokenizer_source *source, const char *name, json_t **value, char **path,
                         ci_error *err) {
  *value = NULL;
  *path = ci_join_path(source->folder, name);
  return *path ? ci_json_read_file_if_there(*path, value, err) : ci_fail_memory(err);
}

static const char *class_default(const ci_tokenizer_class *row, const char *role) {
  if (strcmp(role, "unk_token") == 0) return row->unk;
  if (strcmp(role, "bos_token") == 0) return row->bos;
  if (strcmp(role, "eos_token") == 0) return row->eos;
  if (strcmp(role, "sep_token") == 0) return row->sep;
  if (strcmp(role, "cls_token") == 0) return row->cls;
  if (strcmp(role, "mask_token") == 0) return row->mask;
  return strcmp(role, "pad_token") == 0 ? row->pad : NULL;
}

ci_status ci_source_special(const ci_tokenizer_source *source, const char *role, bool *found, ci_added_token *token,
                            ci_error *err) {
  const json_t *value = json_object_get(source->settings, role);
  *found = true;
  if (value && !json_is_null(value)) return ci_added_read(value, source->config_path, true, token, err);
  const char *content = value ? NULL : class_default(&source->row, role);
  *found = content != NULL;
  if (!content) return CI_OK;
  size_t spaces = strspn(content, " ");
  content += spaces;
  *token = (ci_added_token){.content = (char *)content,
                            .length = strlen(content),
                            .id = -1,
                            .lstrip = spaces > 0,
                            .normalized = spaces > 1,
                            .special = true,
                            .plain = !spaces};
  return CI_OK;
}

const ci_language_rule *ci_source_languages(const ci_tokenizer_source *source) {
  for (size_t i = 0; i < sizeof languages / sizeof *languages; i++)
    if (strcmp(languages[i].name, source->class_name) == 0) return &languages[i];
  return NULL;
}

ci_status ci_source_flag(const ci_tokenizer_source *source, const char *key, bool fallback, bool *value,
                         ci_error *err) {
  return ci_json_get_bool(source->settings, source->config_path, key, fallback, value, err);
}
