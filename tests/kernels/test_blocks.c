/* Products with weights in blocks, for every type and every instruction set of this CPU: widened as ci_tensor_widen
 * does it, bit for bit, whatever part of a row is asked for; and dotted within what float32 rounds, for one row and
 * few, with scales that are any number, infinite or none; the same bits for any number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "formats/tensors.h"
#include "kernels/weight_types.h"
#include "support/random.h"

enum { ROWS = 5, COLUMNS = 768, GAP = 3 };

static const ci_dtype types[] = {
#define CI_BLOCK(member, type, name, id, elements, bytes) type,
#include "formats/blocks.def"
#undef CI_BLOCK
};
enum { TYPES = sizeof types / sizeof *types };

static const char *const ids[] = {"portable", "avx2", "avx512", "avx512_vnni"};

/* Random bytes. tame: with halves that are no NaN and no infinity, by taking a bit of the exponent out of every byte.
 */
static void fill(uint8_t *bytes, size_t count, bool tame, uint64_t *random) {
  for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)(random_bits(random) & (tame ? 0xbf : 0xff));
}

static ci_weight weight_of(ci_dtype type, const uint8_t *bytes, size_t rows, size_t columns) {
  ci_weight w = {
      .type = ci_weight_type_named(ci_dtype_name(type)), .data = bytes, .a = rows, .b = columns, .ld = columns};
  assert_non_null(w.type);
  return w;
}

static void same_numbers(const ci_kernels *kernels, ci_dtype type, const float *found, const float *expected,
                         size_t count) {
  for (size_t i = 0; i < count; i++)
    if (memcmp(found + i, expected + i, sizeof(float)) && !(isnan(found[i]) && isnan(expected[i])))
      fail_msg("%s: %s, number %zu: %a, expected %a", kernels->id, ci_dtype_name(type), i, (double)found[i],
               (double)expected[i]);
}

static void check_panels(const ci_kernels *kernels, ci_dtype type, const uint8_t *bytes, const float *whole) {
  static float part[ROWS * COLUMNS];
  static const size_t parts[][2] = {{0, COLUMNS}, {16, 48}, {250, 400}, {COLUMNS - 7, 7}};
  ci_weight w = weight_of(type, bytes, ROWS, COLUMNS);
  for (size_t p = 0; p < 4; p++) {
    w.type->panel(kernels, &w, 1, 2, parts[p][0], parts[p][1], part);
    for (size_t r = 0; r < 2; r++)
      same_numbers(kernels, type, part + r * parts[p][1], whole + (1 + r) * COLUMNS + parts[p][0], parts[p][1]);
  }
}

/* What is a NaN or infinite by the numbers is so by the product; what only grows too large on the way may be either. */
static void check_dot(const ci_kernels *kernels, ci_dtype type, float found, const float *x, const float *w, size_t n) {
  double sum = 0, size = 0;
  bool finite = true;
  for (size_t i = 0; i < n; i++) {
    double product = (double)x[i] * (double)w[i];
    sum += product;
    finite = finite && isfinite(w[i]);
    if (isfinite(w[i])) size += fabs(product);
  }
  bool good;
  if (size > 1e38 && !isnan(sum)) return;
  if (finite)
    good = fabs((double)found - sum) <= 1e-6 * size;
  else
    good = isnan(sum) ? isnan(found) : (double)found == sum;
  if (!good) fail_msg("%s: %s, %zu columns: %g, expected %g", kernels->id, ci_dtype_name(type), n, (double)found, sum);
}

/* Every number of rows of x that is dotted, rows of x and y with gaps, rows of data of every length up to COLUMNS. */
static void check_dots(const ci_kernels *kernels, ci_dtype type, const uint8_t *bytes, const float *whole,
                       const float *x) {
  enum { LDX = COLUMNS + GAP, LDY = ROWS + GAP };
  size_t block = ci_dtype_block(type);
  for (size_t n = block; n <= COLUMNS; n += block)
    for (size_t m = 1; m <= CI_FEW_ROWS; m++)
      for (size_t row0 = 0; row0 < 2; row0++) {
        size_t rows = COLUMNS / n < ROWS ? COLUMNS / n : ROWS; /* so many rows of length n lie in `bytes` for certain */
        if (row0 >= rows) continue;
        float y[CI_FEW_ROWS * LDY];
        for (size_t i = 0; i < m * LDY; i++) y[i] = 77;
        ci_weight w = weight_of(type, bytes, rows, n);
        w.type->dot(kernels, &w, row0, rows - row0, m, x, LDX, y, LDY);
        for (size_t i = 0; i < m; i++) {
          for (size_t r = row0; r < rows; r++)
            check_dot(kernels, type, y[i * LDY + r - row0], x + i * LDX, whole + r * n, n);
          assert_true(y[i * LDY + rows - row0] == 77); /* the gap */
        }
      }
}

