/* See blob.h. */
#include "output/blob.h"
#include "base/memory.h"
#include "formats/format.h"
#include "output/ndarray.h"
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

/* Floating point of less than 32 bits: a sign, an exponent, a fraction. */
typedef struct {
  const char *name;
  size_t size;
  int fraction, bias;
  uint16_t largest, past, nan; /* codes: the largest number, what stands for larger ones, NaN */
} narrow_type;

/* torch's: float16 has infinities, float8_e4m3fn has none. */
static const narrow_type narrow_types[] = {[CI_SAVE_FLOAT16] = {"F16", 2, 10, 15, 0x7bff, 0x7c00, 0x7e00},
                                           [CI_SAVE_FLOAT8] = {"F8_E4M3", 1, 3, 7, 0x7e, 0x7e, 0x7f}};

/* value = n 2^(exponent - fraction), with n a whole number: n has fraction + 1 bits, or fewer at the least exponent.
 * What rounding carries over makes the next exponent by itself. */
static uint16_t narrow(const narrow_type *t, float value) {
  uint16_t sign = (uint16_t)(signbit(value) ? 1u << (8 * t->size - 1) : 0u);
  int exponent, least = 1 - t->bias;
  if (isnan(value)) return t->nan;
  if (isinf(value)) return (uint16_t)(sign | t->past);
  frexpf(value, &exponent);
  exponent = value == 0 || exponent - 1 < least ? least : exponent - 1;
  double n = nearbyint(ldexp(fabs((double)value), t->fraction - exponent));
  double code = ldexp(exponent + t->bias - 1, t->fraction) + n;
  return (uint16_t)(sign | (code > t->largest ? t->past : (uint16_t)code));
}

/* The length of the header, the header, filled up with spaces to a multiple of 8. */
static void write_header(const ci_array *array, const char *type, size_t bytes, ci_text *blob) {
  ci_text header = {0};
  ci_text_add_format(&header, "{\"%s\":{\"dtype\":\"%s\",\"shape\":[", NAME, type);
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

static void write_integers(const ci_array *array, ci_text *blob) {
  for (size_t i = 0; i < ci_array_size(array); i++) {
    int64_t whole = whole_number(array->data[i]);
    ci_text_add_n(blob, (const char *)&whole, sizeof whole);
  }
}

static void write_narrow(const ci_array *array, const narrow_type *type, ci_text *blob) {
  for (size_t i = 0; i < ci_array_size(array); i++) {
    uint16_t code = narrow(type, array->data[i]);
    ci_text_add_n(blob, (const char *)&code, type->size);
  }
}

ci_status ci_blob_write(const ci_array *array, ci_saved_type type, ci_text *out, ci_error *err) {
  const narrow_type *small = type == CI_SAVE_FLOAT32 ? NULL : &narrow_types[type];
  size_t count = ci_array_size(array), bytes;
  size_t size = small ? small->size : array->integers ? sizeof(int64_t) : sizeof(float);
  if (__builtin_mul_overflow(count, size, &bytes)) return ci_fail_memory(err);
  ci_text blob = {0};
  write_header(array, small ? small->name : array->integers ? "I64" : "F32", bytes, &blob);
  if (small)
    write_narrow(array, small, &blob);
  else if (array->integers)
    write_integers(array, &blob);
  else if (bytes)
    ci_text_add_n(&blob, (const char *)array->data, bytes);
  if (!blob.failed) ci_base64_add(out, blob.data, blob.length);
  bool failed = blob.failed || out->failed;
  ci_text_free(&blob);
  return failed ? ci_fail_memory(err) : CI_OK;
}

/* Inseq before 0.7. */
static ci_status take_ndarray(const char *where, const char *what, const json_t *value, ci_array *array,
                              ci_error *err) {
  enum { MOST = sizeof array->shape / sizeof *array->shape };
  ci_ndarray read;
  ci_status status = ci_ndarray_read(where, what, value, &read, err);
  if (status) return status;
  if (read.rank > MOST)
    status = ci_fail(err, CI_EFILE, where, "%s: has %d dimensions, expected at most %d", what, read.rank, MOST);
  if (!status) status = ci_array_create(array, read.rank, read.shape, err);
  if (!status) memcpy(array->data, read.data, ci_array_size(array) * sizeof *array->data);
  if (!status) array->integers = read.integers;
  ci_free(read.data);
  return status;
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
  if (json_is_object(value)) return take_ndarray(where, what, value, array, err);
  if (!json_is_string(value))
    return ci_fail(err, CI_EFILE, where, "%s: is not a base64 string, nor an array of json_tricks", what);
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
