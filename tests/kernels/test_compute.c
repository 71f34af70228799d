/* Products with weights against sums in double: every type, both layouts, rows and columns with gaps, one row or many,
 * wider than a panel; the same bits for every number of threads; what is counted; the flags. */
#include "kernels/compute.h"
#include "kernels/weight_types.h"
#include "support/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { GAP = 3 };

typedef struct {
  const char *type;
  size_t a, b;
  bool by_input;
  size_t m;
} product;

typedef struct {
  ci_weight w;
  void *memory;
  double *values; /* [a, b] */
} matrix;

static matrix make_matrix(const product *p, uint64_t *random) {
  const ci_weight_type *type = ci_weight_type_named(p->type);
  size_t ld = p->b + GAP, count = (p->a - 1) * ld + p->b;
  matrix x = {.memory = malloc(count * type->size), .values = malloc(p->a * p->b * sizeof(double))};
  x.w = (ci_weight){.type = type, .data = x.memory, .a = p->a, .b = p->b, .ld = ld, .by_input = p->by_input};
  float *floats = x.memory;
  uint16_t *halves = x.memory;
  for (size_t i = 0; i < count; i++) {
    double value;
    if (type->in_place)
      value = (double)(floats[i] = random_float(random));
    else if (strcmp(p->type, "F16") == 0)
      value = half_value(halves[i] = random_half(random));
    else
      value = bfloat_value(halves[i] = random_bfloat(random));
    if (i % ld < p->b) x.values[i / ld * p->b + i % ld] = value;
  }
  return x;
}

static double weight_at(const product *p, const matrix *x, size_t output, size_t input) {
  return p->by_input ? x->values[input * p->b + output] : x->values[output * p->b + input];
}

static void compare(const product *p, const char *what, const float *y, size_t ld, size_t columns, size_t depth,
                    const double *expected) {
  for (size_t i = 0; i < p->m; i++)
    for (size_t j = 0; j < columns; j++) {
      double found = (double)y[i * ld + j], wanted = expected[i * columns + j];
      if (!(fabs(found - wanted) <= 1e-6 * sqrt((double)depth) * (2 + fabs(wanted))))
        fail_msg("%s, %s [%zu, %zu]%s, %zu rows, [%zu, %zu]: %.9g, expected %.9g", what, p->type, p->a, p->b,
                 p->by_input ? " by input" : "", p->m, i, j, found, wanted);
    }
}

static void check_forward(ci_compute *c, const product *p, const matrix *x, bool biased, uint64_t *random) {
  size_t inputs = ci_weight_inputs(&x->w), outputs = ci_weight_outputs(&x->w), ldx = inputs + GAP, ldy = outputs + GAP;
  float *in = malloc(p->m * ldx * sizeof *in), *bias = malloc(outputs * sizeof *bias),
        *out = malloc(p->m * ldy * sizeof *out);
  double *expected = malloc(p->m * outputs * sizeof *expected);
  random_floats(random, in, p->m * ldx, 1);
  random_floats(random, bias, outputs, 1);
  for (size_t i = 0; i < p->m * ldy; i++) out[i] = NAN;
  for (size_t i = 0; i < p->m; i++)
    for (size_t o = 0; o < outputs; o++) {
      double sum = biased ? (double)bias[o] : 0;
      for (size_t k = 0; k < inputs; k++) sum += (double)in[i * ldx + k] * weight_at(p, x, o, k);
      expected[i * outputs + o] = sum;
    }
  size_t rows = c->gemm_rows, calls = c->gemm_calls;
  ci_weight_forward(c, &x->w, p->m, in, ldx, out, ldy, biased ? bias : NULL);
  assert_int_equal(c->gemm_rows - rows, p->m);
  assert_int_equal(c->gemm_calls - calls, 1);
  compare(p, biased ? "forward with bias" : "forward", out, ldy, outputs, inputs, expected);
  for (size_t i = 0; i < p->m; i++) assert_true(isnan(out[i * ldy + outputs])); /* the gap */
  free(in);
  free(bias);
  free(out);
  free(expected);
}