static void every_type_on_every_cpu(void **state) {
  (void)state;
  static uint8_t bytes[ROWS * COLUMNS * 2];
  static float whole[ROWS * COLUMNS], x[CI_FEW_ROWS * (COLUMNS + GAP)];
  uint64_t random = 7;
  random_floats(&random, x, sizeof x / sizeof *x, 1);
  for (size_t t = 0; t < TYPES; t++)
    for (int round = 0; round < 6; round++) {
      fill(bytes, sizeof bytes, round < 2, &random);
      ci_tensor tensor = {.type = types[t], .data = bytes};
      ci_tensor_widen(&tensor, 0, ROWS * COLUMNS, whole);
      for (size_t k = 0; k < 4; k++) {
        const ci_kernels *kernels = ci_kernels_named(ids[k]);
        if (!kernels) continue;
        check_panels(kernels, types[t], bytes, whole);
        check_dots(kernels, types[t], bytes, whole, x);
      }
    }
}

/* Rows of more blocks than are multiplied at once, a number of rows that streams do not divide, and x whose numbers are
 * of very different sizes: each product within what float32 rounds. A NaN in x is one in y, and an infinity is no
 * number. */
static void long_rows(void **state) {
  (void)state;
  enum { LONG = 9 * 1024 + 256, HIGH = 7 };
  uint8_t *bytes = malloc(HIGH * LONG * 2);
  float *whole = malloc(HIGH * LONG * sizeof *whole), *x = malloc(CI_FEW_ROWS * LONG * sizeof *x);
  uint64_t random = 11;
  random_floats(&random, x, CI_FEW_ROWS * LONG, 1);
  for (size_t i = 0; i < LONG; i++) x[i] *= i % 97 ? 1 : 300;                          /* a few large ones */
  for (size_t i = 0; i < LONG; i++) x[LONG + i] *= ldexpf(1, (int)(i / 256) * 3 - 60); /* each block another size */
  for (size_t i = 0; i < LONG; i++) x[2 * LONG + i] *= i % 2 ? 1e-28f : 0;             /* tiny */
  for (size_t t = 0; t < TYPES; t++) {
    fill(bytes, HIGH * LONG * 2, true, &random);
    ci_tensor_widen(&(ci_tensor){.type = types[t], .data = bytes}, 0, HIGH * LONG, whole);
    ci_weight w = weight_of(types[t], bytes, HIGH, LONG);
    for (size_t k = 0; k < 4; k++) {
      const ci_kernels *kernels = ci_kernels_named(ids[k]);
      float y[CI_FEW_ROWS * HIGH], before[2] = {x[700], x[LONG + 900]};
      for (size_t m = 1; m <= CI_FEW_ROWS && kernels; m++) {
        w.type->dot(kernels, &w, 0, HIGH, m, x, LONG, y, HIGH);
        for (size_t i = 0; i < m * HIGH; i++)
          check_dot(kernels, types[t], y[i], x + i / HIGH * LONG, whole + i % HIGH * LONG, LONG);
      }
      x[700] = NAN;
      x[LONG + 900] = INFINITY;
      if (kernels) w.type->dot(kernels, &w, 0, HIGH, 2, x, LONG, y, HIGH);
      for (size_t i = 0; i < HIGH && kernels; i++) assert_true(isnan(y[i]) && !isfinite(y[HIGH + i]));
      x[700] = before[0];
      x[LONG + 900] = before[1];
    }
  }
  free(bytes);
  free(whole);
  free(x);
}

