/* One row of `make bench`: runs a request a few times on a loaded model, measures memory bandwidth and GEMM rate
 * between the runs, and prints both as one line of JSON. The roofline fraction is (bytes of weights read / bandwidth +
 * floating point operations of products with weights / GEMM rate) / seconds; the reading fraction has the bytes only.
 */
#include "api/session.h"
#include "attribute/job.h"
#include "cinseq.h"
#include "machine.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const cinseq_error *err) {
  fprintf(stderr, "%s: %s\n", err->where, err->message);
  return 1;
}

/* What a run has done. */
typedef struct {
  double bytes, flop;
  long long tokens;
} work;

/* Generation as cinseq_generate does it, which does not say what it has read. */
static int generate_once(const cinseq_model *model, const char *request, work *done) {
  cinseq_error err = {0};
  ci_job *job = NULL;
  ci_text lines = {0};
  ci_status status = ci_job_open(model->model, request, false, NULL, 0, NULL, &job, &err);
  if (!status) status = ci_attribution_generate(job, 0, &lines, &err);
  if (!status) *done = (work){job->compute->weight_bytes, job->compute->gemm_flop, 0};
  ci_text_free(&lines);
  ci_job_close(job);
  return status ? fail(&err) : 0;
}

static int attribute_once(const cinseq_model *model, const char *request, work *done) {
  cinseq_error err = {0};
  cinseq_result *result;
  if (cinseq_attribute(model, request, NULL, &result, &err)) return fail(&err);
  char *text = cinseq_result_statistics(result);
  json_t *s = text ? json_loads(text, 0, NULL) : NULL;
  *done =
      (work){json_number_value(json_object_get(s, "weight_bytes")), json_number_value(json_object_get(s, "gemm_flop")),
             json_integer_value(json_object_get(s, "attributed_tokens"))};
  json_decref(s);
  cinseq_free(text);
  cinseq_result_close(result);
  return 0;
}

enum { MOST_RUNS = 64 };

int main(int argc, char **argv) {
  int repeats = argc == 5 || argc == 6 ? atoi(argv[4]) : 0;
  if (repeats < 1 || repeats > MOST_RUNS) {
    fprintf(stderr, "usage: cinseq_bench MODEL REQUEST_JSON attribute|generate RUNS [OPEN_JSON]\n");
    return 2;
  }
  cinseq_error err = {0};
  cinseq_model *model;
  machine m = {0};
  work done = {0};
  int (*run_once)(const cinseq_model *, const char *, work *) =
      strcmp(argv[3], "generate") == 0 ? generate_once : attribute_once;
  double load = now(), seconds[MOST_RUNS], bytes_rate[MOST_RUNS + 1], flop_rate[MOST_RUNS + 1];
  if (cinseq_model_open(argv[1], argc == 6 ? argv[5] : NULL, NULL, &model, &err)) return fail(&err);
  load = now() - load;
  /* the first run is a warm-up (pages, kernels compiled for the CPU) and says how much memory a run takes */
  if (run_once(model, argv[2], &done)) return 1;
  size_t peak = ci_memory_peak();
  if (!machine_open(&m)) return 1;
  bandwidth(&m);
  gemm_rate(&m);
  for (int i = 0; i <= repeats; i++) { /* the machine is measured between the runs: it is shared, and changes */
    bytes_rate[i] = bandwidth(&m);
    flop_rate[i] = gemm_rate(&m);
    if (i == repeats) break;
    double begin = now();
    if (run_once(model, argv[2], &done)) return 1;
    seconds[i] = now() - begin;
  }
  double middle = median(seconds, repeats), reading = median(bytes_rate, repeats + 1),
         multiplying = median(flop_rate, repeats + 1);
  double bound = done.bytes / reading + done.flop / multiplying;
  printf("{\"seconds\": %.4f, \"fastest\": %.4f, \"bound\": %.4f, \"fraction\": %.3f, \"reading\": %.3f, \"peak_mb\": "
         "%.0f, "
         "\"load\": %.4f, \"gbytes\": %.2f, \"gflop\": %.1f, \"gb_per_second\": %.1f, \"gflop_per_second\": %.0f, "
         "\"tokens\": %lld}\n",
         middle, seconds[0], bound, bound / middle, done.bytes / reading / middle, (double)peak / 1048576, load,
         done.bytes * 1e-9, done.flop * 1e-9, reading * 1e-9, multiplying * 1e-9, done.tokens);
  machine_close(&m);
  cinseq_model_close(model);
  return 0;
}
