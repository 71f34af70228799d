/* One row of `make bench`: runs a request a few times on a loaded model, measures memory bandwidth and GEMM rate between the
 * runs, and prints both as one line of JSON. The roofline fraction is
 *   (bytes of weights read / bandwidth + floating point operations of products with weights / GEMM rate) / seconds. */
#include "base/memory.h"
#include "cinseq.h"
#include "kernels/compute.h"
#include "kernels/weight_types.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct {
  const ci_kernels *kernels;
  const float *data;
  size_t part;
  double sum[64];
} read_job;

static void read_part(void *context, size_t part, int thread) {
  read_job *job = context;
  job->sum[thread % 64] += (double)job->kernels->dot(job->data + part * job->part, job->data + part * job->part, job->part);
}

enum { PARTS = 512, PART = 256 * 1024, N = 1536 };

/* What the machine can do at this moment. */
typedef struct {
  ci_compute compute;
  float *data;        /* [PARTS, PART], far beyond the caches */
  float *x, *y, *w;   /* [N, N] */
} machine;

static bool machine_open(machine *m) {
  m->data = ci_alloc((size_t)PARTS * PART, sizeof *m->data);
  m->x = ci_alloc_zeroed(N * N, sizeof *m->x);
  m->y = ci_alloc_zeroed(N * N, sizeof *m->y);
  m->w = ci_alloc_zeroed(N * N, sizeof *m->w);
  if (!m->data || !m->x || !m->y || !m->w || ci_compute_open(&m->compute, 0, "auto", NULL, NULL)) return false;
  memset(m->data, 0, (size_t)PARTS * PART * sizeof *m->data);
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
  read_job job = {.kernels = m->compute.kernels, .data = m->data, .part = PART};
  double begin = now();
  ci_pool_run(m->compute.pool, PARTS, read_part, &job);
  return (double)PARTS * PART * sizeof *m->data / (now() - begin);
}

/* Floating point operations a second of a product of a comfortable size. */
static double gemm_rate(machine *m) {
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

static int fail(const cinseq_error *err) {
  fprintf(stderr, "%s: %s\n", err->where, err->message);
  return 1;
}

/* One run of the request; its statistics replace *statistics (attribute only). 0 on success. */
static int run_once(cinseq_model *model, const char *request, bool generate, char **statistics) {
  cinseq_error err = {0};
  if (generate) {
    char *lines;
    if (cinseq_generate(model, request, NULL, &lines, &err)) return fail(&err);
    cinseq_free(lines);
    return 0;
  }
  cinseq_result *result;
  if (cinseq_attribute(model, request, NULL, &result, &err)) return fail(&err);
  cinseq_free(*statistics);
  *statistics = cinseq_result_statistics(result);
  cinseq_result_close(result);
  return 0;
}

enum { MOST_RUNS = 64 };

int main(int argc, char **argv) {
  int repeats = argc == 5 ? atoi(argv[4]) : 0;
  if (repeats < 1 || repeats > MOST_RUNS) {
    fprintf(stderr, "usage: cinseq_bench MODEL REQUEST_JSON attribute|generate RUNS\n");
    return 2;
  }
  cinseq_error err = {0};
  cinseq_model *model;
  machine m = {0};
  char *statistics = NULL;
  bool generate = strcmp(argv[3], "generate") == 0;
  double load = now(), seconds[MOST_RUNS], bytes_rate[MOST_RUNS + 1], flop_rate[MOST_RUNS + 1];
  if (cinseq_model_open(argv[1], NULL, NULL, &model, &err)) return fail(&err);
  load = now() - load;
  /* the first run is a warm-up (pages, kernels compiled for the CPU) and says how much memory a run takes */
  if (run_once(model, argv[2], generate, &statistics)) return 1;
  size_t peak = ci_memory_peak();
  if (!machine_open(&m)) return 1;
  bandwidth(&m);
  gemm_rate(&m);
  for (int i = 0; i <= repeats; i++) { /* the machine is measured between the runs: it is shared, and changes */
    bytes_rate[i] = bandwidth(&m);
    flop_rate[i] = gemm_rate(&m);
    if (i == repeats) break;
    double begin = now();
    if (run_once(model, argv[2], generate, &statistics)) return 1;
    seconds[i] = now() - begin;
  }
  json_t *s = statistics ? json_loads(statistics, 0, NULL) : json_object();
  double bytes = json_number_value(json_object_get(s, "weight_bytes")), flop = json_number_value(json_object_get(s, "gemm_flop"));
  double middle = median(seconds, repeats), reading = median(bytes_rate, repeats + 1), multiplying = median(flop_rate, repeats + 1);
  double bound = bytes / reading + flop / multiplying;
  printf("{\"seconds\": %.4f, \"fastest\": %.4f, \"bound\": %.4f, \"fraction\": %.3f, \"peak_mb\": %.0f, \"load\": %.4f, "
         "\"gbytes\": %.2f, \"gflop\": %.1f, \"gb_per_second\": %.1f, \"gflop_per_second\": %.0f, \"tokens\": %lld}\n",
         middle, seconds[0], bound, bound / middle, (double)peak / 1048576, load, bytes * 1e-9, flop * 1e-9, reading * 1e-9,
         multiplying * 1e-9, (long long)json_integer_value(json_object_get(s, "attributed_tokens")));
  json_decref(s);
  cinseq_free(statistics);
  machine_close(&m);
  cinseq_model_close(model);
  return 0;
}
