/* One row of `make bench`: runs a request a few times on a loaded model, measures memory bandwidth and GEMM rate in the same
 * process, and prints both as one line of JSON. The roofline fraction is
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

/* Bytes a second that all threads read from memory, far beyond the caches. */
static double bandwidth(ci_compute *compute) {
  enum { PARTS = 512, PART = 256 * 1024 };
  float *data = ci_alloc((size_t)PARTS * PART, sizeof *data);
  if (!data) return 0;
  memset(data, 0, (size_t)PARTS * PART * sizeof *data);
  read_job job = {.kernels = compute->kernels, .data = data, .part = PART};
  double best = 0;
  for (int i = 0; i < 8; i++) {
    double begin = now();
    ci_pool_run(compute->pool, PARTS, read_part, &job);
    double rate = (double)PARTS * PART * sizeof *data / (now() - begin);
    if (rate > best) best = rate;
  }
  ci_free(data);
  return best;
}

/* Floating point operations a second of a product of a comfortable size. */
static double gemm_rate(ci_compute *compute) {
  enum { N = 1536 };
  float *x = ci_alloc_zeroed(N * N, sizeof *x), *y = ci_alloc_zeroed(N * N, sizeof *y), *w = ci_alloc_zeroed(N * N, sizeof *w);
  if (!x || !y || !w) return 0;
  for (size_t i = 0; i < N * N; i++) x[i] = w[i] = (float)(i % 17) * 0.1f;
  ci_weight weight = {.type = ci_weight_type_named("F32"), .data = w, .a = N, .b = N, .ld = N};
  double best = 0;
  for (int i = 0; i < 12; i++) {
    double begin = now();
    ci_weight_backward(compute, &weight, N, x, N, y, N, false);
    double rate = 2.0 * N * N * N / (now() - begin);
    if (rate > best) best = rate;
  }
  ci_free(x);
  ci_free(y);
  ci_free(w);
  return best;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int fail(const cinseq_error *err) {
  fprintf(stderr, "%s: %s\n", err->where, err->message);
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: cinseq_bench MODEL REQUEST_JSON attribute|generate REPEATS\n");
    return 2;
  }
  cinseq_error err = {0};
  cinseq_model *model;
  int repeats = atoi(argv[4]);
  double seconds[64], load = now();
  if (cinseq_model_open(argv[1], NULL, NULL, &model, &err)) return fail(&err);
  load = now() - load;
  char *statistics = NULL;
  for (int i = -1; i < repeats && i < 64; i++) { /* the first run is a warm-up: pages, kernels compiled for the CPU */
    double begin = now();
    if (strcmp(argv[3], "generate") == 0) {
      char *lines;
      if (cinseq_generate(model, argv[2], NULL, &lines, &err)) return fail(&err);
      cinseq_free(lines);
    } else {
      cinseq_result *result;
      if (cinseq_attribute(model, argv[2], NULL, &result, &err)) return fail(&err);
      cinseq_free(statistics);
      statistics = cinseq_result_statistics(result);
      cinseq_result_close(result);
    }
    if (i >= 0) seconds[i] = now() - begin;
  }
  size_t peak = ci_memory_peak();
  qsort(seconds, (size_t)repeats, sizeof *seconds, compare);
  ci_compute compute;
  if (ci_compute_open(&compute, 0, "auto", NULL, &err)) return fail(&err);
  double bytes_rate = bandwidth(&compute), flop_rate = gemm_rate(&compute);
  json_t *s = statistics ? json_loads(statistics, 0, NULL) : json_object();
  double bytes = json_number_value(json_object_get(s, "weight_bytes")), flop = json_number_value(json_object_get(s, "gemm_flop"));
  double median = seconds[repeats / 2], bound = bytes / bytes_rate + flop / flop_rate;
  printf("{\"seconds\": %.4f, \"fastest\": %.4f, \"bound\": %.4f, \"fraction\": %.3f, \"peak_mb\": %.0f, \"load\": %.4f, "
         "\"gbytes\": %.2f, \"gflop\": %.1f, \"gb_per_second\": %.1f, \"gflop_per_second\": %.0f, \"tokens\": %lld}\n",
         median, seconds[0], bound, bound / median, (double)peak / 1048576, load, bytes * 1e-9, flop * 1e-9, bytes_rate * 1e-9,
         flop_rate * 1e-9, (long long)json_integer_value(json_object_get(s, "attributed_tokens")));
  json_decref(s);
  cinseq_free(statistics);
  ci_compute_close(&compute);
  cinseq_model_close(model);
  return 0;
}
