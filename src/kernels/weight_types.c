/* The types in which weights lie in files, and how they become float32: one row each. */
#include "kernels/weight_types.h"
#include "kernels/int8.h"
#include <string.h>

static const char *at(const ci_weight *w, size_t row, size_t column) {
  return (const char *)w->data + (row * w->ld + column) / w->type->block * w->type->size;
}

static void panel_f32(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, size_t column0,
                      size_t columns, float *out) {
  (void)kernels;
  for (size_t r = 0; r < rows; r++) memcpy(out + r * columns, at(w, row0 + r, column0), columns * sizeof(float));
}

static void dot_f32(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, size_t m, const float *x,
                    size_t ldx, float *y, size_t ldy) {
  kernels->dot_rows(m, x, ldx, (const float *)at(w, row0, 0), w->ld, rows, w->b, y, ldy);
}

static void axpy_f32(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, const float *x,
                     float *y) {
  kernels->axpy_rows(x, (const float *)at(w, row0, 0), w->ld, rows, w->b, y);
}

static void panel_f16(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, size_t column0,
                      size_t columns, float *out) {
  for (size_t r = 0; r < rows; r++)
    kernels->widen_f16((const uint16_t *)at(w, row0 + r, column0), out + r * columns, columns);
}

static void dot_f16(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, size_t m, const float *x,
                    size_t ldx, float *y, size_t ldy) {
  kernels->dot_rows_f16(m, x, ldx, (const uint16_t *)at(w, row0, 0), w->ld, rows, w->b, y, ldy);
}

static void axpy_f16(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, const float *x,
                     float *y) {
  kernels->axpy_rows_f16(x, (const uint16_t *)at(w, row0, 0), w->ld, rows, w->b, y);
}

static void panel_bf16(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, size_t column0,
                       size_t columns, float *out) {
  for (size_t r = 0; r < rows; r++)
    kernels->widen_bf16((const uint16_t *)at(w, row0 + r, column0), out + r * columns, columns);
}

static void dot_bf16(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, size_t m, const float *x,
                     size_t ldx, float *y, size_t ldy) {
  kernels->dot_rows_bf16(m, x, ldx, (const uint16_t *)at(w, row0, 0), w->ld, rows, w->b, y, ldy);
}

static void axpy_bf16(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, const float *x,
                      float *y) {
  kernels->axpy_rows_bf16(x, (const uint16_t *)at(w, row0, 0), w->ld, rows, w->b, y);
}

#define CI_BLOCK(member, type, name, id, elements, bytes)                                                              \
  static void panel_##member(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, size_t column0,  \
                             size_t columns, float *out) {                                                             \
    for (size_t r = 0; r < rows; r++)                                                                                  \
      ci_widen_part((const uint8_t *)at(w, row0 + r, 0), elements, bytes, kernels->widen_blocks[CI_BLOCK_##member],    \
                    column0, columns, out + r * columns);                                                              \
  }                                                                                                                    \
  static void dot_##member(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, size_t m,          \
                           const float *x, size_t ldx, float *y, size_t ldy) {                                         \
    kernels->dot_blocks[CI_BLOCK_##member](m, x, ldx, (const uint8_t *)at(w, row0, 0), w->ld / elements * bytes, rows, \
                                           w->b, y, ldy);                                                              \
  }
#include "formats/blocks.def"
#undef CI_BLOCK

static const ci_weight_type rows[] = {
    {.id = "F32",
     .size = 4,
     .block = 1,
     .in_place = true,
     .panel = panel_f32,
     .few = CI_FEW_ROWS,
     .dot = dot_f32,
     .axpy = axpy_f32},
    {.id = "F16", .size = 2, .block = 1, .panel = panel_f16, .few = CI_FEW_ROWS, .dot = dot_f16, .axpy = axpy_f16},
    {.id = "BF16", .size = 2, .block = 1, .panel = panel_bf16, .few = CI_FEW_ROWS, .dot = dot_bf16, .axpy = axpy_bf16},
    {.id = "LLM.int8()",
     .size = 1,
     .block = 1,
     .panel = ci_int8_panel,
     .few = 1,
     .prepare = ci_int8_prepare,
     .multiply = ci_int8_multiply},
#define CI_BLOCK(member, type, name, id_, elements, bytes)                                                             \
  {.id = name, .size = bytes, .block = elements, .panel = panel_##member, .few = CI_FEW_ROWS, .dot = dot_##member},
#include "formats/blocks.def"
#undef CI_BLOCK
};

const ci_weight_type *ci_weight_type_named(const char *id) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcmp(rows[i].id, id) == 0) return &rows[i];
  return NULL;
}

const ci_weight_type *ci_weight_type_at(size_t index) {
  return index < sizeof rows / sizeof *rows ? &rows[index] : NULL;
}
