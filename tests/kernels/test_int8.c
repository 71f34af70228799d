/* LLM.int8(): codes, scales and dequantised weights are bitsandbytes' to the bit, and so are sums over codes for every
 * instruction set; products are its, row by row, and the same bits in whatever company a row is multiplied.
 * tests/data/int8/make.py made the oracle's file. */
#include "kernels/int8.h"
#include "formats/format.h"
#include "kernels/weight_types.h"
#include "support/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { OUTPUTS = 37, INPUTS = 150, ROWS = 9 };

typedef struct {
  ci_tensors *tensors;
  ci_mapping mapping;
} oracle;

static oracle open_oracle(void) {
  oracle o = {.tensors = ci_tensors_create()};
  const char *path;
  ci_error err = {0};
  if (ci_tensors_map(o.tensors, TEST_DATA "/int8", "rows.safetensors", &o.mapping, &path, &err) ||
      ci_safetensors_parse(path, o.mapping.bytes, o.mapping.length, o.tensors, &err))
    fail_msg("%s: %s", err.where, err.message);
  return o;
}

static const void *data_of(const oracle *o, const char *name, size_t count) {
  const ci_tensor *t = ci_tensors_find(o->tensors, name);
  assert_non_null(t);
  assert_int_equal(t->count, count);
  return t->data;
}

static const ci_kernels *kernels(void **state) {
  const ci_kernels *k = ci_kernels_named(*state);
  if (!k) skip();
  return k;
}

static ci_weight weight_of(const int8_t *codes, const float *scale, size_t outputs, size_t inputs, float threshold) {
  return (ci_weight){.type = ci_weight_type_named("LLM.int8()"),
                     .data = codes,
                     .a = outputs,
                     .b = inputs,
                     .ld = inputs,
                     .scale = scale,
                     .threshold = threshold};
}

static void quantise(const ci_kernels *k, const ci_weight *source, int threads, int8_t *codes, float *scale) {
  ci_pool *pool;
  assert_int_equal(ci_pool_create(threads, &pool, NULL), CI_OK);
  assert_true(ci_int8_quantize(pool, k, source, codes, scale));
  ci_pool_close(pool);
}

/* From nn.Linear's layout and from Conv1D's. */
static void weights_are_bitsandbytes(void **state) {
  const ci_kernels *k = kernels(state);
  oracle o = open_oracle();
  const float *w = data_of(&o, "weight", OUTPUTS * INPUTS), *dequantized = data_of(&o, "dequantized", OUTPUTS * INPUTS);
  float *turned = malloc(OUTPUTS * INPUTS * sizeof *turned), *wide = malloc(OUTPUTS * INPUTS * sizeof *wide),
        scale[OUTPUTS];
  int8_t *codes = malloc(OUTPUTS * INPUTS);
  for (size_t r = 0; r < OUTPUTS; r++)
    for (size_t i = 0; i < INPUTS; i++) turned[i * OUTPUTS + r] = w[r * INPUTS + i];
  for (int conv1d = 0; conv1d < 2; conv1d++)
    for (int threads = 1; threads < 3; threads++) {
      ci_weight source = {.type = ci_weight_type_named("F32"), .data = w, .a = OUTPUTS, .b = INPUTS, .ld = INPUTS};
      if (conv1d)
        source = (ci_weight){
            .type = source.type, .data = turned, .a = INPUTS, .b = OUTPUTS, .ld = OUTPUTS, .by_input = true};
      quantise(k, &source, threads, codes, scale);
      assert_memory_equal(codes, data_of(&o, "CB", OUTPUTS * INPUTS), OUTPUTS * INPUTS);
      assert_memory_equal(scale, data_of(&o, "SCB", OUTPUTS), sizeof scale);
    }
  ci_weight made = weight_of(codes, scale, OUTPUTS, INPUTS, 6);
  made.type->panel(k, &made, 0, OUTPUTS, 0, INPUTS, wide);
  assert_memory_equal(wide, dequantized, OUTPUTS * INPUTS * sizeof *wide);
  made.type->panel(k, &made, 5, 3, 7, 20, wide); /* some rows, some columns */
  for (size_t r = 0; r < 3; r++)
    assert_memory_equal(wide + r * 20, dequantized + (5 + r) * INPUTS + 7, 20 * sizeof *wide);
  free(turned);
  free(wide);
  free(codes);
  ci_tensors_close(o.tensors);
}

