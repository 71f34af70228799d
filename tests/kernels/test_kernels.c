/* The kernels of each instruction set that this CPU has, against loops in double: all lengths from 0 to 70, so that
 * every tail is met; memory is exactly as long as it must be, so that the sanitizer sees a step beyond it. */
#include "kernels/kernels.h"
#include "support/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { LONGEST = 70, ROWS = 19, GAP = 3 };

static const ci_kernels *kernels(void **state) {
  const ci_kernels *k = ci_kernels_named(*state);
  if (!k) skip();
  return k;
}

static float *random_array(uint64_t *state, size_t n) {
  float *x = malloc(n ? n * sizeof *x : 1);
  random_floats(state, x, n, 2);
  return x;
}

static void near(const ci_kernels *k, const char *what, size_t n, double found, double expected, double size) {
  if (!(fabs(found - expected) <= 1e-6 * size + 1e-30))
    fail_msg("%s: %s of %zu: %.9g, expected %.9g", k->id, what, n, found, expected);
}

static void sums(void **state) {
  const ci_kernels *k = kernels(state);
  uint64_t random = 1;
  for (size_t n = 0; n <= LONGEST; n++) {
    float *x = random_array(&random, n), *y = random_array(&random, n);
    double dot = 0, sum = 0, square = 0, size = 0, top = -INFINITY;
    for (size_t i = 0; i < n; i++) {
      dot += (double)x[i] * (double)y[i];
      size += fabs((double)x[i] * (double)y[i]);
      sum += (double)x[i];
      square += ((double)x[i] - 0.3) * ((double)x[i] - 0.3);
      top = fmax(top, (double)x[i]);
    }
    near(k, "dot", n, (double)k->dot(x, y, n), dot, size);
    near(k, "sum_products", n, k->sum_products(x, y, n), dot, 1e-6 * size);
    near(k, "sum", n, k->sum(x, n), sum, 1e-6 * (double)(n + 1));
    near(k, "sum_squares", n, k->sum_squares(x, n, 0.3), square, 1e-6 * square);
    if (n) assert_true((double)k->max(x, n) == top);
    for (size_t i = 0; i < n; i++) { /* the largest in every place */
      float old = x[i];
      x[i] = 5;
      if (k->max(x, n) != 5) fail_msg("%s: max of %zu misses place %zu", k->id, n, i);
      x[i] = old;
    }
    free(x);
    free(y);
  }
}

static void norms_and_products(void **state) {
  const ci_kernels *k = kernels(state);
  uint64_t random = 3;
  for (size_t n = 0; n <= LONGEST; n++) {
    float *x = random_array(&random, n), *dy = random_array(&random, n), *g = random_array(&random, n),
          *b = random_array(&random, n);
    float *y = random_array(&random, n), *old = malloc(n * sizeof *old + 1);
    double h_sum = 0, hx_sum = 0, size = 1e-6, found_h, found_hx;
    for (size_t i = 0; i < n; i++) {
      h_sum += (double)dy[i] * (double)g[i];
      hx_sum += (double)dy[i] * (double)g[i] * (double)x[i];
      size += 8;
    }
    k->norm_sums(dy, g, x, n, &found_h, &found_hx);
    near(k, "norm_sums, h", n, found_h, h_sum, size);
    near(k, "norm_sums, h x", n, found_hx, hx_sum, size);
    for (int accumulate = 0; accumulate < 2; accumulate++) {
      memcpy(old, y, n * sizeof *y);
      k->norm_gradient(dy, g, x, 0.3f, 1.7f, 0.2f, -0.6f, y, n, accumulate);
      for (size_t i = 0; i < n; i++) {
        double wanted = 1.7 * ((double)dy[i] * (double)g[i] - 0.2 + ((double)x[i] - 0.3) * 1.7 * 0.6);
        near(k, "norm_gradient", n, (double)y[i], wanted + (accumulate ? (double)old[i] : 0), 20);
      }
      memcpy(old, y, n * sizeof *y);
      k->multiply(dy, x, y, n, accumulate);
      for (size_t i = 0; i < n; i++)
        near(k, "multiply", n, (double)y[i], (double)dy[i] * (double)x[i] + (accumulate ? (double)old[i] : 0), 20);
    }
    for (int biased = 0; biased < 2; biased++) {
      k->norm(x, 0.3f, 1.7f, g, biased ? b : NULL, y, n);
      for (size_t i = 0; i < n; i++)
        near(k, "norm", n, (double)y[i], ((double)x[i] - 0.3) * 1.7 * (double)g[i] + (biased ? (double)b[i] : 0), 20);
    }
    float *all[] = {x, dy, g, b, y, old};
    for (size_t i = 0; i < 6; i++) free(all[i]);
  }
}

