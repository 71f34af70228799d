/* The container of GGUF, versions 2 and 3, all numbers little-endian:
 *
 *   "GGUF", u32 version, u64 tensors, u64 pairs
 *   pairs    string key, u32 type, value        string: u64 length, bytes; array: u32 type, u64 count, members
 *   tensors  string name, u32 rank, u64 shape[rank] (the innermost first), u32 type, u64 offset (from the data's begin)
 *   data     at the next multiple of general.alignment (32)
 *
 * Every count is bounded by the bytes that are left, since each member takes at least one. */
#include "formats/gguf.h"
#include "base/memory.h"
#include "base/text.h"
#include "formats/format.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { T_U8, T_I8, T_U16, T_I16, T_U32, T_I32, T_F32, T_BOOL, T_STRING, T_ARRAY, T_U64, T_I64, T_F64, TYPES };
static const struct {
  const char *name;
  size_t size;
} types[TYPES] = {{"uint8", 1},  {"int8", 1},    {"uint16", 2}, {"int16", 2},  {"uint32", 4},
                  {"int32", 4},  {"float32", 4}, {"bool", 1},   {"string", 8}, {"array", 12},
                  {"uint64", 8}, {"int64", 8},   {"float64", 8}};

typedef struct {
  ci_gguf *g;
  size_t at;
  ci_error *err;
} reader;

static uint64_t number(const uint8_t *p, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; i++) value |= (uint64_t)p[i] << (8 * i);
  return value;
}

/* Names in messages are of a bounded length. */
static ci_status truncated(const reader *r, const char *what) {
  return ci_fail(r->err, CI_EFILE, r->g->file, "ends within %s at byte %zu: truncated, or lengths in it are wrong",
                 what, r->at);
}

static ci_status read_number(reader *r, size_t size, const char *what, uint64_t *value) {
  if (r->g->length - r->at < size) return truncated(r, what);
  *value = number(r->g->bytes + r->at, size);
  r->at += size;
  return CI_OK;
}

static ci_status read_string(reader *r, const char *what, ci_gguf_text *text) {
  uint64_t length = 0;
  ci_status status = read_number(r, 8, what, &length);
  if (status) return status;
  if (length > r->g->length - r->at)
    return ci_fail(r->err, CI_EFILE, r->g->file, "%s at byte %zu has a string of %llu bytes, but only %zu are left",
                   what, r->at - 8, (unsigned long long)length, r->g->length - r->at);
  *text = (ci_gguf_text){(const char *)r->g->bytes + r->at, (size_t)length};
  r->at += (size_t)length;
  return CI_OK;
}

/* Keys and names: short, without NUL, terminated. */
static ci_status read_name(reader *r, const char *what, char **name) {
  enum { LONGEST = 512 };
  ci_gguf_text text;
  ci_status status = read_string(r, what, &text);
  if (status) return status;
  if (!text.length || text.length > LONGEST || memchr(text.bytes, 0, text.length) ||
      !ci_utf8_valid(text.bytes, text.length))
    return ci_fail(r->err, CI_EFILE, r->g->file, "%s before byte %zu is no name: expected 1 to %d bytes of UTF-8", what,
                   r->at, LONGEST);
  *name = ci_duplicate_n(text.bytes, text.length);
  return *name ? CI_OK : ci_fail_memory(r->err);
}

static ci_status bad_type(const reader *r, const char *key, uint64_t type) {
  return ci_fail(r->err, CI_EFILE, r->g->file, "key \"%s\" has the unknown value type %llu, expected 0 to %d", key,
                 (unsigned long long)type, TYPES - 1);
}

