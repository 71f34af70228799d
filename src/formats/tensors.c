/* The collection of named tensors that a format fills, and the table of formats. See tensors.h and format.h.
 * Names are looked up in a jansson object (name -> position): its hash is seeded, so hostile names cannot collide. */
#include "formats/tensors.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "formats/format.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
  ci_mapping mapping;
  const char *path;
} mapped_file;

struct ci_tensors {
  ci_arena *arena; /* names, paths, data that had to be aligned */
  mapped_file *files;
  size_t files_count, files_capacity;
  ci_tensor *items;
  size_t count, capacity;
  json_t *positions;
  size_t bytes;
  const char *format;
};

static const ci_format_row rows[] = {
#define CI_FORMAT(id, help, applies, open) {id, help},
#include "formats/formats.def"
#undef CI_FORMAT
};

typedef struct {
  bool (*applies)(const ci_checkpoint *checkpoint);
  ci_status (*open)(const ci_checkpoint *checkpoint, ci_tensors *tensors, ci_error *err);
} format_calls;

static const format_calls calls[] = {
#define CI_FORMAT(id, help, applies, open) {applies, open},
#include "formats/formats.def"
#undef CI_FORMAT
};

enum { FORMATS = sizeof rows / sizeof *rows };

ci_tensors *ci_tensors_create(void) {
  ci_tensors *tensors = ci_alloc_zeroed(1, sizeof *tensors);
  if (!tensors) return NULL;
  tensors->arena = ci_arena_create();
  tensors->positions = json_object();
  tensors->format = "";
  if (tensors->arena && tensors->positions) return tensors;
  ci_tensors_close(tensors);
  return NULL;
}

void ci_tensors_close(ci_tensors *tensors) {
  if (!tensors) return;
  for (size_t i = 0; i < tensors->files_count; i++) ci_unmap_file(&tensors->files[i].mapping);
  ci_free(tensors->files);
  ci_free(tensors->items);
  json_decref(tensors->positions);
  ci_arena_close(tensors->arena);
  ci_free(tensors);
}

ci_status ci_tensors_map(ci_tensors *tensors, const char *folder, const char *name, ci_mapping *mapping,
                         const char **path, ci_error *err) {
  char *joined = folder ? ci_join_path(folder, name) : ci_duplicate(name);
  char *kept = joined ? ci_arena_text(tensors->arena, joined) : NULL;
  ci_free(joined);
  if (!kept ||
      ci_reserve((void **)&tensors->files, &tensors->files_capacity, tensors->files_count + 1, sizeof *tensors->files))
    return ci_fail_memory(err);
  ci_status status = ci_map_file(kept, mapping, err);
  if (status) return status;
  tensors->files[tensors->files_count++] = (mapped_file){*mapping, kept};
  *path = kept;
  return CI_OK;
}

const char *ci_tensors_file_at(const ci_tensors *tensors, const void *address) {
  for (size_t i = 0; i < tensors->files_count; i++) {
    const ci_mapping *m = &tensors->files[i].mapping;
    if ((uintptr_t)address - (uintptr_t)m->bytes < m->length) return tensors->files[i].path;
  }
  return NULL;
}

void *ci_tensors_alloc(ci_tensors *tensors, size_t count, size_t size) {
  return ci_arena_alloc(tensors->arena, count, size);
}

/* The promise of ci_tensor.data: files may place a tensor at any byte, reading it through a float pointer may not. */
static ci_status align(ci_tensors *tensors, ci_tensor *tensor, size_t bytes, ci_error *err) {
  if (ci_dtype_block(tensor->type) > 1 || (uintptr_t)tensor->data % ci_dtype_size(tensor->type) == 0) return CI_OK;
  void *copy = ci_arena_alloc(tensors->arena, bytes, 1);
  if (!copy) return ci_fail_memory(err);
  tensor->data = memcpy(copy, tensor->data, bytes);
  return CI_OK;
}

