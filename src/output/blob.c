/* See blob.h. */
#include "output/blob.h"
#include "base/memory.h"
#include "formats/format.h"
#include <math.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays are copied as they lie in memory");

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char NAME[] = "attribution";

void ci_base64_add(ci_text *out, const void *bytes, size_t length) {
  enum { AT_ONCE = 3 * 256 };
  const uint8_t *from = bytes;
  while (length) {
    char piece[AT_ONCE / 3 * 4];
    size_t take = length < AT_ONCE ? length : AT_ONCE, made = 0;
    for (size_t i = 0; i < take; i += 3) {
      size_t there = take - i < 3 ? take - i : 3;
      uint32_t bits = (uint32_t)from[i] << 16;
      if (there > 1) bits |= (uint32_t)from[i + 1] << 8;
      if (there > 2) bits |= from[i + 2];
      for (size_t c = 0; c < 4; c++) piece[made++] = c <= there ? ALPHABET[bits >> (18 - 6 * c) & 63] : '=';
    }
    ci_text_add_n(out, piece, made);
    from += take;
    length -= take;
  }
}

bool ci_base64_decode(const char *text, size_t length, uint8_t *out, size_t *out_length) {
  uint8_t values[256];
  memset(values, 0xff, sizeof values);
  for (uint8_t i = 0; i < 64; i++) values[(uint8_t)ALPHABET[i]] = i;
  if (length % 4) return false;
  size_t padding = 0;
  while (padding < 2 && padding < length && text[length - 1 - padding] == '=') padding++;
  size_t made = 0;
  for (size_t i = 0; i < length; i += 4) {
    size_t there = i + 4 == length ? 4 - padding : 4;
    uint32_t bits = 0;
    for (size_t c = 0; c < 4; c++) {
      uint8_t value = c < there ? values[(uint8_t)text[i + c]] : 0;
      if (value > 63) return false;
      bits = bits << 6 | value;
    }
    if ((there == 2 && bits & 0xffff) || (there == 3 && bits & 0xff)) return false; /* bits that no byte takes */
    for (size_t b = 0; b + 1 < there; b++) out[made++] = (uint8_t)(bits >> (16 - 8 * b));
  }
  *out_length = made;
  return true;
}

/* The length of the header, the header, filled up with spaces to a multiple of 8. */
static void write_header(const ci_array *array, size_t bytes, ci_text *blob) {
  ci_text header = {0};
  ci_text_add_format(&header, "{\"%s\":{\"dtype\":\"%s\",\"shape\":[", NAME, array->integers ? "I64" : "F32");
  for (int i = 0; i < array->rank; i++) ci_text_add_format(&header, "%s%zu", i ? "," : "", array->shape[i]);
  ci_text_add_format(&header, "],\"data_offsets\":[0,%zu]}}", bytes);
  while (header.length % 8 && !header.failed) ci_text_add_n(&header, " ", 1);
  uint64_t length = header.length;
  ci_text_add_n(blob, (const char *)&length, sizeof length);
  ci_text_add_n(blob, header.data, header.length);
  if (header.failed) blob->failed = true;
  ci_text_free(&header);
}

/* The nearest integer that there is: hostile files hold what has none. */
static int64_t whole_number(float value) {
  if (isnan(value)) return 0;
  if (fabsf(value) < 0x1p63f) return (int64_t)value;
  return value < 0 ? INT64_MIN : INT64_MAX;
}

ci_status ci_blob_write(const ci_array *array, ci_text *out, ci_error *err) {
  size_t count = ci_array_size(array), size = array->integers ? sizeof(int64_t) : sizeof(float);
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return ci_fail_memory(err);
  ci_text blob = {0};
  write_header(array, bytes, &blob);
  if (array->integers)
    for (size_t i = 0; i < count; i++) {
      int64_t whole = whole_number(array->data[i]);
      ci_text_add_n(&blob, (const char *)&whole, sizeof whole);
    }
  else if (bytes)
    ci_text_add_n(&blob, (const char *)array->data, bytes);
  if (!blob.failed) ci_base64_add(out, blob.data, blob.length);
  bool failed = blob.failed || out->failed;
  ci_text_free(&blob);
  return failed ? ci_fail_memory(err) : CI_OK;
}

static ci_status take_tensor(const char *where, const char *what, const ci_tensors *tensors, ci_array *array,
                             ci_error *err) {
  const ci_tensor *tensor = ci_tensors_find(tensors, NAME);
  if (!tensor || ci_tensors_count(tensors) != 1)
    return ci_fail(err, CI_EFILE, where, "%s: holds %zu tensors, expected one, \"%s\"", what, ci_tensors_count(tensors),
                   NAME);
  enum { MOST = sizeof array->shape / sizeof *array->shape };
  if (tensor->rank > MOST)
    return ci_fail(err, CI_EFILE, where, "%s: has %d dimensions, expected at most %d", what, tensor->rank, MOST);
  ci_status status = ci_array_create(array, tensor->rank, tensor->shape, err);
  if (status) return status;
  ci_tensor_widen(tensor, 0, tensor->count, array->data);
  array->integers = tensor->type == CI_I64;
  return CI_OK;
}

ci_status ci_blob_read(const char *where, const char *what, const json_t *value, ci_array *array, ci_error *err) {
  *array = (ci_array){0};
  if (!json_is_string(value))
    return ci_fail(err, CI_EFILE, where, "%s: is not a base64 string (files of Inseq before 0.7 cannot be read)", what);
  size_t length = json_string_length(value), decoded = 0;
  ci_tensors *tensors = ci_tensors_create();
  uint8_t *bytes = ci_alloc(length / 4 + 1, 3);
  ci_status status = CI_OK;
  ci_error problem = {0};
  if (!tensors || !bytes)
    status = ci_fail_memory(err);
  else if (!ci_base64_decode(json_string_value(value), length, bytes, &decoded))
    status = ci_fail(err, CI_EFILE, where, "%s: is not base64", what);
  else if (ci_safetensors_parse(what, bytes, decoded, tensors, &problem))
    status = ci_fail(err, (ci_status)problem.code, where, "%s: %s", what, problem.message);
  else
    status = take_tensor(where, what, tensors, array, err);
  ci_tensors_close(tensors);
  ci_free(bytes);
  return status;
}
