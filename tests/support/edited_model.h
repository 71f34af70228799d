/* A copy of a model folder with something changed: tensors renamed, dropped, added, reshaped; keys of config.json
 * replaced; files left out. In a temporary folder, removed by edited_remove. */
#ifndef CI_TESTS_EDITED_MODEL_H
#define CI_TESTS_EDITED_MODEL_H
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "formats/tensors.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

typedef struct {
  const char *strip;    /* taken from the front of names */
  const char *drop;     /* a tensor that is left out */
  const char *added[4]; /* copies of `copied` under these names; NULL ends the list */
  const char *copied;
  const char *reshaped; /* a tensor whose last dimension becomes 1 x as many more rows */
  const char *retyped;  /* a tensor called I32 though its bytes are floats */
  const char *config;   /* JSON laid over config.json; null removes a key */
  const char *left_out; /* a file */
} model_edit;

/* Without ci_write_file's fsync: there are hundreds of these. */
static inline void edited_write(const char *path, const char *bytes, size_t length) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, length, file), length);
  assert_int_equal(fclose(file), 0);
}

static inline void edited_tensor(json_t *header, ci_text *data, const ci_tensor *t, const char *name,
                                 const model_edit *e) {
  json_t *shape = json_array();
  size_t begin = data->length, bytes = t->count * ci_dtype_size(t->type);
  bool reshaped = e->reshaped && strcmp(e->reshaped, t->name) == 0,
       retyped = e->retyped && strcmp(e->retyped, t->name) == 0;
  if (reshaped) json_array_append_new(shape, json_integer((json_int_t)t->count));
  for (int i = 0; i < t->rank && !reshaped; i++) json_array_append_new(shape, json_integer((json_int_t)t->shape[i]));
  if (reshaped) json_array_append_new(shape, json_integer(1));
  ci_text_add_n(data, t->data, bytes);
  json_object_set_new(header, name,
                      json_pack("{s:s, s:o, s:[I, I]}", "dtype", retyped ? "I32" : ci_dtype_name(t->type), "shape",
                                shape, "data_offsets", (json_int_t)begin, (json_int_t)data->length));
}

static inline void edited_weights(const char *folder, const char *to, const model_edit *e) {
  ci_error err = {0};
  ci_tensors *tensors;
  if (ci_tensors_open(folder, &tensors, &err)) fail_msg("%s: %s", err.where, err.message);
  json_t *header = json_object();
  ci_text data = {0}, file = {0};
  for (size_t i = 0; i < ci_tensors_count(tensors); i++) {
    const ci_tensor *t = ci_tensors_at(tensors, i);
    if (e->drop && strcmp(e->drop, t->name) == 0) continue;
    bool strip = e->strip && ci_starts_with(t->name, e->strip);
    edited_tensor(header, &data, t, t->name + (strip ? strlen(e->strip) : 0), e);
  }
  for (int i = 0; i < 4 && e->added[i]; i++)
    edited_tensor(header, &data, ci_tensors_find(tensors, e->copied), e->added[i], e);
  char *text = json_dumps(header, JSON_COMPACT);
  uint64_t length = strlen(text);
  ci_text_add_n(&file, (const char *)&length, sizeof length);
  ci_text_add(&file, text);
  ci_text_add_n(&file, data.data, data.length);
  edited_write(to, file.data, file.length);
  free(text);
  json_decref(header);
  ci_text_free(&data);
  ci_text_free(&file);
  ci_tensors_close(tensors);
}

static inline void edited_config(const char *from, const char *to, const char *edit) {
  ci_error err = {0};
  json_t *config, *over = json_loads(edit ? edit : "{}", 0, NULL), *value;
  assert_non_null(over);
  assert_int_equal(ci_json_read_file(from, &config, &err), CI_OK);
  const char *key;
  json_object_foreach(over, key, value) {
    if (json_is_null(value))
      json_object_del(config, key);
    else
      json_object_set(config, key, value);
  }
  char *text = json_dumps(config, 0);
  edited_write(to, text, strlen(text));
  free(text);
  json_decref(over);
  json_decref(config);
}

/* The new folder's path (edited_remove). */
static inline char *edited_model(const char *folder, const model_edit *e) {
  char *to = ci_duplicate("/tmp/cinseq-model-XXXXXX");
  assert_non_null(mkdtemp(to));
  DIR *d = opendir(folder);
  assert_non_null(d);
  ci_error err = {0};
  for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
    if (entry->d_name[0] == '.' || (e->left_out && strcmp(e->left_out, entry->d_name) == 0)) continue;
    char *from = ci_join_path(folder, entry->d_name), *path = ci_join_path(to, entry->d_name), *bytes;
    size_t length;
    if (strcmp(entry->d_name, "config.json") == 0)
      edited_config(from, path, e->config);
    else if (strcmp(entry->d_name, "model.safetensors") == 0)
      edited_weights(folder, path, e);
    else if (ci_read_file(from, (size_t)1 << 30, &bytes, &length, &err))
      fail_msg("%s: %s", err.where, err.message);
    else {
      edited_write(path, bytes, length);
      ci_free(bytes);
    }
    ci_free(from);
    ci_free(path);
  }
  closedir(d);
  return to;
}

static inline void edited_remove(char *folder) {
  DIR *d = opendir(folder);
  for (struct dirent *entry; d && (entry = readdir(d)) != NULL;) {
    char *path = ci_join_path(folder, entry->d_name);
    if (entry->d_name[0] != '.') unlink(path);
    ci_free(path);
  }
  closedir(d);
  rmdir(folder);
  ci_free(folder);
}

#endif
