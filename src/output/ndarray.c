/* See ndarray.h. */
#include "output/ndarray.h"
#include "base/memory.h"
#include "formats/tensors.h"
#include "output/blob.h"
#include <math.h>
#include <string.h>
#include <zlib.h>

/* Deflate cannot do better: what claims more is no honest file. */
enum { BEST_RATIO = 1032 };

static const char PLAIN[] = "b64:", PACKED[] = "b64.gz:";

/* NULL when memory is out. */
static json_t *new_lists(const ci_ndarray *array, int dimension, const float **next) {
  if (dimension == array->rank) {
    float value = *(*next)++;
    return isfinite(value) ? json_real((double)value) : json_null();
  }
  json_t *list = json_array();
  for (size_t i = 0; i < array->shape[dimension] && list; i++)
    if (json_array_append_new(list, new_lists(array, dimension + 1, next))) {
      json_decref(list);
      list = NULL;
    }
  return list;
}

json_t *ci_ndarray_lists(const ci_ndarray *array) {
  const float *next = array->data;
  return new_lists(array, 0, &next);
}

json_t *ci_ndarray_write(const ci_ndarray *array, bool compact) {
  json_t *shape = json_array();
  size_t size = sizeof *array->data;
  ci_text text = {0};
  for (int i = 0; i < array->rank; i++) {
    json_array_append_new(shape, json_integer((json_int_t)array->shape[i]));
    size *= array->shape[i];
  }
  if (compact) {
    ci_text_add(&text, PLAIN);
    ci_base64_add(&text, array->data, size);
  }
  json_t *values = !compact      ? ci_ndarray_lists(array)
                   : text.failed ? NULL
                                 : json_stringn_nocheck(text.data, text.length);
  json_t *value = json_pack("{s:o, s:s, s:o}", "__ndarray__", values, "dtype", "float32", "shape", shape);
  if (value && array->rank > 1 && json_object_set_new(value, "Corder", json_true())) {
    json_decref(value);
    value = NULL;
  }
  ci_text_free(&text);
  return value;
}

typedef struct {
  const char *where, *what;
  ci_error *err;
} place;

/* Types of arrays, by numpy's names. */
static const struct {
  const char *name;
  ci_dtype type;
  size_t size;
} types[] = {{"float32", CI_F32, 4}, {"float64", CI_F64, 8}, {"int64", CI_I64, 8}};
enum { TYPES = sizeof types / sizeof *types };

static ci_status bad(const place *p, const char *problem) {
  return ci_fail(p->err, CI_EFILE, p->where, "%s: %s", p->what, problem);
}

/* *bytes is what the shape takes, of numbers of `size` bytes; at most 2^31, so that it fits zlib's integers too. */
static ci_status read_shape(const place *p, const json_t *shape, size_t size, ci_ndarray *array, size_t *bytes) {
  if (!json_is_array(shape) || json_array_size(shape) > CI_NDARRAY_RANK)
    return bad(p, "has no \"shape\" of 5 dimensions at most");
  array->rank = (int)json_array_size(shape);
  *bytes = size;
  for (int i = 0; i < array->rank; i++) {
    int64_t length;
    if (!ci_json_as_int(json_array_get(shape, (size_t)i), &length) || length < 0 || length > INT32_MAX)
      return bad(p, "has a \"shape\" that is none");
    array->shape[i] = (size_t)length;
    if (__builtin_mul_overflow(*bytes, array->shape[i], bytes) || *bytes > INT32_MAX)
      return bad(p, "is larger than 2 GB");
  }
  return CI_OK;
}

/* Exactly `bytes` bytes come out. */
static bool unpack(const uint8_t *packed, size_t length, void *out, size_t bytes) {
  enum { GZIP = 15 + 16 };
  z_stream stream = {.next_in = (Bytef *)packed, .avail_in = (uInt)length, .next_out = out, .avail_out = (uInt)bytes};
  if (length > UINT32_MAX || inflateInit2(&stream, GZIP) != Z_OK) return false;
  int status = inflate(&stream, Z_FINISH);
  bool whole = status == Z_STREAM_END && stream.total_out == bytes && stream.avail_in == 0;
  inflateEnd(&stream);
  return whole;
}