static void check_backward(ci_compute *c, const product *p, const matrix *x, bool accumulate, uint64_t *random) {
  size_t inputs = ci_weight_inputs(&x->w), outputs = ci_weight_outputs(&x->w), lddx = inputs + GAP,
         lddy = outputs + GAP;
  float *dy = malloc(p->m * lddy * sizeof *dy), *dx = malloc(p->m * lddx * sizeof *dx);
  double *expected = malloc(p->m * inputs * sizeof *expected);
  random_floats(random, dy, p->m * lddy, 1);
  random_floats(random, dx, p->m * lddx, 1);
  for (size_t i = 0; i < p->m * lddx && !accumulate; i++) dx[i] = NAN;
  for (size_t i = 0; i < p->m; i++)
    for (size_t k = 0; k < inputs; k++) {
      double sum = accumulate ? (double)dx[i * lddx + k] : 0;
      for (size_t o = 0; o < outputs; o++) sum += (double)dy[i * lddy + o] * weight_at(p, x, o, k);
      expected[i * inputs + k] = sum;
    }
  ci_weight_backward(c, &x->w, p->m, dy, lddy, dx, lddx, accumulate);
  compare(p, accumulate ? "backward, added" : "backward", dx, lddx, inputs, outputs, expected);
  free(dy);
  free(dx);
  free(expected);
}

static void check(ci_compute *c, const product *p) {
  uint64_t random = p->a * 7 + p->b + p->m;
  matrix x = make_matrix(p, &random);
  for (int flag = 0; flag < 2; flag++) {
    check_forward(c, p, &x, flag, &random);
    check_backward(c, p, &x, flag, &random);
  }
  free(x.memory);
  free(x.values);
}

static void products(void **state) {
  static const char *const types[] = {"F32", "F16", "BF16"}, *const gemms[] = {"auto", "naive"};
  static const size_t shapes[][2] = {{1, 1}, {5, 3}, {17, 40}, {40, 17}, {130, 70}, {700, 6}, {5000, 33}}, rows[] = {1, 2, 3, 7, 64};
  (void)state;
  for (int g = 0; g < 2; g++) {
    ci_compute c;
    ci_error err = {0};
    assert_int_equal(ci_compute_open(&c, 2, gemms[g], NULL, &err), CI_OK);
    for (size_t t = 0; t < 3; t++)
      for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t m = 0; m < sizeof rows / sizeof *rows; m++)
          for (int by_input = 0; by_input < 2; by_input++)
            check(&c, &(product){types[t], shapes[s][0], shapes[s][1], by_input, rows[m]});
    ci_compute_close(&c);
  }
}

/* Rows of data longer than a panel of widened weights has floats; and many rows, in many parts and row tiles. */
static void larger_than_a_panel(void **state) {
  static const char *const types[] = {"F32", "F16", "BF16"};
  (void)state;
  ci_compute c;
  ci_error err = {0};
  assert_int_equal(ci_compute_open(&c, 2, "auto", NULL, &err), CI_OK);
  for (size_t t = 0; t < 3; t++)
    for (int by_input = 0; by_input < 2; by_input++) {
      check(&c, &(product){types[t], 3, 2 * 96 * 1024 + 37, by_input, 1});
      check(&c, &(product){types[t], 3, 96 * 1024 + 37, by_input, 5});
      check(&c, &(product){types[t], 2 * 1024 + 100, 96, by_input, 3});
      check(&c, &(product){types[t], 300, 1100, by_input, 20});
      check(&c, &(product){types[t], 610, 700, by_input, 430});
    }
  check(&c, &(product){"F32", 40, 6400, false, 690}); /* more rows than are packed at a time */
  check(&c, &(product){"F32", 1300, 70, false, 300}); /* tall: more rows than have sums of their own at a time */
  check(&c, &(product){"BF16", 1300, 70, true, 300});
  check(&c, &(product){"F32", 70, 90, false, 500});
  check(&c, &(product){"F32", 70, 90, true, 500});
  check(&c, &(product){"F16", 70, 90, false, 500});
  ci_compute_close(&c);
}

/* The bits of forward and backward, by the number of threads. */
static float *bits(const product *p, int threads, size_t *size) {
  ci_compute c;
  ci_error err = {0};
  assert_int_equal(ci_compute_open(&c, threads, "auto", NULL, &err), CI_OK);
  uint64_t random = 11;
  matrix x = make_matrix(p, &random);
  size_t inputs = ci_weight_inputs(&x.w), outputs = ci_weight_outputs(&x.w);
  float *in = malloc(p->m * (inputs + outputs) * sizeof *in), *out = malloc(p->m * (inputs + outputs) * sizeof *out);
  random_floats(&random, in, p->m * (inputs + outputs), 1);
  memset(out, 0, p->m * (inputs + outputs) * sizeof *out);
  ci_weight_forward(&c, &x.w, p->m, in, inputs, out, outputs, in);
  ci_weight_backward(&c, &x.w, p->m, in + p->m * inputs, outputs, out + p->m * outputs, inputs, true);
  *size = p->m * (inputs + outputs) * sizeof *out;
  free(in);
  free(x.memory);
  free(x.values);
  ci_compute_close(&c);
  return out;
}

