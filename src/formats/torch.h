/* A pytorch_model.bin that is being read: what torch.c (where bytes lie) and torch_tensors.c (what they mean) share. */
#ifndef CI_FORMATS_TORCH_H
#define CI_FORMATS_TORCH_H
#include "formats/pickle.h"
#include "formats/tensors.h"
#include <jansson.h>

typedef struct {
  char key[64];
  ci_dtype type;
  size_t count;     /* of elements; their bytes fit into size_t */
  const void *data; /* NULL until its bytes are found; aligned for its type */
} ci_torch_storage;

typedef struct {
  const char *file;
  ci_tensors *tensors;
  size_t length; /* of the file */
  ci_pickle *pickle;
  ci_torch_storage *storages;
  size_t storages_count, storages_capacity;
  json_t *positions; /* key -> index of a storage */
  size_t copied;     /* bytes */
} ci_torch;

/* Reads the pickle of tensors at the start of `bytes` and lists the storages that it uses. */
ci_status ci_torch_read(ci_torch *t, const uint8_t *bytes, size_t length, size_t *used, ci_error *err);
/* NULL when the pickle uses none of this key. */
ci_torch_storage *ci_torch_find(const ci_torch *t, const ci_pickle_value *key);
/* Adds the tensors of the dictionary to t->tensors, once every storage has its data. */
ci_status ci_torch_build(ci_torch *t, ci_error *err);

#endif
