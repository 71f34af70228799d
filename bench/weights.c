/* Products with weights of each type, as `make bench` shows them: one row of x (decoding) and few rows against the
 * bandwidth measured between them, many rows against float32's rate. Weights are far larger than the caches, in
 * matrices of a layer's size. One line of JSON for each type. */
#include "machine.h"
#include <stdio.h>

enum { SIDE = 2048, MANY = 200, REPEATS = 9, BYTES = 384 * 1024 * 1024 };

typedef struct {
  machine m;
  uint8_t *bytes; /* [BYTES], which make numbers that are neither tiny nor huge in any type */
  float *x, *y;   /* [MANY, SIDE] */
} bench;

static bool bench_open(bench *b) {
  b->bytes = ci_alloc(BYTES, 1);
  b->x = ci_alloc(MANY * SIDE, sizeof *b->x);
  b->y = ci_alloc(MANY * SIDE, sizeof *b->y);
  if (!b->bytes || !b->x || !b->y || !machine_open(&b->m)) return false;
  uint32_t random = 1;
  for (size_t i = 0; i < BYTES; i++) {
    random = random * 1664525u + 1013904223u;
    b->bytes[i] = (uint8_t)(random >> 27 | 0x20);
  }
  for (size_t i = 0; i < MANY * SIDE; i++) b->x[i] = (float)(i % 23) * 0.1f - 1;
  return true;
}

static void bench_close(bench *b) {
  machine_close(&b->m);
  ci_free(b->bytes);
  ci_free(b->x);
  ci_free(b->y);
}

static size_t matrix_bytes(const ci_weight_type *type) {
  return (size_t)SIDE * SIDE / type->block * type->size;
}

static ci_weight matrix(const bench *b, const ci_weight_type *type, size_t index) {
  return (ci_weight){.type = type, .data = b->bytes + index * matrix_bytes(type), .a = SIDE, .b = SIDE, .ld = SIDE, .scale = b->x, .threshold = 6};
}

/* Seconds of one product of m rows with each matrix. */
static double seconds(bench *b, const ci_weight_type *type, size_t count, size_t m, bool forward) {
  double begin = now();
  for (size_t i = 0; i < count; i++) {
    ci_weight w = matrix(b, type, i);
    if (forward)
      ci_weight_forward(&b->m.compute, &w, m, b->x, SIDE, b->y, SIDE, NULL);
    else
      ci_weight_backward(&b->m.compute, &w, m, b->x, SIDE, b->y, SIDE, false);
  }
  return now() - begin;
}

/* Medians of ratios: each is taken next to the measurement that it is compared with. */
static void measure(bench *b, const ci_weight_type *type) {
  enum { FEW_MATRICES = 4 };
  const ci_weight_type *f32 = ci_weight_type_named("F32");
  size_t count = BYTES / matrix_bytes(type), bytes = count * matrix_bytes(type);
  double rate[REPEATS], fraction[REPEATS], few[REPEATS], forward[REPEATS], backward[REPEATS];
  seconds(b, type, count, 1, true);
  for (int i = 0; i < REPEATS; i++) {
    double before = bandwidth(&b->m), one = seconds(b, type, count, 1, true), after = bandwidth(&b->m);
    rate[i] = (before + after) / 2;
    fraction[i] = (double)bytes / one / rate[i];
    few[i] = seconds(b, type, count, CI_FEW_ROWS, true) / one;
    double wide = seconds(b, f32, FEW_MATRICES, MANY, true), back = seconds(b, f32, FEW_MATRICES, MANY, false);
    forward[i] = wide / seconds(b, type, FEW_MATRICES, MANY, true);
    backward[i] = back / seconds(b, type, FEW_MATRICES, MANY, false);
  }
  double reading = median(rate, REPEATS), share = median(fraction, REPEATS);
  printf("{\"type\": \"%s\", \"fraction\": %.3f, \"gb_per_second\": %.1f, \"bandwidth\": %.1f, \"few\": %.2f, "
         "\"forward\": %.2f, "
         "\"backward\": %.2f}\n",
         type->id, share, share * reading * 1e-9, reading * 1e-9, median(few, REPEATS), median(forward, REPEATS),
         median(backward, REPEATS));
  fflush(stdout);
}

int main(int argc, char **argv) {
  bench b = {0};
  if (!bench_open(&b)) return 1;
  const ci_weight_type *type;
  for (size_t i = 0; (type = ci_weight_type_at(i)); i++) {
    bool wanted = argc == 1;
    for (int k = 1; k < argc; k++) wanted |= strcmp(argv[k], type->id) == 0;
    if (wanted) measure(&b, type);
  }
  bench_close(&b);
  return 0;
}
