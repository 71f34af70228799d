/* The types in which weights lie in files, and how they become float32: one row each. */
#include "kernels/weight_types.h"
#include <string.h>

static const char *at(const ci_weight *w, size_t row, size_t column) {
  return (const char *)w->data + (row * w->ld + column) * w->type->size;
}

static void panel_f32(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, size_t column0, size_t columns,
                      float *out) {
  (void)kernels;
  for (size_t r = 0; r < rows; r++) memcpy(out + r * columns, at(w, row0 + r, column0), columns * sizeof(float));
}

static void dot_f32(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, const float *x, float *out) {
  kernels->dot_rows(x, (const float *)at(w, row0, 0), w->ld, rows, w->b, out);
}

static void panel_f16(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, size_t column0, size_t columns,
                      float *out) {
  for (size_t r = 0; r < rows; r++)
    kernels->widen_f16((const uint16_t *)at(w, row0 + r, column0), out + r * columns, columns);
}

static void dot_f16(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, const float *x, float *out) {
  kernels->dot_rows_f16(x, (const uint16_t *)at(w, row0, 0), w->ld, rows, w->b, out);
}

static void panel_bf16(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, size_t column0,
                       size_t columns, float *out) {
  for (size_t r = 0; r < rows; r++)
    kernels->widen_bf16((const uint16_t *)at(w, row0 + r, column0), out + r * columns, columns);
}

static void dot_bf16(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, const float *x, float *out) {
  kernels->dot_rows_bf16(x, (const uint16_t *)at(w, row0, 0), w->ld, rows, w->b, out);
}

static const ci_weight_type rows[] = {
    {"F32", 4, true, panel_f32, dot_f32},
    {"F16", 2, false, panel_f16, dot_f16},
    {"BF16", 2, false, panel_bf16, dot_bf16},
};

const ci_weight_type *ci_weight_type_named(const char *id) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcmp(rows[i].id, id) == 0) return &rows[i];
  return NULL;
}
