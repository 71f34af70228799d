/* Products with weights in blocks, for every type and every instruction set of this CPU: widened as ci_tensor_widen does it, bit for
 * bit, whatever part of a row is asked for; and dotted within what float32 rounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "formats/tensors.h"
#include "kernels/weight_types.h"

enum { ROWS = 3, COLUMNS = 768 };

static const ci_dtype types[] = {
#define CI_BLOCK(member, type, name, id, elements, bytes) type,
#include "formats/blocks.def"
#undef CI_BLOCK
};

/* Random bytes, with halves that are no NaN and no infinity: the fourth bit of the exponent is taken out of every byte. */
static void fill(uint8_t *bytes, size_t count, uint64_t *state) {
  for (size_t i = 0; i < count; i++) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    bytes[i] = (uint8_t)(*state >> 56) & 0xbf;
  }
}

static void check(const ci_kernels *kernels, ci_dtype type, const uint8_t *bytes, const float *x) {
  static float whole[ROWS * COLUMNS], part[ROWS * COLUMNS], dots[ROWS];
  ci_tensor tensor = {.type = type, .data = bytes};
  ci_weight w = {.type = ci_weight_type_named(ci_dtype_name(type)), .data = bytes, .a = ROWS, .b = COLUMNS, .ld = COLUMNS};
  assert_non_null(w.type);
  ci_tensor_widen(&tensor, 0, ROWS * COLUMNS, whole);
  static const size_t parts[][2] = {{0, COLUMNS}, {16, 48}, {250, 400}, {COLUMNS - 7, 7}};
  for (size_t p = 0; p < 4; p++) {
    w.type->panel(kernels, &w, 1, 2, parts[p][0], parts[p][1], part);
    for (size_t r = 0; r < 2; r++)
      assert_memory_equal(part + r * parts[p][1], whole + (1 + r) * COLUMNS + parts[p][0], parts[p][1] * sizeof(float));
  }
  w.type->dot(kernels, &w, 0, ROWS, x, dots);
  for (size_t r = 0; r < ROWS; r++) {
    double sum = 0, size = 0;
    for (size_t i = 0; i < COLUMNS; i++) {
      sum += (double)x[i] * (double)whole[r * COLUMNS + i];
      size += fabs((double)x[i] * (double)whole[r * COLUMNS + i]);
    }
    if (fabs((double)dots[r] - sum) > 1e-6 * size) fail_msg("%s: %s, row %zu: %g, expected %g", kernels->id, ci_dtype_name(type), r, (double)dots[r], sum);
  }
}

static void every_type_on_every_cpu(void **state) {
  (void)state;
  static const char *const ids[] = {"portable", "avx2", "avx512"};
  static uint8_t bytes[ROWS * COLUMNS * 2];
  float x[COLUMNS];
  uint64_t seed = 7;
  for (size_t i = 0; i < COLUMNS; i++) x[i] = (float)((int)(i * 37 % 101) - 50) / 32;
  for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
    fill(bytes, sizeof bytes, &seed);
    for (size_t k = 0; k < 3; k++) {
      const ci_kernels *kernels = ci_kernels_named(ids[k]);
      if (kernels) check(kernels, types[t], bytes, x);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_type_on_every_cpu)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