/* The numbers as they lie in base64: *raw, [bytes], ci_free. */
static ci_status read_packed(const place *p, const json_t *value, size_t bytes, void **raw) {
  const char *text = json_string_value(value);
  bool packed = ci_starts_with(text, PACKED);
  *raw = NULL;
  if (!packed && !ci_starts_with(text, PLAIN)) return bad(p, "is neither \"b64:\" nor \"b64.gz:\" nor lists");
  size_t skip = strlen(packed ? PACKED : PLAIN), length = json_string_length(value) - skip, decoded = 0;
  uint8_t *given = ci_alloc(length / 4 + 1, 3);
  ci_status status = given ? CI_OK : ci_fail_memory(p->err);
  if (!status && !ci_base64_decode(text + skip, length, given, &decoded)) status = bad(p, "is not base64");
  if (!status && (packed ? bytes / BEST_RATIO > decoded : bytes != decoded))
    status = bad(p, "has another size than its shape");
  if (!status && packed) {
    *raw = ci_alloc(bytes, 1);
    status = !*raw                                 ? ci_fail_memory(p->err)
             : unpack(given, decoded, *raw, bytes) ? CI_OK
                                                   : bad(p, "is not whole gzip data");
    ci_free(given);
  } else {
    *raw = given;
  }
  if (!status) return CI_OK;
  ci_free(*raw);
  *raw = NULL;
  return status;
}

/* next NULL: only looks whether they have the shape. */
static ci_status read_lists(const place *p, const ci_ndarray *array, const json_t *value, int dimension, float **next) {
  if (dimension == array->rank) {
    if (!json_is_number(value) && !json_is_null(value)) return bad(p, "holds what is no number");
    if (next) *(*next)++ = json_is_null(value) ? NAN : (float)json_number_value(value);
    return CI_OK;
  }
  if (!json_is_array(value) || json_array_size(value) != array->shape[dimension])
    return bad(p, "has lists of another shape");
  ci_status status = CI_OK;
  for (size_t i = 0; i < array->shape[dimension] && !status; i++)
    status = read_lists(p, array, json_array_get(value, i), dimension + 1, next);
  return status;
}

static ci_status read_values(const place *p, const json_t *value, ci_dtype type, size_t bytes, ci_ndarray *array) {
  size_t count = 1;
  for (int i = 0; i < array->rank; i++) count *= array->shape[i];
  void *raw = NULL;
  ci_status status = json_is_string(value) ? read_packed(p, value, bytes, &raw) : read_lists(p, array, value, 0, NULL);
  if (status) return status;
  array->data = ci_alloc(count, sizeof *array->data);
  if (!array->data) {
    status = ci_fail_memory(p->err);
  } else if (raw) {
    const ci_tensor tensor = {.type = type, .data = raw, .count = count};
    ci_tensor_widen(&tensor, 0, count, array->data);
  } else {
    float *next = array->data;
    status = read_lists(p, array, value, 0, &next);
  }
  ci_free(raw);
  return status;
}

ci_status ci_ndarray_read(const char *where, const char *what, const json_t *value, ci_ndarray *array, ci_error *err) {
  const place p = {where, what, err};
  *array = (ci_ndarray){0};
  size_t bytes = 0;
  int type = 0;
  const char *name = json_string_value(json_object_get(value, "dtype"));
  while (name && type < TYPES && strcmp(name, types[type].name) != 0) type++;
  if (!json_is_object(value) || !name || type == TYPES)
    return bad(&p, "is no array of float32, float64 or int64 as json_tricks writes it");
  if (json_is_false(json_object_get(value, "Corder"))) return bad(&p, "is not in C's order");
  array->integers = types[type].type == CI_I64;
  ci_status status = read_shape(&p, json_object_get(value, "shape"), types[type].size, array, &bytes);
  if (!status) status = read_values(&p, json_object_get(value, "__ndarray__"), types[type].type, bytes, array);
  if (!status) return CI_OK;
  ci_free(array->data);
  array->data = NULL;
  return status;
}