static void additions(void **state) {
  const ci_kernels *k = kernels(state);
  uint64_t random = 2;
  for (size_t n = 0; n <= LONGEST; n++) {
    float *x = random_array(&random, n), *y = random_array(&random, n), *old = malloc(n * sizeof *old + 1);
    memcpy(old, y, n * sizeof *y);
    k->axpy(-1.5f, x, y, n);
    for (size_t i = 0; i < n; i++) near(k, "axpy", n, (double)y[i], (double)old[i] - 1.5 * (double)x[i], 5);
    free(x);
    for (size_t rows = 0; rows <= ROWS; rows++) {
      size_t ld = n + GAP, count = rows ? (rows - 1) * ld + n : 0;
      float *w = random_array(&random, count), *a = random_array(&random, rows);
      memcpy(old, y, n * sizeof *y);
      k->axpy_rows(a, w, ld, rows, n, y);
      for (size_t i = 0; i < n; i++) {
        double expected = (double)old[i];
        for (size_t r = 0; r < rows; r++) expected += (double)a[r] * (double)w[r * ld + i];
        near(k, "axpy_rows", n, (double)y[i], expected, 4.0 * (double)rows + fabs((double)old[i]) + 1);
      }
      free(w);
      free(a);
    }
    free(y);
    free(old);
  }
}

static const char *const dot_names[] = {"dot_rows", "dot_rows_f16", "dot_rows_bf16"};

static void check_rows_of_dots(const ci_kernels *k, size_t n, size_t rows, size_t m, uint64_t *random) {
  size_t ld = n + GAP, count = rows ? (rows - 1) * ld + n : 0, ldx = n + 2 * GAP, ldout = rows + GAP;
  float *x = random_array(random, m * ldx), *w = random_array(random, count), *out = malloc(m * ldout * sizeof *out);
  uint16_t *half = malloc(count * sizeof *half + 1), *bfloat = malloc(count * sizeof *bfloat + 1);
  for (size_t i = 0; i < count; i++) half[i] = random_half(random), bfloat[i] = random_bfloat(random);
  for (int type = 0; type < 3; type++) {
    for (size_t i = 0; i < m * ldout; i++) out[i] = 77;
    if (type == 0)
      k->dot_rows(m, x, ldx, w, ld, rows, n, out, ldout);
    else if (type == 1)
      k->dot_rows_f16(m, x, ldx, half, ld, rows, n, out, ldout);
    else
      k->dot_rows_bf16(m, x, ldx, bfloat, ld, rows, n, out, ldout);
    for (size_t i = 0; i < m * ldout; i++) {
      size_t r = i % ldout;
      if (r >= rows) {
        assert_true(out[i] == 77); /* the gap */
        continue;
      }
      double expected = 0, size = 0;
      for (size_t j = 0; j < n; j++) {
        size_t at = r * ld + j;
        double a = (double)x[i / ldout * ldx + j];
        double b = type == 0 ? (double)w[at] : type == 1 ? half_value(half[at]) : bfloat_value(bfloat[at]);
        expected += a * b;
        size += fabs(a * b);
      }
      near(k, dot_names[type], n, (double)out[i], expected, size);
    }
  }
  free(x);
  free(w);
  free(out);
  free(half);
  free(bfloat);
}

