/* Element types: every F16, BF16 and F8_E4M3 value widened against a formula of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "formats/format.h"

enum { ALL = 65536 };

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* The value a small float stands for, by arithmetic: independent of the bit moves in the source. */
static double value_of(unsigned code, int exponent_bits, int fraction_bits, int has_infinity) {
  int bias = (1 << (exponent_bits - 1)) - 1, top = (1 << exponent_bits) - 1;
  int exponent = (int)(code >> fraction_bits) & top;
  int fraction = (int)(code & ((1u << fraction_bits) - 1));
  double sign = code >> (exponent_bits + fraction_bits) & 1 ? -1 : 1;
  if (has_infinity && exponent == top) return fraction ? NAN : sign * INFINITY;
  if (!has_infinity && exponent == top && fraction == (1 << fraction_bits) - 1) return NAN;
  double scale = exponent ? 1 + ldexp(fraction, -fraction_bits) : ldexp(fraction, -fraction_bits);
  return sign * ldexp(scale, (exponent ? exponent : 1) - bias);
}

static void check_all(ci_dtype type, size_t count, int exponent_bits, int fraction_bits, int has_infinity) {
  uint16_t *halves = malloc(ALL * sizeof *halves);
  float *fast = malloc(ALL * sizeof *fast);
  assert_true(halves && fast);
  for (size_t i = 0; i < count; i++) {
    if (ci_dtype_size(type) == 1)
      ((uint8_t *)halves)[i] = (uint8_t)i;
    else
      halves[i] = (uint16_t)i;
  }
  ci_tensor tensor = {.name = "t", .type = type, .rank = 1, .shape = {count}, .count = count, .data = halves};
  ci_tensor_widen(&tensor, 0, count, fast);
  for (size_t i = 0; i < count; i++) {
    double wanted = value_of((unsigned)i, exponent_bits, fraction_bits, has_infinity);
    if (isnan(wanted))
      assert_true(isnan(fast[i]) && (bits_of(fast[i]) & 0x00400000u));
    else
      assert_int_equal(bits_of(fast[i]), bits_of((float)wanted)); /* the sign of zero too */
  }
  free(halves);
  free(fast);
}

static void test_f16(void **state) {
  (void)state;
  check_all(CI_F16, ALL, 5, 10, 1);
}

static void test_bf16(void **state) {
  (void)state;
  check_all(CI_BF16, ALL, 8, 7, 1);
}

static void test_f8(void **state) {
  (void)state;
  check_all(CI_F8_E4M3, 256, 4, 3, 0);
}

/* A range in the middle, of a length that is no multiple of a vector. */
static void test_range(void **state) {
  (void)state;
  uint16_t halves[37];
  float out[20];
  for (int i = 0; i < 37; i++) halves[i] = (uint16_t)(0x3c00 + 17 * i);
  const ci_dtype types[] = {CI_F16, CI_BF16};
  for (int t = 0; t < 2; t++) {
    ci_tensor tensor = {.name = "t", .type = types[t], .rank = 1, .shape = {37}, .count = 37, .data = halves};
    for (size_t count = 0; count <= 19; count++) {
      for (int i = 0; i < 20; i++) out[i] = -1;
      ci_tensor_widen(&tensor, 5, count, out);
      for (size_t i = 0; i < count; i++) {
        double wanted = types[t] == CI_F16 ? value_of(halves[5 + i], 5, 10, 1) : value_of(halves[5 + i], 8, 7, 1);
        assert_true(out[i] == (float)wanted);
      }
      assert_true(out[count] == -1);
    }
  }
}

static void test_other_types(void **state) {
  (void)state;
  const float floats[] = {1.5f, -0.0f};
  const double doubles[] = {0.1, -2};
  const int64_t longs[] = {16777217, -3};
  const int32_t ints[] = {7, -7};
  const int16_t shorts[] = {-32768, 32767};
  const int8_t chars[] = {-128, 127};
  const uint8_t bytes[] = {255, 0};
  const struct {
    ci_dtype type;
    const char *name;
    const void *data;
    float wanted[2];
  } cases[] = {
      {CI_F32, "F32", floats, {1.5f, 0}},       {CI_F64, "F64", doubles, {0.1f, -2}},
      {CI_I64, "I64", longs, {16777216, -3}},   {CI_I32, "I32", ints, {7, -7}},
      {CI_I16, "I16", shorts, {-32768, 32767}}, {CI_I8, "I8", chars, {-128, 127}},
      {CI_U8, "U8", bytes, {255, 0}},           {CI_BOOLEAN, "BOOL", bytes, {1, 0}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    float out[2];
    ci_dtype found;
    ci_tensor tensor = {.name = "t", .type = cases[i].type, .rank = 1, .shape = {2}, .count = 2, .data = cases[i].data};
    ci_tensor_widen(&tensor, 0, 2, out);
    assert_true(out[0] == cases[i].wanted[0] && out[1] == cases[i].wanted[1]);
    assert_string_equal(ci_dtype_name(cases[i].type), cases[i].name);
    assert_true(ci_dtype_find(cases[i].name, &found) && found == cases[i].type);
  }
}

static void test_measure(void **state) {
  (void)state;
  size_t count, bytes;
  assert_true(ci_shape_measure(0, NULL, CI_F32, &count, &bytes) && count == 1 && bytes == 4);
  assert_true(ci_shape_measure(2, (const size_t[]){3, 0}, CI_F64, &count, &bytes) && count == 0 && bytes == 0);
  assert_false(ci_shape_measure(2, (const size_t[]){SIZE_MAX / 2, 3}, CI_U8, &count, &bytes));
  assert_false(ci_shape_measure(1, (const size_t[]){SIZE_MAX / 2}, CI_F32, &count, &bytes));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_f16),   cmocka_unit_test(test_bf16),    cmocka_unit_test(test_f8),
      cmocka_unit_test(test_range), cmocka_unit_test(test_measure), cmocka_unit_test(test_other_types),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
