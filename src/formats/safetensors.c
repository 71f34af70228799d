/* safetensors: one file, or shards that model.safetensors.index.json lists.
 *
 *   u64 little endian   length of the header
 *   header              {"name": {"dtype": "F32", "shape": [2,3], "data_offsets": [begin, end]}, "__metadata__": {...}}
 *   data                the tensors, offsets count from here
 *
 * As in the reference implementation (github.com/huggingface/safetensors) the tensors cover the data without holes or
 * overlaps and end where the file ends, so every byte of a file is accounted for. */
#include "base/json.h"
#include "base/memory.h"
#include "formats/format.h"
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, LARGEST_HEADER = 100000000 /* the reference's limit */ };

typedef struct {
  ci_tensor tensor;
  size_t begin, end; /* in the data */
} entry;

typedef struct {
  const char *file;
  const uint8_t *data;
  size_t length; /* of data */
  entry *entries;
  size_t count;
} parse;

static ci_status bad_tensor(const parse *p, const char *name, ci_error *err, const char *problem) {
  return ci_fail(err, CI_EFILE, p->file, "tensor \"%s\" %s", name, problem);
}

static bool read_size(const json_t *value, size_t *out) {
  if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
  *out = (size_t)json_integer_value(value);
  return true;
}

static ci_status read_shape(const parse *p, const json_t *shape, ci_tensor *tensor, ci_error *err) {
  if (!json_is_array(shape)) return bad_tensor(p, tensor->name, err, "has no shape, expected an array");
  if (json_array_size(shape) > CI_MAX_RANK)
    return ci_fail(err, CI_EFILE, p->file, "tensor \"%s\" has %zu dimensions, expected at most %d", tensor->name,
                   json_array_size(shape), CI_MAX_RANK);
  tensor->rank = (int)json_array_size(shape);
  for (int i = 0; i < tensor->rank; i++)
    if (!read_size(json_array_get(shape, (size_t)i), &tensor->shape[i]))
      return bad_tensor(p, tensor->name, err, "has a shape with a member that is no whole number of 0 or more");
  return CI_OK;
}

static ci_status read_offsets(const parse *p, const json_t *offsets, entry *e, ci_error *err) {
  const char *name = e->tensor.name;
  if (!json_is_array(offsets) || json_array_size(offsets) != 2 || !read_size(json_array_get(offsets, 0), &e->begin) ||
      !read_size(json_array_get(offsets, 1), &e->end))
    return bad_tensor(p, name, err, "has no data_offsets, expected [begin, end]");
  if (e->begin > e->end || e->end > p->length)
    return ci_fail(err, CI_EFILE, p->file,
                   "tensor \"%s\" has the data_offsets [%zu, %zu], out of range: there are %zu bytes of data", name,
                   e->begin, e->end, p->length);
  size_t bytes;
  if (!ci_shape_measure(e->tensor.rank, e->tensor.shape, e->tensor.type, &e->tensor.count, &bytes))
    return bad_tensor(p, name, err, "has a shape that is too large");
  if (bytes != e->end - e->begin)
    return ci_fail(err, CI_EFILE, p->file,
                   "tensor \"%s\" has %zu bytes of data, expected %zu for its shape and type %s", name,
                   e->end - e->begin, bytes, ci_dtype_name(e->tensor.type));
  return CI_OK;
}

static ci_status read_entry(const parse *p, const char *name, const json_t *facts, entry *e, ci_error *err) {
  *e = (entry){.tensor = {.name = name, .file = p->file}};
  if (!json_is_object(facts)) return bad_tensor(p, name, err, "is not described by an object");
  const char *dtype = json_string_value(json_object_get(facts, "dtype"));
  if (!dtype) return bad_tensor(p, name, err, "has no dtype, expected a string");
  if (!ci_dtype_find(dtype, &e->tensor.type))
    return ci_fail(err, CI_EFILE, p->file, "tensor \"%s\" has the unknown dtype \"%s\"", name, dtype);
  ci_status status = read_shape(p, json_object_get(facts, "shape"), &e->tensor, err);
  if (!status) status = read_offsets(p, json_object_get(facts, "data_offsets"), e, err);
  e->tensor.data = p->data + e->begin;
  return status;
}

static int by_place(const void *a, const void *b) {
  const entry *x = *(entry *const *)a, *y = *(entry *const *)b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return x->end < y->end ? -1 : x->end > y->end;
}