static void threads_change_nothing(void **state) {
  static const char *const types[] = {"F32", "F16", "BF16"};
  static const size_t rows[] = {1, 2, 7, 64, 400};
  (void)state;
  for (size_t t = 0; t < 3; t++)
    for (size_t m = 0; m < 5; m++)
      for (int by_input = 0; by_input < 2; by_input++) {
        product p = {types[t], 520, 390, by_input, rows[m]};
        size_t size;
        float *one = bits(&p, 1, &size);
        for (int threads = 2; threads <= 3; threads++) {
          float *many = bits(&p, threads, &size);
          if (memcmp(one, many, size))
            fail_msg("%s%s, %zu rows: %d threads differ from one", p.type, by_input ? " by input" : "", p.m, threads);
          free(many);
        }
        free(one);
      }
}

static void count_range(void *context, size_t first, size_t last) {
  unsigned char *seen = context;
  for (size_t i = first; i < last; i++) seen[i]++;
}

static void rows_are_covered_once(void **state) {
  (void)state;
  static const size_t counts[] = {0, 1, 2, 7, 1000, 40000};
  static const double costs[] = {0, 0.5, 1, 100, 1e9};
  ci_compute c;
  ci_error err = {0};
  assert_int_equal(ci_compute_open(&c, 3, "naive", NULL, &err), CI_OK);
  for (size_t i = 0; i < 6; i++)
    for (size_t j = 0; j < 5; j++) {
      unsigned char *seen = calloc(counts[i] + 1, 1);
      ci_compute_rows(&c, counts[i], costs[j], count_range, seen);
      for (size_t k = 0; k < counts[i]; k++) assert_int_equal(seen[k], 1);
      assert_int_equal(seen[counts[i]], 0);
      free(seen);
    }
  ci_compute_close(&c);
}

static void flags(void **state) {
  (void)state;
  ci_compute c;
  ci_error err = {0};
  assert_int_equal(ci_compute_open(&c, 2, "fastest", NULL, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "fastest"));
  assert_int_equal(ci_compute_open(&c, 2, "auto", "avx1024", &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "avx1024"));
  assert_int_equal(ci_compute_open(&c, 2, "auto", "portable", &err), CI_OK);
  assert_string_equal(c.kernels->id, "portable");
  assert_int_equal(ci_compute_check(&c, &err), CI_OK);

  float *scratch = ci_compute_scratch(&c, 1, 1000);
  assert_non_null(scratch);
  assert_ptr_equal(scratch, ci_compute_scratch(&c, 1, 500)); /* grows only */
  assert_null(ci_compute_scratch(&c, 0, SIZE_MAX / 2));      /* no overflow, and remembered */
  assert_int_equal(ci_compute_check(&c, &err), CI_ENOMEM);
  atomic_store(&c.no_memory, false);

  float w[4] = {1, 2, 3, 4}, x[2] = {1, 1}, y[2] = {7, 7};
  ci_weight weight = {.type = ci_weight_type_named("F32"), .data = w, .a = 2, .b = 2, .ld = 2};
  atomic_store(&c.cancelled, true);
  ci_weight_forward(&c, &weight, 1, x, 2, y, 2, NULL);
  assert_true(y[0] == 7); /* computes nothing */
  unsigned char seen = 0;
  ci_compute_rows(&c, 1, 1, count_range, &seen);
  assert_int_equal(seen, 0);
  assert_int_equal(ci_compute_check(&c, &err), CI_ECANCEL);
  ci_compute_close(&c);
}

static void weight_types(void **state) {
  (void)state;
  assert_int_equal(ci_weight_type_named("F32")->size, 4);
  assert_int_equal(ci_weight_type_named("F16")->size, 2);
  assert_int_equal(ci_weight_type_named("BF16")->size, 2);
  assert_null(ci_weight_type_named("I64"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(products),
      cmocka_unit_test(larger_than_a_panel),
      cmocka_unit_test(threads_change_nothing),
      cmocka_unit_test(rows_are_covered_once),
      cmocka_unit_test(flags),
      cmocka_unit_test(weight_types),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
