/* LLM.int8() (Dettmers et al. 2022; bitsandbytes' Linear8bitLt): weights as codes of 8 bits with a scale a row
 * (output), and rows of activations quantised the same way when they are multiplied. What of a row is at or above the
 * threshold, its outliers, is multiplied as float32 with the dequantised weight.
 *
 * Each row decides about its outliers alone, so results do not depend on which rows go together. Sums over codes are
 * exact integers. The weight that backward multiplies is the dequantised one: quantising the activations counts as the
 * identity. */
#ifndef CI_KERNELS_INT8_H
#define CI_KERNELS_INT8_H
#include "kernels/compute.h"

/* The weight type's functions (weight_types.c): data are codes [outputs, inputs], scale [outputs]; inputs <=
 * CI_INT8_LONGEST. */
void ci_int8_panel(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, size_t column0,
                   size_t columns, float *out);
const void *ci_int8_prepare(ci_compute *compute, const ci_weight *w, size_t m, const float *x, size_t ldx);
void ci_int8_multiply(ci_compute *compute, const ci_weight_part *part, const void *prepared, int thread);

/* Rows of a product as codes, reused from product to product. */
typedef struct ci_int8_rows ci_int8_rows;
void ci_int8_rows_free(ci_int8_rows *rows);

/* codes[outputs, inputs] and scale[outputs] of any weight, after its numbers went through half precision as in
 * bitsandbytes. A number that half precision does not have makes its output's scale infinite or NaN. False: no
 * memory. */
bool ci_int8_quantize(ci_pool *pool, const ci_kernels *kernels, const ci_weight *source, int8_t *codes, float *scale);

#endif