static void rows_of_dots(void **state) {
  const ci_kernels *k = kernels(state);
  uint64_t random = 3;
  for (size_t n = 0; n <= LONGEST; n++)
    for (size_t rows = 0; rows <= 9; rows++)
      for (size_t m = 1; m <= CI_FEW_ROWS; m++) check_rows_of_dots(k, n, rows, m, &random);
}

/* a by rows or by columns, with gaps between rows of b and c, added or written. */
static void check_matmul(const ci_kernels *k, size_t m, size_t n, size_t depth, bool by_columns, int beta,
                         uint64_t *random) {
  size_t a_row = by_columns ? 1 : depth + GAP, a_column = by_columns ? m + GAP : 1, ldb = n + GAP, ldc = n + 2 * GAP;
  size_t a_count = m && depth ? (m - 1) * a_row + (depth - 1) * a_column + 1 : 0,
         b_count = depth ? (depth - 1) * ldb + n : 0;
  float *a = random_array(random, a_count), *b = random_array(random, b_count), *c = random_array(random, m * ldc),
        *old = malloc(m * ldc * sizeof *old + 1);
  if (beta == 0)
    for (size_t i = 0; i < m; i++)
      for (size_t j = 0; j < n; j++) c[i * ldc + j] = NAN; /* not read */
  memcpy(old, c, m * ldc * sizeof *c);
  k->matmul(m, n, depth, a, a_row, a_column, b, ldb, c, ldc, beta);
  for (size_t i = 0; i < m; i++) {
    for (size_t j = 0; j < n; j++) {
      double expected = beta ? (double)old[i * ldc + j] : 0;
      for (size_t l = 0; l < depth; l++) expected += (double)a[i * a_row + l * a_column] * (double)b[l * ldb + j];
      near(k, "matmul", n, (double)c[i * ldc + j], expected, 4.0 * (double)depth + 2);
    }
    assert_memory_equal(c + i * ldc + n, old + i * ldc + n, 2 * GAP * sizeof *c);
  }
  free(a);
  free(b);
  free(c);
  free(old);
}

static void matmul(void **state) {
  const ci_kernels *k = kernels(state);
  static const size_t rows[] = {0, 1, 2, 3, 4, 5, 8, 9}, depths[] = {0, 1, 2, 7, 16, 33};
  uint64_t random = 4;
  for (size_t n = 0; n <= LONGEST; n++)
    for (size_t i = 0; i < 8; i++)
      for (size_t l = 0; l < 6; l++)
        for (int way = 0; way < 4; way++) check_matmul(k, rows[i], n, depths[l], way & 1, way >> 1, &random);
  for (size_t n = 0; n <= LONGEST; n += 5) /* more than the copies of last columns hold at once */
    for (int way = 0; way < 4; way++) check_matmul(k, 70, n, 261, way & 1, way >> 1, &random);
}

static double ulps(float found, double expected) {
  int exponent;
  frexp(expected, &exponent);
  return fabs((double)found - expected) / ldexp(1, exponent - 24);
}

/* exp over its whole range; beyond, it ends in 0 or stays at the largest argument's value. */
static void exponential(void **state) {
  const ci_kernels *k = kernels(state);
  enum { COUNT = 1 << 18 };
  float *x = malloc(COUNT * sizeof *x);
  double worst = 0, worst_at = 0;
  for (size_t i = 0; i < COUNT; i++) x[i] = -87.3f + 175.6f * (float)i / COUNT;
  k->exp_sum(x, COUNT, 1, 0);
  for (size_t i = 0; i < COUNT; i++) {
    double at = (double)(-87.3f + 175.6f * (float)i / COUNT), u = ulps(x[i], exp(at));
    if (u > worst) worst = u, worst_at = at;
  }
  print_message("%s: exp is within %.2f ulp (at %g)\n", k->id, worst, worst_at);
  assert_true(worst < 2);
  float ends[] = {-INFINITY, -1e30f, -104, -88, 0};
  k->exp_sum(ends, 5, 1, 0);
  for (int i = 0; i < 4; i++) assert_true(ends[i] == 0);
  assert_true(ends[4] == 1);
  float large[] = {89, 1000, INFINITY};
  k->exp_sum(large, 3, 1, 0);
  for (int i = 0; i < 3; i++) assert_true(large[i] > 2e38f);
  for (size_t n = 1; n <= 40; n++) { /* in a whole vector and in its rest */
    for (size_t i = 0; i < n; i++) x[i] = i == n - 1 ? NAN : 0;
    assert_true(isnan(k->exp_sum(x, n, 1, 0)));
    assert_true(isnan(x[n - 1]));
  }
  free(x);
}

