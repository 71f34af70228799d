/* See ndarray.h. */
#include "output/ndarray.h"
#include "base/memory.h"
#include "output/blob.h"
#include <string.h>
#include <zlib.h>

/* Deflate cannot do better: what claims more is no honest file. */
enum { BEST_RATIO = 1032 };

static const char PLAIN[] = "b64:", PACKED[] = "b64.gz:";

json_t *ci_ndarray_write(const ci_ndarray *array) {
  json_t *shape = json_array();
  size_t size = sizeof *array->data;
  ci_text text = {0};
  for (int i = 0; i < array->rank; i++) {
    json_array_append_new(shape, json_integer((json_int_t)array->shape[i]));
    size *= array->shape[i];
  }
  ci_text_add(&text, PLAIN);
  ci_base64_add(&text, array->data, size);
  json_t *value =
      json_pack("{s:o, s:s, s:o}", "__ndarray__", text.failed ? NULL : json_stringn_nocheck(text.data, text.length),
                "dtype", "float32", "shape", shape);
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

static ci_status bad(const place *p, const char *problem) {
  return ci_fail(p->err, CI_EFILE, p->where, "%s: %s", p->what, problem);
}

/* *bytes is what the shape takes; at most 2^31, so that it fits zlib's integers too. */
static ci_status read_shape(const place *p, const json_t *shape, ci_ndarray *array, size_t *bytes) {
  if (!json_is_array(shape) || json_array_size(shape) > CI_NDARRAY_RANK)
    return bad(p, "has no \"shape\" of 5 dimensions at most");
  array->rank = (int)json_array_size(shape);
  *bytes = sizeof *array->data;
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

static ci_status read_values(const place *p, const json_t *value, ci_ndarray *array, size_t bytes) {
  const char *text = json_string_value(value);
  bool packed = text && ci_starts_with(text, PACKED);
  if (!text || !(packed || ci_starts_with(text, PLAIN)))
    return bad(p, "is not compact: save it with ndarray_compact=True");
  size_t skip = strlen(packed ? PACKED : PLAIN), length = json_string_length(value) - skip, decoded = 0;
  uint8_t *raw = ci_alloc(length / 4 + 1, 3);
  ci_status status = raw ? CI_OK : ci_fail_memory(p->err);
  if (!status && !ci_base64_decode(text + skip, length, raw, &decoded)) status = bad(p, "is not base64");
  if (!status && (packed ? bytes / BEST_RATIO > decoded : bytes != decoded))
    status = bad(p, "has another size than its shape");
  array->data = status ? NULL : ci_alloc(bytes, 1);
  if (!status && !array->data) status = ci_fail_memory(p->err);
  if (!status && packed && !unpack(raw, decoded, array->data, bytes)) status = bad(p, "is not whole gzip data");
  if (!status && !packed && bytes) memcpy(array->data, raw, bytes);
  ci_free(raw);
  return status;
}

ci_status ci_ndarray_read(const char *where, const char *what, const json_t *value, ci_ndarray *array, ci_error *err) {
  const place p = {where, what, err};
  *array = (ci_ndarray){0};
  size_t bytes = 0;
  const char *type = json_string_value(json_object_get(value, "dtype"));
  if (!json_is_object(value) || !type || strcmp(type, "float32") != 0)
    return bad(&p, "is no array of float32 as json_tricks writes it");
  if (json_is_false(json_object_get(value, "Corder"))) return bad(&p, "is not in C's order");
  ci_status status = read_shape(&p, json_object_get(value, "shape"), array, &bytes);
  if (!status) status = read_values(&p, json_object_get(value, "__ndarray__"), array, bytes);
  if (!status) return CI_OK;
  ci_free(array->data);
  array->data = NULL;
  return status;
}
