/* Products with weights, cut for threads and caches. See compute.h.
 *
 * A stored matrix is data[a,b]. Two products exist: "across" y[m,a] = x[m,b] data^T, cut by rows of data, and "along"
 * y[m,b] = x[m,a] data, cut by columns of data, so that no two parts write the same output and none waits for another.
 * nn.Linear goes forward across and backward along; Conv1D the other way round. Weights that are not float32 are widened in
 * panels that fit the second-level cache, on the thread that multiplies them. Parts depend on shapes alone, never on the
 * number of threads. */
#include "kernels/compute.h"
#include "base/memory.h"
#include <stdint.h>
#include <string.h>

enum { PANEL_FLOATS = 96 * 1024, LEAST_PART = 16 * 1024 };

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
  c->scratch_size = ci_alloc_zeroed(count, sizeof *c->scratch_size);
  bool whole = c->panels && c->scratch && c->scratch_size;
  for (size_t i = 0; whole && i < count; i++) whole = (c->panels[i] = ci_alloc(PANEL_FLOATS, sizeof(float))) != NULL;
  if (whole) return CI_OK;
  ci_compute_close(c);
  return ci_fail_memory(err);
}

void ci_compute_close(ci_compute *c) {
  size_t count = c->pool ? (size_t)ci_pool_threads(c->pool) : 0;
  for (size_t i = 0; i < count; i++) {
    if (c->panels) ci_free(c->panels[i]);
    if (c->scratch) ci_free(c->scratch[i]);
  }
  ci_free(c->panels);
  ci_free(c->scratch);
  ci_free(c->scratch_size);
  ci_pool_close(c->pool);
  *c = (ci_compute){0};
}

float *ci_compute_scratch(ci_compute *c, int thread, size_t floats) {
  if (c->scratch_size[thread] < floats) {
    ci_free(c->scratch[thread]);
    c->scratch[thread] = ci_alloc(floats, sizeof(float));
    c->scratch_size[thread] = c->scratch[thread] ? floats : 0;
    if (!c->scratch[thread]) atomic_store(&c->no_memory, true);
  }
  return c->scratch[thread];
}

ci_status ci_compute_check(ci_compute *c, ci_error *err) {
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
  double least = cost > 0 ? LEAST_PART / cost : LEAST_PART;
  size_t block = least < 1 ? 1 : least > (double)count ? count : (size_t)least;
  row_job job = {count, block, work, context};
  size_t parts = (count + block - 1) / block;
  if (parts == 1) work(context, 0, count);
  else ci_pool_run(c->pool, parts, row_part, &job);
}

size_t ci_weight_outputs(const ci_weight *w) { return w->by_input ? w->b : w->a; }
size_t ci_weight_inputs(const ci_weight *w) { return w->by_input ? w->a : w->b; }

typedef struct {
  ci_compute *compute;
  const ci_weight *w;
  size_t m, ldx, ldy, part;
  const float *x, *bias;
  float *y;
  bool accumulate;
} product;

static void start_rows(const product *p, size_t first, size_t count) {
  for (size_t i = 0; i < p->m; i++) {
    float *y = p->y + i * p->ldy + first;
    if (p->bias) memcpy(y, p->bias + first, count * sizeof(float));
    else memset(y, 0, count * sizeof(float));
  }
}

static void add_bias(const product *p, size_t first, size_t count) {
  if (p->bias)
    for (size_t i = 0; i < p->m; i++) p->compute->kernels->axpy(1, p->bias + first, p->y + i * p->ldy + first, count);
}