static void sums_of_exponentials(void **state) {
  const ci_kernels *k = kernels(state);
  uint64_t random = 5;
  for (size_t n = 0; n <= LONGEST; n++) {
    float *x = random_array(&random, n), *old = malloc(n * sizeof *old + 1);
    memcpy(old, x, n * sizeof *x);
    double expected = 0, found = k->exp_sum(x, n, 1.7f, 0.4f);
    for (size_t i = 0; i < n; i++) {
      double e = exp((double)1.7f * (double)old[i] - (double)0.4f);
      near(k, "exp", n, (double)x[i], e, 2 * e);
      expected += e;
    }
    near(k, "exp_sum", n, found, expected, expected);
    free(x);
    free(old);
  }
}

static double silu(double x) {
  return x / (1 + exp(-x));
}
static double silu_slope(double x) {
  double s = 1 / (1 + exp(-x));
  return s * (1 + x * (1 - s));
}
static double gelu(double x) {
  return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
static double gelu_slope(double x) {
  double t = tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)), du = sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du;
}

/* Errors by the size of the result or of 1, whichever is larger; and far out the limits. */
static void check_function(const ci_kernels *k, const char *what, void (*map)(const float *, float *, size_t),
                           void (*gradient)(const float *, const float *, float *, size_t), double (*f)(double),
                           double (*slope)(double)) {
  enum { COUNT = 1 << 16 };
  float *x = malloc(COUNT * sizeof *x), *y = malloc(COUNT * sizeof *y), *dy = malloc(COUNT * sizeof *dy),
        *dx = malloc(COUNT * sizeof *dx);
  uint64_t random = 6;
  double worst = 0, worst_slope = 0;
  for (size_t i = 0; i < COUNT; i++) x[i] = 40 * ((float)i / COUNT - 0.5f), dy[i] = random_float(&random);
  map(x, y, COUNT);
  gradient(x, dy, dx, COUNT);
  for (size_t i = 0; i < COUNT; i++) {
    worst = fmax(worst, fabs((double)y[i] - f((double)x[i])) / fmax(1, fabs((double)x[i])));
    worst_slope = fmax(worst_slope, fabs((double)dx[i] - (double)dy[i] * slope((double)x[i])));
  }
  print_message("%s: %s is within %.2g, its slope within %.2g\n", k->id, what, worst, worst_slope);
  assert_true(worst < 3e-7);
  assert_true(worst_slope < 3e-6); /* 1 - tanh^2 cancels where gelu is nearly x */
  for (size_t n = 0; n <= LONGEST; n++) {
    float *a = random_array(&random, n), *b = malloc(n * sizeof *b + 1), *g = random_array(&random, n),
          *d = malloc(n * sizeof *d + 1);
    map(a, b, n);
    gradient(a, g, d, n);
    for (size_t i = 0; i < n; i++) {
      near(k, what, n, (double)b[i], f((double)a[i]), 2);
      near(k, what, n, (double)d[i], (double)g[i] * slope((double)a[i]), 2);
    }
    free(a);
    free(b);
    free(g);
    free(d);
  }
  const float far[] = {-1e4f, -100, 100, 1e4f}, ones[] = {1, 1, 1, 1};
  float at[4];
  map(far, at, 4);
  for (int i = 0; i < 4; i++) assert_float_equal(at[i], far[i] > 0 ? far[i] : 0, 1e-30);
  gradient(far, ones, at, 4);
  for (int i = 0; i < 4; i++) assert_float_equal(at[i], far[i] > 0 ? 1 : 0, 1e-30);
  free(x);
  free(y);
  free(dy);
  free(dx);
}