/* Scales of all 65,536 halves and 256 exponents, in each place of the block where a type has one. */
static void every_scale(void **state) {
  (void)state;
  uint64_t random = 3;
  for (size_t t = 0; t < TYPES; t++) {
    size_t block = ci_dtype_block(types[t]), size = ci_dtype_size(types[t]);
    uint8_t bytes[256];
    float expected[CI_LARGEST_BLOCK], found[CI_LARGEST_BLOCK];
    fill(bytes, size, true, &random);
    for (uint32_t half = 0; half < 0x10000; half += 0x10000 / 4096 + 1)
      for (size_t at = 0; at < size; at = at == 0 ? 2 : at == 2 ? size - 4 : at + 2) {
        uint8_t before[2];
        memcpy(before, bytes + at, at + 1 < size ? 2 : 1);
        bytes[at] = (uint8_t)half;
        if (at + 1 < size) bytes[at + 1] = (uint8_t)(half >> 8);
        ci_tensor tensor = {.type = types[t], .data = bytes};
        ci_tensor_widen(&tensor, 0, block, expected);
        for (size_t k = 0; k < 4; k++) {
          const ci_kernels *kernels = ci_kernels_named(ids[k]);
          if (!kernels) continue;
          kernels->widen_blocks[t](bytes, 1, found);
          same_numbers(kernels, types[t], found, expected, block);
        }
        memcpy(bytes + at, before, at + 1 < size ? 2 : 1);
      }
  }
}

enum { A = 70, B = 512, MOST = 20 };

/* y[m, A] forward, then dx[m, B] backward, with this many threads. */
static void products(int threads, const ci_weight *w, size_t m, const float *x, const float *dy, float *out) {
  ci_compute c;
  ci_error err = {0};
  assert_int_equal(ci_compute_open(&c, threads, "naive", NULL, &err), CI_OK);
  ci_weight_forward(&c, w, m, x, B, out, A, NULL);
  ci_weight_backward(&c, w, m, dy, A, out + m * A, B, false);
  ci_compute_close(&c);
}

static void check_products(const ci_weight *w, size_t m, const float *whole, const float *x, const float *dy,
                           const float *out) {
  for (size_t i = 0; i < m * A; i++) {
    double sum = 0, size = 0;
    for (size_t k = 0; k < B; k++) {
      sum += (double)x[i / A * B + k] * (double)whole[i % A * B + k];
      size += fabs((double)x[i / A * B + k] * (double)whole[i % A * B + k]);
    }
    if (fabs((double)out[i] - sum) > 1e-6 * size)
      fail_msg("%s, %zu rows, forward [%zu]: %g, expected %g", w->type->id, m, i, (double)out[i], sum);
  }
  for (size_t i = 0; i < m * B; i++) {
    double sum = 0, size = 0;
    for (size_t k = 0; k < A; k++) {
      sum += (double)dy[i / B * A + k] * (double)whole[k * B + i % B];
      size += fabs((double)dy[i / B * A + k] * (double)whole[k * B + i % B]);
    }
    if (fabs((double)out[m * A + i] - sum) > 1e-6 * size)
      fail_msg("%s, %zu rows, backward [%zu]: %g, expected %g", w->type->id, m, i, (double)out[m * A + i], sum);
  }
}

static void threads_change_nothing(void **state) {
  (void)state;
  static const size_t rows[] = {1, 2, CI_FEW_ROWS, CI_FEW_ROWS + 1, MOST};
  static uint8_t bytes[A * B * 2];
  static float whole[A * B], x[MOST * B], dy[MOST * A], one[MOST * (A + B)], many[MOST * (A + B)];
  uint64_t random = 5;
  random_floats(&random, x, MOST * B, 1);
  random_floats(&random, dy, MOST * A, 1);
  for (size_t t = 0; t < TYPES; t++) {
    fill(bytes, sizeof bytes, true, &random);
    ci_weight w = weight_of(types[t], bytes, A, B);
    ci_tensor_widen(&(ci_tensor){.type = types[t], .data = bytes}, 0, A * B, whole);
    for (size_t m = 0; m < sizeof rows / sizeof *rows; m++) {
      products(1, &w, rows[m], x, dy, one);
      check_products(&w, rows[m], whole, x, dy, one);
      products(3, &w, rows[m], x, dy, many);
      assert_memory_equal(one, many, rows[m] * (A + B) * sizeof(float));
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_type_on_every_cpu),
      cmocka_unit_test(long_rows),
      cmocka_unit_test(every_scale),
      cmocka_unit_test(threads_change_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
