/* The element types of tensors: names, sizes, widening to float32 (a signalling NaN comes out quiet, as IEEE 754
 * conversions do). For vectors and result files: products with weights have kernels of their own
 * (kernels/weight_types.c). */
#include "formats/format.h"
#include <string.h>

typedef void (*widen_call)(const void *data, size_t first, size_t count, float *out);

typedef struct {
  const char *name; /* as safetensors writes it */
  size_t size;      /* bytes of a block */
  size_t block;     /* elements of a block */
  widen_call widen;
} dtype_row;

static float from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* A NaN is made quiet, everything else is the upper half of a float32. */
static float widen_bf16(uint16_t half) {
  uint32_t bits = (uint32_t)half << 16;
  return from_bits((bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x00400000u : bits);
}

/* 1 sign, 5 exponent (bias 15), 10 fraction bits. */
static inline float half_to_float(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = (half >> 10) & 0x1fu, fraction = half & 0x3ffu;
  if (exponent == 0x1f) return from_bits(sign | 0x7f800000u | fraction << 13 | (fraction ? 0x00400000u : 0));
  if (exponent == 0) {
    float value = (float)fraction * 0x1p-24f; /* subnormal: exact in float32 */
    return sign ? -value : value;
  }
  return from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}

/* 1 sign, 4 exponent (bias 7), 3 fraction bits; no infinity, all ones is NaN. */
static float widen_f8_e4m3(uint8_t byte) {
  uint32_t sign = (uint32_t)(byte & 0x80u) << 24, exponent = (byte >> 3) & 0xfu, fraction = byte & 7u;
  if ((byte & 0x7fu) == 0x7f) return from_bits(sign | 0x7fc00000u);
  if (exponent == 0) {
    float value = (float)fraction * 0x1p-9f;
    return sign ? -value : value;
  }
  return from_bits(sign | (exponent + 127 - 7) << 23 | fraction << 20);
}

static void all_f32(const void *data, size_t first, size_t count, float *out) {
  if (count) memcpy(out, (const float *)data + first, count * sizeof *out);
}

static void all_f16(const void *data, size_t first, size_t count, float *out) {
  const uint16_t *halves = (const uint16_t *)data + first;
  for (size_t i = 0; i < count; i++) out[i] = half_to_float(halves[i]);
}

static void all_bf16(const void *data, size_t first, size_t count, float *out) {
  const uint16_t *halves = (const uint16_t *)data + first;
  for (size_t i = 0; i < count; i++) out[i] = widen_bf16(halves[i]);
}

static void all_f8_e4m3(const void *data, size_t first, size_t count, float *out) {
  const uint8_t *bytes = (const uint8_t *)data + first;
  for (size_t i = 0; i < count; i++) out[i] = widen_f8_e4m3(bytes[i]);
}

/* The nearest float32: exact for 8 and 16 bits. */
#define NEAREST(function, type)                                                                                        \
  static void function(const void *data, size_t first, size_t count, float *out) {                                     \
    const type *values = (const type *)data + first;                                                                   \
    for (size_t i = 0; i < count; i++) out[i] = (float)values[i];                                                      \
  }
NEAREST(all_f64, double)
NEAREST(all_i64, int64_t)
NEAREST(all_i32, int32_t)
NEAREST(all_i16, int16_t)
NEAREST(all_i8, int8_t)
NEAREST(all_u8, uint8_t)

static void all_boolean(const void *data, size_t first, size_t count, float *out) {
  const uint8_t *bytes = (const uint8_t *)data + first;
  for (size_t i = 0; i < count; i++) out[i] = bytes[i] ? 1.0f : 0.0f;
}

#include "formats/blocks_body.h"

void ci_widen_part(const uint8_t *data, size_t elements, size_t bytes, ci_widen_blocks *widen, size_t first,
                   size_t count, float *out) {
  while (count) {
    size_t skip = first % elements, whole = skip ? 0 : count / elements;
    const uint8_t *block = data + first / elements * bytes;
    size_t done = whole * elements;
    if (whole) {
      widen(block, whole, out);
    } else {
      float one[CI_LARGEST_BLOCK];
      widen(block, 1, one);
      done = elements - skip < count ? elements - skip : count;
      memcpy(out, one + skip, done * sizeof *out);
    }
    first += done;
    count -= done;
    out += done;
  }
}

#define CI_BLOCK(member, type, name, id, elements, bytes)                                                              \
  static void all_##member(const void *data, size_t first, size_t count, float *out) {                                 \
    ci_widen_part(data, elements, bytes, widen_##member, first, count, out);                                           \
  }
#include "formats/blocks.def"
#undef CI_BLOCK

static const dtype_row dtypes[] = {
    [CI_F32] = {"F32", 4, 1, all_f32},
    [CI_F16] = {"F16", 2, 1, all_f16},
    [CI_BF16] = {"BF16", 2, 1, all_bf16},
    [CI_F64] = {"F64", 8, 1, all_f64},
    [CI_I64] = {"I64", 8, 1, all_i64},
    [CI_I32] = {"I32", 4, 1, all_i32},
    [CI_I16] = {"I16", 2, 1, all_i16},
    [CI_I8] = {"I8", 1, 1, all_i8},
    [CI_U8] = {"U8", 1, 1, all_u8},
    [CI_BOOLEAN] = {"BOOL", 1, 1, all_boolean},
    [CI_F8_E4M3] = {"F8_E4M3", 1, 1, all_f8_e4m3},
#define CI_BLOCK(member, type, name, id, elements, bytes) [type] = {name, bytes, elements, all_##member},
#include "formats/blocks.def"
#undef CI_BLOCK
};

const char *ci_dtype_name(ci_dtype type) {
  return dtypes[type].name;
}

size_t ci_dtype_block(ci_dtype type) {
  return dtypes[type].block;
}

size_t ci_dtype_size(ci_dtype type) {
  return dtypes[type].size;
}

bool ci_dtype_find(const char *name, ci_dtype *type) {
  for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
    if (dtypes[i].block == 1 && strcmp(name, dtypes[i].name) == 0) {
      *type = (ci_dtype)i;
      return true;
    }
  return false;
}

bool ci_shape_measure(int rank, const size_t *shape, ci_dtype type, size_t *count, size_t *bytes) {
  size_t product = 1;
  for (int i = 0; i < rank; i++)
    if (__builtin_mul_overflow(product, shape[i], &product)) return false;
  *count = product;
  size_t block = ci_dtype_block(type);
  if (block > 1 && (!rank || shape[rank - 1] % block)) return false; /* a block ends where its row ends */
  return !__builtin_mul_overflow(product / block, ci_dtype_size(type), bytes);
}

void ci_tensor_widen(const ci_tensor *tensor, size_t first, size_t count, float *out) {
  dtypes[tensor->type].widen(tensor->data, first, count, out);
}