/* Conv1D's layout has the same codes as nn.Linear's: shapes that tiles and vectors do not divide, in float32 and in
 * halves, with a column of zeros and one of NaN. */
static void columns_are_quantised_as_rows(void **state) {
  const ci_kernels *k = kernels(state);
  static const size_t shapes[][2] = {{1, 1}, {3, 17}, {64, 64}, {70, 200}, {301, 33}, {16, 1030}};
  uint64_t random = 4;
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    size_t inputs = shapes[s][0], outputs = shapes[s][1], count = inputs * outputs;
    float *x = malloc(count * sizeof *x), *turned = malloc(count * sizeof *x), scale[2][1030];
    uint16_t *halves = malloc(count * sizeof *halves);
    int8_t *codes[2] = {malloc(count), malloc(count)};
    random_floats(&random, x, count, 3);
    for (size_t i = 0; i < inputs && outputs > 2; i++) x[i * outputs + 1] = 0;
    if (outputs > 2) x[2] = NAN;
    k->narrow_bf16(x, halves, count);
    for (int half = 0; half < 2; half++) {
      if (half) k->widen_bf16(halves, x, count);
      for (size_t o = 0; o < outputs; o++)
        for (size_t i = 0; i < inputs; i++) turned[o * inputs + i] = x[i * outputs + o];
      ci_weight rows = {.type = ci_weight_type_named("F32"), .data = turned, .a = outputs, .b = inputs, .ld = inputs},
                columns = {.type = ci_weight_type_named(half ? "BF16" : "F32"),
                           .data = half ? (const void *)halves : x,
                           .a = inputs,
                           .b = outputs,
                           .ld = outputs,
                           .by_input = true};
      quantise(k, &rows, 1, codes[0], scale[0]);
      for (int threads = 1; threads < 4; threads++) {
        quantise(k, &columns, threads, codes[1], scale[1]);
        for (size_t o = 0; o < outputs; o++) {
          assert_true(isnan(scale[0][o]) ? isnan(scale[1][o]) : scale[0][o] == scale[1][o]);
          if (!isnan(scale[0][o])) assert_memory_equal(codes[0] + o * inputs, codes[1] + o * inputs, inputs);
        }
      }
    }
    free(x);
    free(turned);
    free(halves);
    free(codes[0]);
    free(codes[1]);
  }
}

static ci_compute open_compute(const char *id, int threads) {
  ci_compute c;
  assert_int_equal(ci_compute_open(&c, threads, "auto", id, NULL), CI_OK);
  return c;
}

/* What the outliers of a row contribute to an output. */
static double outliers_of(const float *x, const float *w, double threshold) {
  double sum = 0;
  for (size_t i = 0; i < INPUTS; i++)
    if (fabs((double)x[i]) >= threshold) sum += (double)x[i] * (double)w[i];
  return sum;
}

/* bitsandbytes multiplies codes by 6.200124e-05 where 1 / 127^2 is 6.2000124e-05: 1.8e-5 of their part. */
static void products_are_bitsandbytes(void **state) {
  const ci_kernels *k = kernels(state);
  oracle o = open_oracle();
  ci_compute c = open_compute(k->id, 2);
  const float *x = data_of(&o, "x", ROWS * INPUTS), *dequantized = data_of(&o, "dequantized", OUTPUTS * INPUTS);
  float y[ROWS * OUTPUTS];
  for (int plain = 0; plain < 2; plain++) {
    ci_weight w =
        weight_of(data_of(&o, "CB", OUTPUTS * INPUTS), data_of(&o, "SCB", OUTPUTS), OUTPUTS, INPUTS, plain ? NAN : 6);
    const float *expected = data_of(&o, plain ? "y_without_threshold" : "y", ROWS * OUTPUTS);
    ci_weight_forward(&c, &w, ROWS, x, INPUTS, y, OUTPUTS, NULL);
    for (size_t i = 0; i < ROWS * OUTPUTS; i++) {
      double outliers = outliers_of(x + i / OUTPUTS * INPUTS, dequantized + i % OUTPUTS * INPUTS, (double)w.threshold);
      double codes = fabs((double)expected[i] - outliers),
             rounding = 1e-6 * (double)w.scale[i % OUTPUTS] * 60 + 1e-6 * fabs(outliers);
      if (!(fabs((double)y[i] - (double)expected[i]) <= 2e-5 * codes + rounding))
        fail_msg("%s: [%zu, %zu]%s: %.9g, expected %.9g", k->id, i / OUTPUTS, i % OUTPUTS,
                 plain ? " without threshold" : "", (double)y[i], (double)expected[i]);
    }
  }
  ci_compute_close(&c);
  ci_tensors_close(o.tensors);
}