/* y[:, first..] = x data[first.., :]^T for the part's rows of data */
static void across_part(void *context, size_t index, int thread) {
  const product *p = context;
  const ci_weight *w = p->w;
  ci_compute *c = p->compute;
  size_t first = index * p->part, count = w->a - first < p->part ? w->a - first : p->part;
  if (atomic_load(&c->cancelled)) return;
  if (p->m == 1 && !p->accumulate) {
    w->type->dot(c->kernels, w, first, count, p->x, p->y + first);
    add_bias(p, first, count);
    return;
  }
  if (w->type->in_place) {
    c->gemm->multiply(true, p->m, count, w->b, p->x, p->ldx, (const float *)w->data + first * w->ld, w->ld, p->y + first,
                      p->ldy, p->accumulate);
  } else {
    size_t high = PANEL_FLOATS / w->b; /* rows in a panel; a row longer than the panel is cut */
    size_t wide = high ? w->b : PANEL_FLOATS;
    if (!high) high = 1;
    for (size_t r = first; r < first + count; r += high) {
      size_t rows = first + count - r < high ? first + count - r : high;
      for (size_t k = 0; k < w->b; k += wide) {
        size_t columns = w->b - k < wide ? w->b - k : wide;
        w->type->panel(c->kernels, w, r, rows, k, columns, c->panels[thread]);
        c->gemm->multiply(true, p->m, rows, columns, p->x + k, p->ldx, c->panels[thread], columns, p->y + r, p->ldy,
                          p->accumulate || k > 0);
      }
    }
  }
  add_bias(p, first, count);
}

/* y[:, first..] (+)= x data[:, first..] for the part's columns of data */
static void along_part(void *context, size_t index, int thread) {
  const product *p = context;
  const ci_weight *w = p->w;
  ci_compute *c = p->compute;
  size_t first = index * p->part, count = w->b - first < p->part ? w->b - first : p->part;
  if (atomic_load(&c->cancelled)) return;
  if (w->type->in_place && p->m == 1) {
    if (!p->accumulate) start_rows(p, first, count);
    c->kernels->axpy_rows(p->x, (const float *)w->data + first, w->ld, w->a, count, p->y + first);
    return;
  }
  if (w->type->in_place) {
    c->gemm->multiply(false, p->m, count, w->a, p->x, p->ldx, (const float *)w->data + first, w->ld, p->y + first, p->ldy,
                      p->accumulate);
  } else {
    size_t high = PANEL_FLOATS / count; /* parts are narrower than a panel */
    for (size_t r = 0; r < w->a; r += high) {
      size_t rows = w->a - r < high ? w->a - r : high;
      w->type->panel(c->kernels, w, r, rows, first, count, c->panels[thread]);
      c->gemm->multiply(false, p->m, count, rows, p->x + r, p->ldx, c->panels[thread], count, p->y + first, p->ldy,
                        p->accumulate || r > 0);
    }
  }
  add_bias(p, first, count);
}

/* Outputs a part: small enough to balance, large enough to be worth a hand-over; a multiple of 64. */
static size_t part_size(size_t outputs, size_t inner, size_t m) {
  size_t part = m == 1 ? LEAST_PART * 4 / (inner ? inner : 1) : 512;
  if (part * inner * m < LEAST_PART * 16) part = outputs;
  part = (part + 63) / 64 * 64;
  if (part > 1024) part = 1024;
  if (m > 1 && part >= outputs && outputs >= 128 && m * inner >= 4096) part = (outputs / 2 + 63) / 64 * 64;
  return part;
}

static void run(ci_compute *c, product *p, bool across) {
  const ci_weight *w = p->w;
  if (!p->m || atomic_load(&c->cancelled)) return;
  size_t outputs = across ? w->a : w->b;
  p->part = part_size(outputs, across ? w->b : w->a, p->m);
  c->gemm_rows += p->m;
  c->gemm_calls++;
  c->gemm_flop += 2.0 * (double)p->m * (double)w->a * (double)w->b;
  c->weight_bytes += (double)w->a * (double)w->b * (double)w->type->size;
  ci_pool_run(c->pool, (outputs + p->part - 1) / p->part, across ? across_part : along_part, p);
}

void ci_weight_forward(ci_compute *c, const ci_weight *w, size_t m, const float *x, size_t ldx, float *y, size_t ldy,
                       const float *bias) {
  product p = {.compute = c, .w = w, .m = m, .ldx = ldx, .ldy = ldy, .x = x, .y = y, .bias = bias};
  run(c, &p, !w->by_input);
}

void ci_weight_backward(ci_compute *c, const ci_weight *w, size_t m, const float *dy, size_t lddy, float *dx, size_t lddx,
                        bool accumulate) {
  product p = {.compute = c, .w = w, .m = m, .ldx = lddy, .ldy = lddx, .x = dy, .y = dx, .accumulate = accumulate};
  run(c, &p, w->by_input);
}