static ci_status check_cover(const parse *p, ci_error *err) {
  entry **sorted = ci_alloc(p->count, sizeof *sorted);
  if (!sorted) return ci_fail_memory(err);
  for (size_t i = 0; i < p->count; i++) sorted[i] = &p->entries[i];
  if (p->count) qsort(sorted, p->count, sizeof *sorted, by_place);
  ci_status status = CI_OK;
  size_t reached = 0;
  for (size_t i = 0; i < p->count && !status; i++) {
    const char *name = sorted[i]->tensor.name;
    if (sorted[i]->begin < reached)
      status = ci_fail(err, CI_EFILE, p->file, "tensors \"%s\" and \"%s\" overlap at byte %zu of the data",
                       sorted[i - 1]->tensor.name, name, sorted[i]->begin);
    else if (sorted[i]->begin > reached)
      status = ci_fail(err, CI_EFILE, p->file,
                       "tensor \"%s\" starts at byte %zu of the data, expected %zu: no tensor covers the bytes between",
                       name, sorted[i]->begin, reached);
    reached = sorted[i]->end;
  }
  ci_free(sorted);
  if (!status && reached != p->length)
    status =
        ci_fail(err, CI_EFILE, p->file, "holds %zu bytes of data, but its tensors end at byte %zu", p->length, reached);
  return status;
}

static ci_status read_header(parse *p, json_t *header, ci_tensors *tensors, ci_error *err) {
  if (!json_is_object(header)) return ci_fail(err, CI_EFILE, p->file, "has a header that is not a JSON object");
  p->entries = ci_alloc(json_object_size(header), sizeof *p->entries);
  if (!p->entries) return ci_fail_memory(err);
  const char *name;
  json_t *facts;
  json_object_foreach(header, name, facts) {
    if (strcmp(name, "__metadata__") == 0) continue;
    ci_status status = read_entry(p, name, facts, &p->entries[p->count], err);
    if (status) return status;
    p->count++;
  }
  ci_status status = check_cover(p, err);
  for (size_t i = 0; i < p->count && !status; i++) status = ci_tensors_add(tensors, &p->entries[i].tensor, err);
  return status;
}

ci_status ci_safetensors_parse(const char *file, const uint8_t *bytes, size_t length, ci_tensors *tensors,
                               ci_error *err) {
  if (length < LENGTH_BYTES)
    return ci_fail(err, CI_EFILE, file, "is %zu bytes long, too short for a safetensors file", length);
  uint64_t header_length = 0;
  for (int i = 0; i < LENGTH_BYTES; i++) header_length |= (uint64_t)bytes[i] << (8 * i);
  if (header_length > length - LENGTH_BYTES)
    return ci_fail(err, CI_EFILE, file,
                   "is %zu bytes long, too short for its header of %llu bytes: truncated, or not safetensors", length,
                   (unsigned long long)header_length);
  if (header_length > LARGEST_HEADER)
    return ci_fail(err, CI_EFILE, file, "has a header of %llu bytes, expected at most %d",
                   (unsigned long long)header_length, LARGEST_HEADER);
  size_t start = LENGTH_BYTES + (size_t)header_length;
  parse p = {.file = file, .data = bytes + start, .length = length - start};
  /* Not ci_json_parse: a name that is there twice must not pass, and numbers are integers or wrong. */
  json_error_t problem;
  bool no_memory;
  json_t *header = ci_json_load((const char *)bytes + LENGTH_BYTES, (size_t)header_length, JSON_REJECT_DUPLICATES,
                                &problem, &no_memory);
  if (no_memory) return ci_fail_memory(err);
  if (!header)
    return ci_fail(err, CI_EFILE, file, "has a header that is not valid JSON: %s at byte %d", problem.text,
                   problem.position);
  ci_status status = read_header(&p, header, tensors, err);
  ci_free(p.entries);
  json_decref(header);
  return status;
}

const ci_layout ci_safetensors_layout = {"model.safetensors", "model.safetensors.index.json", ci_safetensors_parse};

bool ci_safetensors_applies(const ci_checkpoint *checkpoint) {
  return ci_layout_applies(&ci_safetensors_layout, checkpoint->folder);
}

ci_status ci_safetensors_open(const ci_checkpoint *checkpoint, ci_tensors *tensors, ci_error *err) {
  return ci_layout_open(&ci_safetensors_layout, checkpoint->folder, tensors, err);
}