/* Any shape, gaps between rows, weights of -128 too. */
static void sums_are_exact(void **state) {
  const ci_kernels *k = kernels(state);
  enum { MOST = 14, LONG = 403, GAP = 5 };
  uint64_t random = 5;
  for (int round = 0; round < 60; round++) {
    size_t m = random_bits(&random) % MOST + 1, rows = random_bits(&random) % MOST + 1, n = random_bits(&random) % LONG;
    if (round == 0) m = 13, rows = 9, n = 4096;
    size_t ld = n + GAP;
    int8_t *x = malloc(m * ld), *w = malloc(rows * ld);
    int32_t sums[MOST] = {0}, out[MOST * (MOST + 1)];
    for (size_t i = 0; i < m * ld; i++) x[i] = round ? (int8_t)(random_bits(&random) % 255 - 127) : 127;
    for (size_t i = 0; i < rows * ld; i++)
      w[i] = round ? (int8_t)(random_bits(&random) % 256) : (int8_t)(i / ld % 2 ? -128 : 127);
    for (size_t i = 0; i < m; i++)
      for (size_t j = 0; j < n; j++) sums[i] += x[i * ld + j];
    k->int8_dot(m, rows, n, x, ld, sums, w, ld, out, MOST + 1);
    for (size_t i = 0; i < m; i++)
      for (size_t r = 0; r < rows; r++) {
        int32_t expected = 0;
        for (size_t j = 0; j < n; j++) expected += x[i * ld + j] * w[r * ld + j];
        if (out[i * (MOST + 1) + r] != expected)
          fail_msg("%s: %zu x %zu, length %zu: [%zu, %zu] is %d, expected %d", k->id, m, rows, n, i, r,
                   (int)out[i * (MOST + 1) + r], (int)expected);
      }
    free(x);
    free(w);
  }
}

/* Every length: codes, scale, sum and outliers against the definition. */
static void rows_are_quantised(void **state) {
  const ci_kernels *k = kernels(state);
  uint64_t random = 9;
  for (size_t n = 0; n <= 70; n++)
    for (int kind = 0; kind < 4; kind++) {
      float *x = malloc(n * sizeof *x + 1), scale, top = 0;
      int8_t *codes = malloc(n + 1);
      uint32_t *at = malloc(n * sizeof *at + 1);
      int32_t sum, total = 0;
      float threshold = kind ? 1.5f : NAN;
      random_floats(&random, x, n, 2);
      if (kind == 2) memset(x, 0, n * sizeof *x);
      for (size_t i = 0; kind == 3 && i < n; i += 3) x[i] = NAN;
      size_t outliers = 0, count = k->int8_quantize(x, n, threshold, codes, &scale, &sum);
      assert_int_equal(k->int8_outliers(x, n, threshold, at), count);
      for (size_t i = 0; i < n; i++)
        if (fabsf(x[i]) >= threshold)
          assert_int_equal(at[outliers++], i);
        else if (!(fabsf(x[i]) <= top))
          top = fabsf(x[i]);
      assert_int_equal(outliers, count);
      if (kind == 3 && n)
        assert_true(isnan(scale));
      else
        assert_true(scale == top);
      for (size_t i = 0; i < n && kind != 3; i++) {
        volatile float scaled = top > 0 ? x[i] * (1.0f / top * 127.0f) : 0;
        int expected = fabsf(x[i]) >= threshold ? 0 : (int)nearbyintf(scaled);
        assert_int_equal(codes[i], expected);
        total += codes[i];
      }
      if (kind != 3) assert_int_equal(sum, total);
      free(x);
      free(codes);
      free(at);
    }
}