static void activations(void **state) {
  const ci_kernels *k = kernels(state);
  check_function(k, "silu", k->silu, k->silu_gradient, silu, silu_slope);
  check_function(k, "gelu_tanh", k->gelu_tanh, k->gelu_tanh_gradient, gelu, gelu_slope);
}

/* cap tanh(scale x / cap): relative to the value, near 0 too; far out the cap; NaN stays. */
static void caps(void **state) {
  const ci_kernels *k = kernels(state);
  uint64_t random = 8;
  for (size_t n = 0; n <= LONGEST; n++) {
    float *x = random_array(&random, n), *y = malloc(n * sizeof *y + 1);
    for (size_t i = 0; i < n; i++) x[i] *= powf(10, (float)(i % 8) - 4);
    k->soft_cap(x, y, n, 0.7f, 2.5f);
    for (size_t i = 0; i < n; i++) {
      double expected = 2.5 * tanh((double)0.7f * (double)x[i] / 2.5);
      near(k, "soft_cap", n, (double)y[i], expected, 2 * fabs(expected));
    }
    free(x);
    free(y);
  }
  float far[] = {-1e30f, 1e30f, -INFINITY, NAN};
  k->soft_cap(far, far, 4, 1, 50);
  assert_true(far[0] == -50 && far[1] == 50 && far[2] == -50 && isnan(far[3]));
}

static bool same_float(float a, double b) {
  return isnan(b) ? isnan(a) : (double)a == b && !signbit(a) == !signbit(b);
}

/* All 65536 patterns, exactly; lengths with every tail. */
static void widening(void **state) {
  const ci_kernels *k = kernels(state);
  enum { ALL = 1 << 16 };
  uint16_t *x = malloc(ALL * sizeof *x);
  float *y = malloc(ALL * sizeof *y);
  for (int i = 0; i < ALL; i++) x[i] = (uint16_t)i;
  k->widen_f16(x, y, ALL);
  for (int i = 0; i < ALL; i++)
    if (!same_float(y[i], half_value((uint16_t)i))) fail_msg("%s: half %04x is %g", k->id, (unsigned)i, (double)y[i]);
  k->widen_bf16(x, y, ALL);
  for (int i = 0; i < ALL; i++)
    if (!same_float(y[i], bfloat_value((uint16_t)i)))
      fail_msg("%s: bfloat %04x is %g", k->id, (unsigned)i, (double)y[i]);
  for (size_t n = 0; n <= LONGEST; n++) {
    uint16_t *a = malloc(n * sizeof *a + 1);
    float *b = malloc(n * sizeof *b + 1);
    for (size_t i = 0; i < n; i++) a[i] = (uint16_t)(i * 977);
    k->widen_f16(a, b, n);
    for (size_t i = 0; i < n; i++) assert_true(same_float(b[i], half_value(a[i])));
    k->widen_bf16(a, b, n);
    for (size_t i = 0; i < n; i++) assert_true(same_float(b[i], bfloat_value(a[i])));
    free(a);
    free(b);
  }
  free(x);
  free(y);
}

static void tables(void **state) {
  (void)state;
  assert_non_null(ci_kernels_best());
  assert_string_equal(ci_kernels_named("portable")->id, "portable");
  assert_null(ci_kernels_named("avx1024"));
  assert_ptr_equal(ci_kernels_named(ci_kernels_best()->id), ci_kernels_best());
}

#define FOR_ALL(test)                                                                                                           \
  {#test ", portable", test, NULL, NULL, (void *)"portable"}, {#test ", avx2", test, NULL, NULL, (void *)"avx2"},               \
      {#test ", avx512", test, NULL, NULL, (void *)"avx512"}, {                                                                 \
    #test ", avx512_vnni", test, NULL, NULL, (void *)"avx512_vnni"                                                              \
  }

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tables), FOR_ALL(sums),   FOR_ALL(additions),   FOR_ALL(norms_and_products),
      FOR_ALL(rows_of_dots),    FOR_ALL(matmul), FOR_ALL(exponential), FOR_ALL(sums_of_exponentials),
      FOR_ALL(activations),     FOR_ALL(caps),   FOR_ALL(widening),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
