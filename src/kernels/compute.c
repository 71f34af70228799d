/* A run's threads, scratch memory and flags. See compute.h. */
#include "kernels/compute.h"
#include "base/memory.h"
#include "kernels/int8.h"
#include <time.h>

ci_status ci_compute_open(ci_compute *c, int threads, const char *gemm, const char *kernels, ci_error *err) {
  *c = (ci_compute){0};
  c->gemm = ci_gemm_named(gemm);
  if (!c->gemm) return ci_fail(err, CI_EINVAL, "gemm", "no back end \"%s\" here", gemm);
  c->kernels = kernels ? ci_kernels_named(kernels) : ci_kernels_best();
  if (!c->kernels) return ci_fail(err, CI_EINVAL, "kernels", "no kernels \"%s\" on this CPU", kernels);
  ci_status status = ci_pool_create(threads, &c->pool, err);
  if (status) return status;
  size_t count = (size_t)ci_pool_threads(c->pool);
  c->panels = ci_alloc_zeroed(count, sizeof *c->panels);
  c->scratch = ci_alloc_zeroed(count, sizeof *c->scratch);
  c->int8_rows = ci_alloc_zeroed(count + 1, sizeof *c->int8_rows);
  bool whole = c->panels && c->scratch && c->int8_rows;
  for (size_t i = 0; whole && i < count; i++) whole = (c->panels[i] = ci_alloc(CI_PANEL_FLOATS, sizeof(float))) != NULL;
  if (whole) return CI_OK;
  ci_compute_close(c);
  return ci_fail_memory(err);
}

void ci_compute_close(ci_compute *c) {
  size_t count = c->pool ? (size_t)ci_pool_threads(c->pool) : 0;
  for (size_t i = 0; i < count; i++) {
    if (c->panels) ci_free(c->panels[i]);
    if (c->scratch) ci_free(c->scratch[i].data);
  }
  for (size_t i = 0; c->int8_rows && i <= count; i++) ci_int8_rows_free(c->int8_rows[i]);
  ci_free(c->int8_rows);
  ci_free(c->panels);
  ci_free(c->scratch);
  ci_free(c->partial.data);
  ci_free(c->packed.data);
  ci_pool_close(c->pool);
  *c = (ci_compute){0};
}

void *ci_compute_room(ci_compute *c, ci_room *room, size_t count, size_t size) {
  if (room->bytes / size < count) {
    ci_free(room->data);
    room->data = ci_alloc(count, size);
    room->bytes = room->data ? count * size : 0;
    if (!room->data) atomic_store(&c->no_memory, true);
  }
  return room->data;
}

float *ci_compute_scratch(ci_compute *c, int thread, size_t floats) {
  return ci_compute_room(c, &c->scratch[thread], floats, sizeof(float));
}

static void tick(ci_compute *c) {
  static const double interval = 0.1;
  struct timespec t;
  if (!c->tick || atomic_load(&c->cancelled)) return;
  clock_gettime(CLOCK_MONOTONIC, &t);
  double now = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
  if (now - c->ticked < interval) return;
  c->ticked = now;
  if (c->tick(c->tick_context)) atomic_store(&c->cancelled, true);
}

ci_status ci_compute_check(ci_compute *c, ci_error *err) {
  tick(c);
  if (atomic_load(&c->no_memory)) return ci_fail_memory(err);
  if (atomic_load(&c->cancelled)) return ci_fail(err, CI_ECANCEL, NULL, "cancelled");
  return CI_OK;
}

typedef struct {
  size_t count, block;
  void (*work)(void *, size_t, size_t);
  void *context;
} row_job;

static void row_part(void *context, size_t part, int thread) {
  (void)thread;
  const row_job *job = context;
  size_t first = part * job->block, last = first + job->block;
  job->work(job->context, first, last < job->count ? last : job->count);
}

void ci_compute_rows(ci_compute *c, size_t count, double cost, void (*work)(void *, size_t, size_t), void *context) {
  if (!count || atomic_load(&c->cancelled)) return;
  double least = cost > 0 ? CI_LEAST_PART / cost : CI_LEAST_PART;
  size_t block = least < 1 ? 1 : least > (double)count ? count : (size_t)least;
  row_job job = {count, block, work, context};
  size_t parts = (count + block - 1) / block;
  if (parts == 1)
    work(context, 0, count);
  else
    ci_pool_run(c->pool, parts, row_part, &job);
}