static ci_status read_members(reader *r, const char *key, ci_gguf_value *value) {
  size_t left = r->g->length - r->at;
  if (value->count > left / types[value->type].size)
    return ci_fail(r->err, CI_EFILE, r->g->file, "key \"%s\" has an array of %llu %s, but only %zu bytes are left", key,
                   (unsigned long long)value->count, types[value->type].name, left);
  if (value->type != T_STRING) {
    r->at += (size_t)value->count * types[value->type].size;
    return CI_OK;
  }
  for (uint64_t i = 0; i < value->count; i++) {
    ci_gguf_text text;
    ci_status status = read_string(r, key, &text);
    if (status) return status;
  }
  return CI_OK;
}

static ci_status read_value(reader *r, ci_gguf_value *value) {
  uint64_t type = 0;
  ci_status status = read_number(r, 4, value->key, &type);
  if (status) return status;
  if (type >= TYPES) return bad_type(r, value->key, type);
  value->array = type == T_ARRAY;
  value->count = 1;
  if (value->array) {
    status = read_number(r, 4, value->key, &type);
    if (!status) status = read_number(r, 8, value->key, &value->count);
    if (status) return status;
    if (type == T_ARRAY)
      return ci_fail(r->err, CI_EFILE, r->g->file, "key \"%s\" is an array of arrays, expected numbers or strings",
                     value->key);
    if (type >= TYPES) return bad_type(r, value->key, type);
  }
  value->type = (uint32_t)type;
  value->at = r->g->bytes + r->at;
  return read_members(r, value->key, value);
}

static ci_status read_pair(reader *r) {
  ci_gguf *g = r->g;
  if (ci_reserve((void **)&g->values, &g->values_capacity, g->values_count + 1, sizeof *g->values))
    return ci_fail_memory(r->err);
  ci_gguf_value *value = &g->values[g->values_count];
  *value = (ci_gguf_value){0};
  ci_status status = read_name(r, "a key", &value->key);
  if (status) return status;
  json_t *position = json_integer((json_int_t)g->values_count++); /* closed with the rest from here on */
  if (ci_gguf_find(g, value->key))
    return json_decref(position), ci_fail(r->err, CI_EFILE, g->file, "has the key \"%s\" twice", value->key);
  if (json_object_set_new_nocheck(g->positions, value->key, position)) return ci_fail_memory(r->err);
  return read_value(r, value);
}

static const struct {
  uint32_t id;
  ci_dtype type;
} tensor_types[] = {
    {0, CI_F32}, {1, CI_F16}, {24, CI_I8}, {25, CI_I16}, {26, CI_I32}, {27, CI_I64}, {28, CI_F64}, {30, CI_BF16},
#define CI_BLOCK(member, type, name, id, elements, bytes) {id, type},
#include "formats/blocks.def"
#undef CI_BLOCK
};