typedef struct {
  ci_weight w;
  int8_t *codes;
  float *scale, *x;
} layer;

/* Rows with none, some and many outliers. */
static layer make_layer(size_t outputs, size_t inputs, size_t m) {
  uint64_t random = outputs + inputs;
  layer l = {.codes = malloc(outputs * inputs),
             .scale = malloc(outputs * sizeof(float)),
             .x = malloc(m * inputs * sizeof(float))};
  for (size_t i = 0; i < outputs * inputs; i++) l.codes[i] = (int8_t)(random_bits(&random) % 255 - 127);
  for (size_t i = 0; i < outputs; i++) l.scale[i] = 0.1f + (float)i / 100;
  random_floats(&random, l.x, m * inputs, 2);
  for (size_t r = 0; r < m; r++)
    for (size_t i = r; i < inputs && r % 3; i += r % 3 == 1 ? 97 : 5) l.x[r * inputs + i] *= 20;
  l.w = weight_of(l.codes, l.scale, outputs, inputs, 6);
  return l;
}

static void free_layer(layer *l) {
  free(l->codes);
  free(l->scale);
  free(l->x);
}

/* Alone or with others, on one thread or more, as a part by itself: the same bits. Panels hold fewer columns than there
 * are with outliers in the second shape. */
static void company_changes_nothing(void **state) {
  const ci_kernels *k = kernels(state);
  static const size_t shapes[][3] = {{83, 301, 131}, {20, 6500, 7}};
  for (size_t s = 0; s < 2; s++) {
    size_t outputs = shapes[s][0], inputs = shapes[s][1], m = shapes[s][2], size = m * outputs;
    layer l = make_layer(outputs, inputs, m);
    float *y = malloc(size * sizeof *y), *z = malloc(size * sizeof *z), *bias = malloc(outputs * sizeof *bias);
    for (size_t i = 0; i < outputs; i++) bias[i] = (float)i;
    for (int threads = 1; threads <= 3; threads++) {
      ci_compute c = open_compute(k->id, threads);
      if (threads == 1) ci_weight_forward(&c, &l.w, m, l.x, inputs, y, outputs, bias);
      ci_weight_forward(&c, &l.w, m, l.x, inputs, z, outputs, bias);
      assert_memory_equal(y, z, size * sizeof *y);
      for (size_t r = 0; r < m; r += 5)
        ci_weight_forward(&c, &l.w, 1, l.x + r * inputs, inputs, z + r * outputs, outputs, bias);
      assert_memory_equal(y, z, size * sizeof *y);
      ci_weight_forward(&c, &l.w, m, l.x, inputs, y, outputs, NULL);
      ci_weight_part part = {
          .w = &l.w, .rows = m, .first = 3, .count = outputs - 5, .ldx = inputs, .ldy = outputs, .x = l.x, .y = z};
      ci_weight_part_run(&c, &part, true, threads - 1);
      for (size_t r = 0; r < m; r++)
        assert_memory_equal(z + r * outputs, y + r * outputs + 3, (outputs - 5) * sizeof *y);
      ci_weight cut = ci_weight_cut(&l.w, 7, outputs - 9);
      ci_weight_forward(&c, &cut, m, l.x, inputs, z, outputs, NULL);
      for (size_t r = 0; r < m; r++)
        assert_memory_equal(z + r * outputs, y + r * outputs + 7, (outputs - 9) * sizeof *y);
      ci_weight_forward(&c, &l.w, m, l.x, inputs, y, outputs, bias);
      ci_compute_close(&c);
    }
    free(y);
    free(z);
    free(bias);
    free_layer(&l);
  }
}

