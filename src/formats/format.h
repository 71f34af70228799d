/* What a checkpoint format brings, and the collection of tensors it fills. One format = one file + one row in
 * formats.def. */
#ifndef CI_FORMATS_FORMAT_H
#define CI_FORMATS_FORMAT_H
#include "base/file.h"
#include "formats/tensors.h"

/* A row of formats.def: id and help for lists (help names the files that are looked for), and
 *   applies: whether the checkpoint is of this format; looks at file names only.
 *   open:    adds every tensor of the checkpoint to `tensors`, or fails naming file and tensor. */
#define CI_FORMAT(id, help, applies, open)                                                                             \
  bool applies(const ci_checkpoint *checkpoint);                                                                       \
  ci_status open(const ci_checkpoint *checkpoint, ci_tensors *tensors, ci_error *err);
#include "formats/formats.def"
#undef CI_FORMAT

/* An empty collection; NULL when memory is out. */
ci_tensors *ci_tensors_create(void);
/* Maps folder/name (folder NULL: name) for as long as the collection lives. *path is the joined path, also the collection's. */
ci_status ci_tensors_map(ci_tensors *tensors, const char *folder, const char *name, ci_mapping *mapping,
                         const char **path, ci_error *err);
/* Adds a copy of *tensor. name is copied; file and data must live as long as the collection (mapped or its own memory).
 * count is computed here from rank and shape. Data that is not aligned for its type is copied into memory of the
 * collection's. Fails on a name that is already there. */
ci_status ci_tensors_add(ci_tensors *tensors, const ci_tensor *tensor, ci_error *err);

/* Memory that lives as long as the collection: 64-byte aligned, zeroed. NULL when it is out. */
void *ci_tensors_alloc(ci_tensors *tensors, size_t count, size_t size);

/* By the name that safetensors gives it (blocks have none); false when there is no such type here. */
bool ci_dtype_find(const char *name, ci_dtype *type);
/* The product of shape, and that times the element size; false when it does not fit, or a row is no whole number of blocks.
 * Empty tensors are allowed. */
bool ci_shape_measure(int rank, const size_t *shape, ci_dtype type, size_t *count, size_t *bytes);

/* A checkpoint of one file, `single`, or of the shards that `index` lists. parse adds the tensors of one file in
 * memory; `file` (for messages) and `bytes` live as long as the collection. */
typedef struct {
  const char *single, *index;
  ci_status (*parse)(const char *file, const uint8_t *bytes, size_t length, ci_tensors *tensors, ci_error *err);
} ci_layout;
extern const ci_layout ci_safetensors_layout, ci_torch_layout;
bool ci_layout_applies(const ci_layout *layout, const char *folder);
ci_status ci_layout_open(const ci_layout *layout, const char *folder, ci_tensors *tensors, ci_error *err);

/* One safetensors file in memory. `file` (for messages) and `bytes` must live as long as the collection. */
ci_status ci_safetensors_parse(const char *file, const uint8_t *bytes, size_t length, ci_tensors *tensors,
                               ci_error *err);
/* One pytorch_model.bin in memory, of either layout; as above. */
ci_status ci_torch_parse(const char *file, const uint8_t *bytes, size_t length, ci_tensors *tensors, ci_error *err);

#endif
