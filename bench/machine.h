/* What the machine can do at this moment: memory bandwidth and GEMM rate, measured with our own threads and kernels. */
#ifndef CINSEQ_BENCH_MACHINE_H
#define CINSEQ_BENCH_MACHINE_H
#include "base/memory.h"
#include "kernels/compute.h"
#include "kernels/weight_types.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { PARTS = 512, PART_ROWS = 256, ROW = 1024, MOST_THREADS = 64, N = 1536 };

typedef struct {
  const ci_kernels *kernels;
  const float *data; /* [PARTS, PART_ROWS, ROW] */
  float sums[MOST_THREADS][PART_ROWS];
} read_job;

/* Read as decoding reads, which is the fastest that we know. */
static void read_part(void *context, size_t part, int thread) {
  read_job *job = context;
  job->kernels->dot_rows(1, job->data, ROW, job->data + part * PART_ROWS * ROW, ROW, PART_ROWS, ROW,
                         job->sums[thread % MOST_THREADS], PART_ROWS);
}

/* What the machine can do at this moment. */
typedef struct {
  ci_compute compute;
  float *data;      /* [PARTS, PART_ROWS, ROW], far beyond the caches */
  float *x, *y, *w; /* [N, N] */
} machine;

static bool machine_open(machine *m) {
  m->data = ci_alloc((size_t)PARTS * PART_ROWS * ROW, sizeof *m->data);
  m->x = ci_alloc_zeroed(N * N, sizeof *m->x);
  m->y = ci_alloc_zeroed(N * N, sizeof *m->y);
  m->w = ci_alloc_zeroed(N * N, sizeof *m->w);
  if (!m->data || !m->x || !m->y || !m->w || ci_compute_open(&m->compute, 0, "auto", NULL, NULL)) return false;
  memset(m->data, 0, (size_t)PARTS * PART_ROWS * ROW * sizeof *m->data);
  for (size_t i = 0; i < N * N; i++) m->x[i] = m->w[i] = (float)(i % 17) * 0.1f;
  return true;
}

static void machine_close(machine *m) {
  ci_compute_close(&m->compute);
  ci_free(m->data);
  ci_free(m->x);
  ci_free(m->y);
  ci_free(m->w);
}

/* Bytes a second that all threads read from memory. */
static double bandwidth(machine *m) {
  read_job job = {.kernels = m->compute.kernels, .data = m->data};
  double begin = now();
  ci_pool_run(m->compute.pool, PARTS, read_part, &job);
  return (double)PARTS * PART_ROWS * ROW * sizeof *m->data / (now() - begin);
}

/* Floating point operations a second of a product of a comfortable size. */
static inline double gemm_rate(machine *m) {
  ci_weight weight = {.type = ci_weight_type_named("F32"), .data = m->w, .a = N, .b = N, .ld = N};
  double begin = now();
  ci_weight_backward(&m->compute, &weight, N, m->x, N, m->y, N, false);
  return 2.0 * N * N * N / (now() - begin);
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, compare);
  return values[count / 2];
}

#endif
