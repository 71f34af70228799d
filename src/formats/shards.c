/* A checkpoint of one file, or of shards that an index lists: {"weight_map": {"tensor": "file", ...}}. The same for
 * every format that transformers writes; what a file holds is the format's business. */
#include "base/json.h"
#include "base/memory.h"
#include "formats/format.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

static ci_status open_file(const ci_layout *layout, const char *folder, const char *name, ci_tensors *tensors,
                           ci_error *err) {
  ci_mapping mapping;
  const char *path;
  ci_status status = ci_tensors_map(tensors, folder, name, &mapping, &path, err);
  return status ? status : layout->parse(path, mapping.bytes, mapping.length, tensors, err);
}

/* Without an allocation, whose failure would look like a missing file. A longer path cannot be opened either. */
static bool holds(const char *folder, const char *name) {
  char path[PATH_MAX];
  int length = snprintf(path, sizeof path, "%s/%s", folder, name);
  return length > 0 && (size_t)length < sizeof path && ci_file_exists(path);
}

static ci_status open_shard(const ci_layout *layout, const char *folder, const char *index, const char *shard,
                            ci_tensors *tensors, ci_error *err) {
  if (!ci_path_stays_inside(shard)) /* an index from the network must not reach other files */
    return ci_fail(err, CI_EFILE, index, "names the shard \"%s\", which does not lie in the model's folder", shard);
  if (!holds(folder, shard)) return ci_fail(err, CI_EFILE, index, "names the shard \"%s\", which is missing", shard);
  return open_file(layout, folder, shard, tensors, err);
}

/* Opens every shard once; opened maps the names of those that were. */
static ci_status open_shards(const ci_layout *layout, const char *folder, const char *index, json_t *map,
                             json_t *opened, ci_tensors *tensors, ci_error *err) {
  const char *name;
  json_t *value;
  json_object_foreach(map, name, value) {
    const char *shard = json_string_value(value);
    if (!shard) return ci_fail(err, CI_EFILE, index, "gives no shard for tensor \"%s\", expected a string", name);
    if (json_object_get(opened, shard)) continue;
    if (json_object_set_new_nocheck(opened, shard, json_true())) return ci_fail_memory(err);
    ci_status status = open_shard(layout, folder, index, shard, tensors, err);
    if (status) return status;
  }
  return CI_OK;
}

static ci_status check_promises(const char *index, json_t *map, const ci_tensors *tensors, ci_error *err) {
  const char *name;
  json_t *value;
  json_object_foreach(map, name, value) {
    const char *shard = json_string_value(value);
    const ci_tensor *tensor = ci_tensors_find(tensors, name);
    /* file is folder/shard */
    size_t before = tensor ? strlen(tensor->file) - strlen(shard) : 0;
    if (!tensor || strlen(tensor->file) <= strlen(shard) || tensor->file[before - 1] != '/' ||
        strcmp(tensor->file + before, shard) != 0)
      return ci_fail(err, CI_EFILE, index, "promises tensor \"%s\" in the shard \"%s\", which does not have it", name,
                     shard);
  }
  return CI_OK;
}

static ci_status open_index(const ci_layout *layout, const char *folder, const char *index, ci_tensors *tensors,
                            ci_error *err) {
  json_t *root;
  ci_status status = ci_json_read_file(index, &root, err);
  if (status) return status;
  json_t *map = json_object_get(root, "weight_map");
  json_t *opened = json_object();
  if (!opened)
    status = ci_fail_memory(err);
  else if (!json_is_object(map))
    status = ci_fail(err, CI_EFILE, index, "has no object \"weight_map\"");
  else
    status = open_shards(layout, folder, index, map, opened, tensors, err);
  if (!status) status = check_promises(index, map, tensors, err);
  json_decref(opened);
  json_decref(root);
  return status;
}

bool ci_layout_applies(const ci_layout *layout, const char *folder) {
  return holds(folder, layout->single) || holds(folder, layout->index);
}

ci_status ci_layout_open(const ci_layout *layout, const char *folder, ci_tensors *tensors, ci_error *err) {
  if (holds(folder, layout->single)) /* transformers prefers it too */
    return open_file(layout, folder, layout->single, tensors, err);
  char *index = ci_join_path(folder, layout->index);
  if (!index) return ci_fail_memory(err);
  ci_status status = open_index(layout, folder, index, tensors, err);
  ci_free(index);
  return status;
}