ci_status ci_tensors_add(ci_tensors *tensors, const ci_tensor *tensor, ci_error *err) {
  const ci_tensor *there = ci_tensors_find(tensors, tensor->name);
  if (there)
    return ci_fail(err, CI_EFILE, tensor->file, "tensor \"%s\" is there twice, also in %s", tensor->name, there->file);
  ci_tensor added = *tensor;
  size_t bytes;
  if (!ci_shape_measure(added.rank, added.shape, added.type, &added.count, &bytes))
    return ci_fail(err, CI_EFILE, tensor->file, "tensor \"%s\" has a shape that is too large", tensor->name);
  added.name = ci_arena_text(tensors->arena, tensor->name);
  if (!added.name) return ci_fail_memory(err);
  ci_status status = align(tensors, &added, bytes, err);
  if (status) return status;
  if (ci_reserve((void **)&tensors->items, &tensors->capacity, tensors->count + 1, sizeof *tensors->items) ||
      json_object_set_new_nocheck(tensors->positions, added.name, json_integer((json_int_t)tensors->count)))
    return ci_fail_memory(err);
  tensors->items[tensors->count++] = added;
  tensors->bytes += bytes;
  return CI_OK;
}

static int by_data(const void *a, const void *b) {
  const ci_tensor *x = *(ci_tensor *const *)a, *y = *(ci_tensor *const *)b;
  if (x->data != y->data) return (uintptr_t)x->data < (uintptr_t)y->data ? -1 : 1;
  return x < y ? -1 : x > y;
}

/* A state dict has a shared weight under all of its names. */
static ci_status find_tied(ci_tensors *tensors, ci_error *err) {
  ci_tensor **sorted = ci_alloc(tensors->count, sizeof *sorted);
  if (!sorted) return ci_fail_memory(err);
  for (size_t i = 0; i < tensors->count; i++) sorted[i] = &tensors->items[i];
  if (tensors->count) qsort(sorted, tensors->count, sizeof *sorted, by_data);
  for (size_t i = 1; i < tensors->count; i++) {
    const ci_tensor *before = sorted[i - 1];
    sorted[i]->tied = before->count && before->data == sorted[i]->data && before->count == sorted[i]->count &&
                      before->type == sorted[i]->type;
  }
  ci_free(sorted);
  return CI_OK;
}

static ci_status nothing_applies(const char *folder, ci_error *err) {
  if (!ci_folder_exists(folder)) return ci_fail(err, CI_EFILE, folder, "is not a folder");
  ci_text wanted = {0};
  for (size_t i = 0; i < FORMATS; i++)
    if (calls[i].applies != ci_memory_applies) ci_text_add_format(&wanted, "%s%s", wanted.length ? "; " : "", rows[i].help);
  if (wanted.failed) {
    ci_text_free(&wanted);
    return ci_fail_memory(err);
  }
  ci_status status = ci_fail(err, CI_EFILE, folder, "holds no checkpoint: expected %s", wanted.data);
  ci_text_free(&wanted);
  return status;
}

ci_status ci_tensors_open_from(const ci_checkpoint *checkpoint, ci_tensors **tensors, ci_error *err) {
  *tensors = NULL;
  for (size_t i = 0; i < FORMATS; i++) {
    if (!calls[i].applies(checkpoint)) continue;
    ci_tensors *opened = ci_tensors_create();
    if (!opened) return ci_fail_memory(err);
    ci_status status = calls[i].open(checkpoint, opened, err);
    if (!status) status = find_tied(opened, err);
    if (status) {
      ci_tensors_close(opened);
      return status;
    }
    opened->format = rows[i].id;
    *tensors = opened;
    return CI_OK;
  }
  return nothing_applies(checkpoint->folder, err);
}

ci_status ci_tensors_open(const char *folder, ci_tensors **tensors, ci_error *err) {
  return ci_tensors_open_from(&(ci_checkpoint){.folder = folder}, tensors, err);
}

const ci_tensor *ci_tensors_find(const ci_tensors *tensors, const char *name) {
  const json_t *position = json_object_get(tensors->positions, name);
  return position ? &tensors->items[json_integer_value(position)] : NULL;
}

size_t ci_tensors_count(const ci_tensors *tensors) {
  return tensors->count;
}

const ci_tensor *ci_tensors_at(const ci_tensors *tensors, size_t index) {
  return index < tensors->count ? &tensors->items[index] : NULL;
}

size_t ci_tensors_bytes(const ci_tensors *tensors) {
  return tensors->bytes;
}

const char *ci_tensors_format(const ci_tensors *tensors) {
  return tensors->format;
}

const ci_format_row *ci_format_rows(size_t *count) {
  *count = FORMATS;
  return rows;
}
