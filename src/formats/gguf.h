/* A GGUF file: metadata and tensors behind one header (github.com/ggml-org/ggml, docs/gguf.md). gguf.c reads the container;
 * gguf_names.c says what its tensors and keys are called in the Hugging Face layout. */
#ifndef CI_FORMATS_GGUF_H
#define CI_FORMATS_GGUF_H
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "formats/tensors.h"

typedef struct {
  const char *bytes; /* not terminated; checked to be UTF-8 */
  size_t length;
} ci_gguf_text;

typedef struct {
  char *key;
  uint32_t type;    /* the format's number; of the members where it is an array */
  bool array;
  uint64_t count;   /* of an array */
  const uint8_t *at; /* value, or first member */
} ci_gguf_value;

typedef struct {
  char *name;
  ci_tensor tensor; /* shape in row-major order; data is set once the header is read */
} ci_gguf_tensor;

typedef struct {
  const char *file;
  const uint8_t *bytes;
  size_t length, data; /* data: where the tensors' bytes begin */
  ci_gguf_value *values;
  size_t values_count, values_capacity;
  json_t *positions; /* of values, by key: jansson's hash is seeded, so hostile keys cannot collide */
  ci_gguf_tensor *tensors;
  size_t tensors_count, tensors_capacity;
} ci_gguf;

/* Reads the header of a file in memory: everything is checked, tensors' data lie within the file. `file` and bytes must live
 * as long as *gguf, which the caller closes whatever the status. CI_EFILE naming key or tensor and what was expected. */
ci_status ci_gguf_parse(ci_gguf *gguf, const char *file, const uint8_t *bytes, size_t length, ci_error *err);
void ci_gguf_close(ci_gguf *gguf);

/* NULL: there is none. */
const ci_gguf_value *ci_gguf_find(const ci_gguf *gguf, const char *key);
/* Values by key; `fallback` where the key is absent, an error where it has another type. */
ci_status ci_gguf_string(const ci_gguf *gguf, const char *key, ci_gguf_text fallback, ci_gguf_text *text, ci_error *err);
ci_status ci_gguf_integer(const ci_gguf *gguf, const char *key, int64_t fallback, int64_t *value, ci_error *err);
ci_status ci_gguf_boolean(const ci_gguf *gguf, const char *key, bool fallback, bool *value, ci_error *err);
/* A number, boolean or string, or an array of numbers or booleans; NULL when memory is out or it is an array of strings. float32
 * becomes the shortest decimal that rounds to it: 1e-5 and not 9.99999975e-06. */
json_t *ci_gguf_json(const ci_gguf_value *value);
/* Steps through an array of strings: *at begins as value->at. */
ci_gguf_text ci_gguf_next(const uint8_t **at);
size_t ci_gguf_member_size(const ci_gguf_value *value); /* bytes; of strings their length's */
bool ci_gguf_is_strings(const ci_gguf_value *value);

/* Whether `path` names a GGUF file, or a folder without config.json that holds one (or the shards of one): *file is its path, of
 * the first shard (ci_free), NULL when it does not. Several models in one folder are an error that lists two. */
ci_status ci_gguf_locate(const char *path, char **file, ci_error *err);
/* Whether the name ends in .gguf. */
bool ci_gguf_named(const char *path);

/* What config.json would say. */
ci_status ci_gguf_config(const char *path, json_t **config, ci_error *err);
/* Adds the tensors of `gguf` to `tensors`, named, ordered and shaped as in the Hugging Face layout. head: the shard with the
 * metadata. */
ci_status ci_gguf_add(const ci_gguf *head, const ci_gguf *gguf, ci_tensors *tensors, ci_error *err);
/* config's members, from the metadata of an architecture that is known here. */
ci_status ci_gguf_config_of(const ci_gguf *gguf, json_t **config, ci_error *err);

#endif