/* ggml's types that are not read here, by name. */
static const struct {
  uint32_t id;
  const char *name;
} other_types[] = {{4, "Q4_2"},    {5, "Q4_3"},     {9, "Q8_1"},   {15, "Q8_K"},  {16, "IQ2_XXS"},
                   {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"}, {21, "IQ3_S"}, {22, "IQ2_S"},
                   {29, "IQ1_M"},  {34, "TQ1_0"},   {35, "TQ2_0"}};

static ci_status find_type(const reader *r, const char *name, uint64_t id, ci_dtype *type) {
  const char *known = NULL;
  for (size_t i = 0; i < sizeof tensor_types / sizeof *tensor_types; i++)
    if (tensor_types[i].id == id) return *type = tensor_types[i].type, CI_OK;
  for (size_t i = 0; i < sizeof other_types / sizeof *other_types; i++)
    if (other_types[i].id == id) known = other_types[i].name;
  ci_text expected = {0};
  for (size_t i = 0; i < sizeof tensor_types / sizeof *tensor_types; i++)
    ci_text_add_format(&expected, i ? ", %s" : "%s", ci_dtype_name(tensor_types[i].type));
  ci_status status =
      ci_fail(r->err, CI_EFILE, r->g->file, "tensor \"%s\" has the type %llu (%s), expected one of %s", name,
              (unsigned long long)id, known ? known : "unknown", expected.data ? expected.data : "");
  ci_text_free(&expected);
  return status;
}

static ci_status read_shape(reader *r, const char *name, ci_tensor *t) {
  uint64_t rank = 0, size = 0;
  ci_status status = read_number(r, 4, "a tensor's rank", &rank);
  if (status) return status;
  if (rank > CI_MAX_RANK)
    return ci_fail(r->err, CI_EFILE, r->g->file, "tensor \"%s\" has %llu dimensions, expected at most %d", name,
                   (unsigned long long)rank, CI_MAX_RANK);
  t->rank = (int)rank;
  for (int i = t->rank - 1; i >= 0 && !status; i--) {
    status = read_number(r, 8, "a tensor's shape", &size);
    t->shape[i] = (size_t)size;
  }
  return status;
}

/* Where a tensor's bytes lie, from the data's begin. */
typedef struct {
  uint64_t offset, bytes;
  size_t tensor;
} span;

static ci_status read_tensor(reader *r, span *at) {
  ci_gguf *g = r->g;
  if (ci_reserve((void **)&g->tensors, &g->tensors_capacity, g->tensors_count + 1, sizeof *g->tensors))
    return ci_fail_memory(r->err);
  ci_gguf_tensor *t = &g->tensors[g->tensors_count];
  *t = (ci_gguf_tensor){.tensor = {.file = g->file}};
  ci_status status = read_name(r, "a tensor's name", &t->name);
  if (status) return status;
  at->tensor = g->tensors_count++;
  t->tensor.name = t->name;
  uint64_t type = 0;
  status = read_shape(r, t->name, &t->tensor);
  if (!status) status = read_number(r, 4, "a tensor's type", &type);
  if (!status) status = find_type(r, t->name, type, &t->tensor.type);
  return status ? status : read_number(r, 8, "a tensor's offset", &at->offset);
}

enum { ELEMENT = 8 }; /* bytes of the largest number of a tensor; the format's least alignment */

static ci_status place(const reader *r, span *at) {
  const ci_gguf *g = r->g;
  ci_gguf_tensor *t = &g->tensors[at->tensor];
  size_t bytes, room = g->length - g->data;
  if (!ci_shape_measure(t->tensor.rank, t->tensor.shape, t->tensor.type, &t->tensor.count, &bytes))
    return ci_fail(r->err, CI_EFILE, g->file,
                   "tensor \"%s\" has a shape that is too large, or rows that are no multiple of %s's %zu", t->name,
                   ci_dtype_name(t->tensor.type), ci_dtype_block(t->tensor.type));
  if (!bytes) return ci_fail(r->err, CI_EFILE, g->file, "tensor \"%s\" has no elements", t->name);
  if (at->offset % ELEMENT) /* the numbers are read where they lie */
    return ci_fail(r->err, CI_EFILE, g->file, "tensor \"%s\" has the offset %llu, expected a multiple of %d", t->name,
                   (unsigned long long)at->offset, ELEMENT);
  if (at->offset > room || bytes > room - at->offset)
    return ci_fail(r->err, CI_EFILE, g->file,
                   "tensor \"%s\" has %zu bytes from offset %llu, out of range: there are %zu bytes of data", t->name,
                   bytes, (unsigned long long)at->offset, room);
  t->tensor.data = g->bytes + g->data + at->offset;
  at->bytes = bytes;
  return CI_OK;
}

static int by_offset(const void *a, const void *b) {
  const span *x = a, *y = b;
  return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Tensors that share bytes would make a small file a large model. */
static ci_status check_overlaps(const reader *r, span *spans, size_t count) {
  if (count) qsort(spans, count, sizeof *spans, by_offset);
  for (size_t i = 1; i < count; i++)
    if (spans[i - 1].offset + spans[i - 1].bytes > spans[i].offset)
      return ci_fail(r->err, CI_EFILE, r->g->file, "tensors \"%s\" and \"%s\" overlap at offset %llu",
                     r->g->tensors[spans[i - 1].tensor].name, r->g->tensors[spans[i].tensor].name,
                     (unsigned long long)spans[i].offset);
  return CI_OK;
}

static ci_status find_data(const reader *r) {
  ci_gguf *g = r->g;
  int64_t alignment;
  ci_status status = ci_gguf_integer(g, "general.alignment", 32, &alignment, r->err);
  if (status) return status;
  if (alignment < ELEMENT || alignment > 1 << 20 || alignment & (alignment - 1))
    return ci_fail(r->err, CI_EFILE, g->file, "key \"general.alignment\" is %lld, expected a power of two from %d on",
                   (long long)alignment, ELEMENT);
  size_t step = (size_t)alignment;
  g->data = r->at > SIZE_MAX - step ? g->length : (r->at + step - 1) / step * step;
  if (g->data > g->length) g->data = g->length;
  return CI_OK;
}

static ci_status read_tensors(reader *r, uint64_t count) {
  enum { LEAST = 8 + 1 + 4 + 4 + 8 }; /* bytes of a tensor's entry */
  if (count > (r->g->length - r->at) / LEAST)
    return ci_fail(r->err, CI_EFILE, r->g->file, "claims %llu tensors, but only %zu bytes are left",
                   (unsigned long long)count, r->g->length - r->at);
  span *spans = ci_alloc((size_t)count, sizeof *spans);
  if (!spans) return ci_fail_memory(r->err);
  ci_status status = CI_OK;
  for (size_t i = 0; i < count && !status; i++) status = read_tensor(r, &spans[i]);
  if (!status) status = find_data(r);
  for (size_t i = 0; i < count && !status; i++) status = place(r, &spans[i]);
  if (!status) status = check_overlaps(r, spans, (size_t)count);
  ci_free(spans);
  return status;
}

ci_status ci_gguf_parse(ci_gguf *g, const char *file, const uint8_t *bytes, size_t length, ci_error *err) {
  *g = (ci_gguf){.file = file, .bytes = bytes, .length = length};
  reader r = {g, 4, err};
  uint64_t version = 0, tensors = 0, pairs = 0;
  if (length < 24 || memcmp(bytes, "GGUF", 4) != 0)
    return ci_fail(err, CI_EFILE, file, "is no GGUF file: it does not begin with \"GGUF\"");
  read_number(&r, 4, "the version", &version);
  read_number(&r, 8, "the number of tensors", &tensors);
  read_number(&r, 8, "the number of keys", &pairs);
  if (version != 2 && version != 3)
    return ci_fail(err, CI_EFILE, file, "is GGUF of version %llu%s, expected 2 or 3 in little-endian order",
                   (unsigned long long)version, version && !(version & 0xffffffu) ? " (big-endian)" : "");
  if (pairs > (length - r.at) / 13 || pairs > 1 << 14) /* length, a byte, type; files have some dozens */
    return ci_fail(err, CI_EFILE, file, "claims %llu keys, in %zu bytes: expected at most %d",
                   (unsigned long long)pairs, length - r.at, 1 << 14);
  g->positions = json_object();
  ci_status status = g->positions ? CI_OK : ci_fail_memory(err);
  for (uint64_t i = 0; i < pairs && !status; i++) status = read_pair(&r);
  return status ? status : read_tensors(&r, tensors);
}

void ci_gguf_close(ci_gguf *g) {
  for (size_t i = 0; i < g->values_count; i++) ci_free(g->values[i].key);
  for (size_t i = 0; i < g->tensors_count; i++) ci_free(g->tensors[i].name);
  ci_free(g->values);
  ci_free(g->tensors);
  json_decref(g->positions);
  *g = (ci_gguf){0};
}

const ci_gguf_value *ci_gguf_find(const ci_gguf *g, const char *key) {
  const json_t *position = json_object_get(g->positions, key);
  return position ? &g->values[json_integer_value(position)] : NULL;
}

ci_gguf_text ci_gguf_next(const uint8_t **at) {
  ci_gguf_text text = {(const char *)*at + 8, (size_t)number(*at, 8)};
  *at += 8 + text.length;
  return text;
}

size_t ci_gguf_member_size(const ci_gguf_value *value) {
  return types[value->type].size;
}

bool ci_gguf_is_strings(const ci_gguf_value *value) {
  return value && value->array && value->type == T_STRING;
}

static json_t *real(const uint8_t *at) {
  uint32_t bits = (uint32_t)number(at, 4);
  float value;
  char text[40];
  memcpy(&value, &bits, sizeof value);
  if (!(value - value == 0)) return json_null();
  for (int digits = 6; digits <= 9; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, (double)value);
    if (strtof(text, NULL) == value) break;
  }
  return json_real(strtod(text, NULL));
}

static json_t *member(uint32_t type, const uint8_t *at) {
  uint64_t bits = type == T_STRING ? 0 : number(at, types[type].size);
  double wide;
  switch (type) {
  case T_I8:
    return json_integer((int8_t)bits);
  case T_I16:
    return json_integer((int16_t)bits);
  case T_I32:
    return json_integer((int32_t)bits);
  case T_F32:
    return real(at);
  case T_F64:
    memcpy(&wide, &bits, sizeof wide);
    return wide - wide == 0 ? json_real(wide) : json_null();
  case T_BOOL:
    return json_boolean(bits);
  case T_STRING:
    return NULL;
  default:
    return json_integer((json_int_t)bits);
  }
}

json_t *ci_gguf_json(const ci_gguf_value *value) {
  const uint8_t *at = value->at;
  if (!value->array && value->type == T_STRING) {
    ci_gguf_text text = ci_gguf_next(&at);
    return json_stringn(text.bytes, text.length); /* NULL: no UTF-8 */
  }
  if (!value->array) return member(value->type, at);
  json_t *list = value->type == T_STRING ? NULL : json_array();
  for (uint64_t i = 0; list && i < value->count; i++, at += types[value->type].size)
    if (json_array_append_new(list, member(value->type, at))) return json_decref(list), NULL;
  return list;
}

static ci_status wrong(const ci_gguf *g, const ci_gguf_value *value, const char *expected, ci_error *err) {
  return ci_fail(err, CI_EFILE, g->file, "key \"%s\" is %s%s, expected %s", value->key,
                 value->array ? "an array of " : "", types[value->type].name, expected);
}

ci_status ci_gguf_string(const ci_gguf *g, const char *key, ci_gguf_text fallback, ci_gguf_text *text, ci_error *err) {
  const ci_gguf_value *value = ci_gguf_find(g, key);
  *text = fallback;
  if (!value) return CI_OK;
  if (value->array || value->type != T_STRING) return wrong(g, value, "a string", err);
  const uint8_t *at = value->at;
  *text = ci_gguf_next(&at);
  if (!ci_utf8_valid(text->bytes, text->length) || memchr(text->bytes, 0, text->length))
    return wrong(g, value, "UTF-8", err);
  return CI_OK;
}

ci_status ci_gguf_integer(const ci_gguf *g, const char *key, int64_t fallback, int64_t *result, ci_error *err) {
  const ci_gguf_value *value = ci_gguf_find(g, key);
  *result = fallback;
  if (!value) return CI_OK;
  json_t *json = value->array ? NULL : member(value->type, value->at);
  bool whole = json_is_integer(json);
  if (whole) *result = json_integer_value(json);
  json_decref(json);
  return whole ? CI_OK : wrong(g, value, "an integer", err);
}

ci_status ci_gguf_boolean(const ci_gguf *g, const char *key, bool fallback, bool *result, ci_error *err) {
  const ci_gguf_value *value = ci_gguf_find(g, key);
  *result = value ? *value->at != 0 : fallback;
  return !value || (!value->array && value->type == T_BOOL) ? CI_OK : wrong(g, value, "a bool", err);
}