/* dx = dy times the dequantised weight, as with that weight in float32: the activations do not matter. */
static void backward_is_the_dequantised(void **state) {
  const ci_kernels *k = kernels(state);
  enum { O = 83, I = 301, M = 11 };
  layer l = make_layer(O, I, M);
  float *wide = malloc(O * I * sizeof *wide), *dy = malloc(M * O * sizeof *dy), dx[M * I], expected[M * I];
  uint64_t random = 3;
  random_floats(&random, dy, M * O, 1);
  ci_int8_panel(k, &l.w, 0, O, 0, I, wide);
  ci_weight plain = ci_weight_cut(&l.w, 0, O);
  plain.type = ci_weight_type_named("F32");
  plain.data = wide;
  ci_compute c = open_compute(k->id, 2);
  ci_weight_backward(&c, &l.w, M, dy, O, dx, I, false);
  ci_weight_backward(&c, &plain, M, dy, O, expected, I, false);
  for (size_t i = 0; i < M * I; i++) assert_true(fabs((double)dx[i] - (double)expected[i]) <= 1e-5 * 20);
  ci_compute_close(&c);
  free(wide);
  free(dy);
  free_layer(&l);
}

/* All halves come back; what lies between two goes to the even one. */
static void narrowing(void **state) {
  const ci_kernels *k = kernels(state);
  enum { FINITE = 0x7c00, COUNT = 3 * FINITE };
  float *x = malloc(COUNT * sizeof *x);
  uint16_t *y = malloc(COUNT * sizeof *y);
  for (size_t i = 0; i < FINITE; i++) {
    double low = half_value((uint16_t)i), high = i + 1 < FINITE ? half_value((uint16_t)(i + 1)) : 65536,
           middle = (low + high) / 2;
    x[3 * i] = -(float)low;
    x[3 * i + 1] = (float)middle;
    x[3 * i + 2] = nextafterf((float)middle, 0);
  }
  k->narrow_f16(x, y, COUNT);
  for (size_t i = 0; i < FINITE; i++) {
    assert_int_equal(y[3 * i], i | 0x8000);
    assert_int_equal(y[3 * i + 1], i + (i & 1));
    assert_int_equal(y[3 * i + 2], i);
  }
  for (size_t i = 0; i < FINITE; i++) {
    uint32_t bits = (uint32_t)i << 16, middle = bits | 0x8000u, below = bits | 0x7fffu;
    memcpy(x + 3 * i, &bits, 4);
    memcpy(x + 3 * i + 1, &middle, 4);
    memcpy(x + 3 * i + 2, &below, 4);
  }
  k->narrow_bf16(x, y, COUNT);
  for (size_t i = 0; i < FINITE; i++) {
    assert_int_equal(y[3 * i], i);
    assert_int_equal(y[3 * i + 1], i + (i & 1));
    assert_int_equal(y[3 * i + 2], i);
  }
  float odd[] = {INFINITY, -INFINITY, NAN, 1e6f, 3.4e38f};
  uint16_t halves[5], bfloats[5];
  k->narrow_f16(odd, halves, 5);
  k->narrow_bf16(odd, bfloats, 5);
  assert_true(halves[0] == 0x7c00 && halves[1] == 0xfc00 && (halves[2] & 0x7fff) > 0x7c00 && halves[3] == 0x7c00);
  assert_true(bfloats[0] == 0x7f80 && bfloats[1] == 0xff80 && (bfloats[2] & 0x7fff) > 0x7f80 && bfloats[4] == 0x7f80);
  free(x);
  free(y);
}

#define FOR_ALL(test)                                                                                                  \
  {#test ", portable", test, NULL, NULL, (void *)"portable"}, {#test ", avx2", test, NULL, NULL, (void *)"avx2"},      \
      {#test ", avx512", test, NULL, NULL, (void *)"avx512"}, {                                                        \
#test ", avx512_vnni", test, NULL, NULL, (void *)"avx512_vnni"                                                     \
  }

int main(void) {
  const struct CMUnitTest tests[] = {FOR_ALL(weights_are_bitsandbytes),    FOR_ALL(columns_are_quantised_as_rows),
                                     FOR_ALL(products_are_bitsandbytes),   FOR_ALL(sums_are_exact),
                                     FOR_ALL(rows_are_quantised),          FOR_ALL(company_changes_nothing),
                                     FOR_ALL(backward_is_the_dequantised), FOR_ALL(narrowing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
