/* Products with weights, cut for threads and caches. See compute.h.
 *
 * A stored matrix is data[a,b]. Two products exist: "across" y[m,a] = x[m,b] data^T, cut by rows of data, and "along"
 * y[m,b] = x[m,a] data, cut by columns of data, so that no two parts write the same output and none waits for another.
 * nn.Linear goes forward across and backward along; Conv1D the other way round. Weights that are not float32 are
 * widened in panels that fit the second-level cache, on the thread that multiplies them. Parts depend on shapes alone,
 * never on the number of threads. */
#include "kernels/compute.h"
#include "base/memory.h"
#include <stdint.h>
#include <string.h>

ci_weight ci_weight_cut(const ci_weight *w, size_t first, size_t outputs) {
  ci_weight cut = *w;
  if (!w->type) return cut; /* after an error */
  cut.data = (const char *)w->data + first * (w->by_input ? 1 : w->ld) / w->type->block * w->type->size;
  if (w->scale && !w->by_input) cut.scale += first;
  *(w->by_input ? &cut.b : &cut.a) = outputs;
  return cut;
}

size_t ci_weight_outputs(const ci_weight *w) {
  return w->by_input ? w->b : w->a;
}
size_t ci_weight_inputs(const ci_weight *w) {
  return w->by_input ? w->a : w->b;
}

typedef struct {
  ci_compute *compute;
  const ci_weight *w;
  size_t m, ldx, ldy;
  size_t part, tile; /* outputs and rows in a part */
  size_t row_tiles;
  const float *x, *bias;
  float *y;
  bool accumulate;
  const void *prepared, *packed;
  size_t packed_row; /* bytes */
} product;

/* What part `index` of a product does: rows [row, row + rows) of x and y, outputs [first, first + count). */
static ci_weight_part part_of(const product *p, size_t index, size_t outputs) {
  size_t row = index % p->row_tiles * p->tile, first = index / p->row_tiles * p->part;
  ci_weight_part t = {.w = p->w, .ldx = p->ldx, .ldy = p->ldy, .accumulate = p->accumulate, .first = first};
  if (p->packed) t.packed = (const char *)p->packed + row * p->packed_row;
  t.rows = p->m - row < p->tile ? p->m - row : p->tile;
  t.count = outputs - first < p->part ? outputs - first : p->part;
  t.x = p->x + row * p->ldx;
  t.y = p->y + row * p->ldy + first;
  return t;
}

static void add_bias(const product *p, const ci_weight_part *t) {
  if (p->bias)
    for (size_t i = 0; i < t->rows; i++) p->compute->kernels->axpy(1, p->bias + t->first, t->y + i * p->ldy, t->count);
}

/* y[:, column..] (+)= x[:, first..] b of a part, over k depths and n columns */
static void multiply(const ci_compute *c, const ci_weight_part *t, bool transposed, size_t n, size_t first, size_t k,
                     const float *b, size_t ldb, size_t column) {
  float *y = t->y + column;
  int beta = t->accumulate || first > 0;
  if (t->packed)
    c->gemm->multiply_packed(transposed, t->rows, n, k, t->packed, transposed ? t->w->b : t->w->a, first, b, ldb, y,
                             t->ldy, beta);
  else
    c->gemm->multiply(transposed, t->rows, n, k, t->x + first, t->ldx, b, ldb, y, t->ldy, beta);
}

enum { PACKED_DEPTH = 512 }; /* of panels, where rows of x are packed: high ones are worth more than deep ones */

/* y (+)= x data[first.., :]^T through panels: as many rows of data as fit, cut when one alone does not. */
static void across_panels(ci_compute *c, const ci_weight_part *t, float *panel) {
  const ci_weight *w = t->w;
  size_t wide = t->packed && w->b > PACKED_DEPTH ? PACKED_DEPTH : w->b < CI_PANEL_FLOATS ? w->b : CI_PANEL_FLOATS;
  size_t high = CI_PANEL_FLOATS / wide;
  for (size_t r = 0; r < t->count; r += high) {
    size_t rows = t->count - r < high ? t->count - r : high;
    for (size_t k = 0; k < w->b; k += wide) {
      size_t columns = w->b - k < wide ? w->b - k : wide;
      w->type->panel(c->kernels, w, t->first + r, rows, k, columns, panel);
      multiply(c, t, true, rows, k, columns, panel, columns, r);
    }
  }
}

/* y (+)= x data[first.., :]^T for the part's rows of data; prepared: what the type has made of x, or NULL */
static void across(ci_compute *c, const ci_weight_part *t, const void *prepared, int thread) {
  const ci_weight *w = t->w;
  if (w->type->multiply)
    w->type->multiply(c, t, prepared, thread);
  else if (t->rows <= w->type->few && !t->accumulate)
    w->type->dot(c->kernels, w, t->first, t->count, t->rows, t->x, t->ldx, t->y, t->ldy);
  else if (w->type->in_place)
    multiply(c, t, true, t->count, 0, w->b, (const float *)w->data + t->first * w->ld, w->ld, 0);
  else
    across_panels(c, t, c->panels[thread]);
}

/* y (+)= x data[:, first..] for the part's columns of data */
static void along(ci_compute *c, const ci_weight_part *t, int thread) {
  const ci_weight *w = t->w;
  if (w->type->in_place) {
    multiply(c, t, false, t->count, 0, w->a, (const float *)w->data + t->first, w->ld, 0);
    return;
  }
  size_t high = CI_PANEL_FLOATS / t->count; /* parts are narrower than a panel */
  if (t->packed) high -= high % c->gemm->pack_depth;
  for (size_t r = 0; r < w->a; r += high) {
    size_t rows = w->a - r < high ? w->a - r : high;
    w->type->panel(c->kernels, w, r, rows, t->first, t->count, c->panels[thread]);
    multiply(c, t, false, t->count, r, rows, c->panels[thread], t->count, 0);
  }
}

void ci_weight_part_run(ci_compute *c, const ci_weight_part *part, bool forward, int thread) {
  if (forward != part->w->by_input)
    across(c, part, NULL, thread);
  else
    along(c, part, thread);
}

static void across_part(void *context, size_t index, int thread) {
  const product *p = context;
  ci_weight_part t = part_of(p, index, p->w->a);
  if (atomic_load(&p->compute->cancelled)) return;
  across(p->compute, &t, p->prepared, thread);
  add_bias(p, &t);
}

static void along_part(void *context, size_t index, int thread) {
  const product *p = context;
  ci_weight_part t = part_of(p, index, p->w->b);
  if (atomic_load(&p->compute->cancelled)) return;
  along(p->compute, &t, thread);
  add_bias(p, &t);
}

/* All parts that a product was cut into. */
static void run_parts(ci_compute *c, product *p, bool is_across) {
  size_t outputs = is_across ? p->w->a : p->w->b;
  ci_pool_run(c->pool, (outputs + p->part - 1) / p->part * p->row_tiles, is_across ? across_part : along_part, p);
}

/* Along many inputs (one row of Conv1D, the vocabulary's gradients): parts are ranges of inputs, so that each reads one
 * stretch of memory in order; their sums are added up in order afterwards. Parts of outputs would be few, and their rows
 * of x long: SmolLM2's vocabulary, 100 rows, 48 ms against 25. */
enum { INPUT_PARTS = 8, SUMMED_ROWS = 256 /* whose sums are kept */, TALL = 16 };

static bool goes_by_inputs(const product *p) {
  const ci_weight *w = p->w;
  if (p->m == 1 && w->type->axpy) return true;
  return w->a / TALL >= w->b && w->b <= CI_PANEL_FLOATS;
}

/* sum[m,b] = x[:, first..first+count] data[first.., :], through panels of rows of data */
static void inputs_panels(const product *p, size_t first, size_t count, float *sum, float *panel) {
  const ci_weight *w = p->w;
  size_t high = CI_PANEL_FLOATS / w->b;
  for (size_t r = 0; r < count; r += high) {
    size_t rows = count - r < high ? count - r : high;
    w->type->panel(p->compute->kernels, w, first + r, rows, 0, w->b, panel);
    p->compute->gemm->multiply(false, p->m, w->b, rows, p->x + first + r, p->ldx, panel, w->b, sum, w->b, r > 0);
  }
}

static void inputs_part(void *context, size_t index, int thread) {
  const product *p = context;
  const ci_weight *w = p->w;
  ci_compute *c = p->compute;
  size_t first = index * p->part, count = w->a - first < p->part ? w->a - first : p->part;
  float *sum = (float *)c->partial.data + index * p->m * w->b;
  if (atomic_load(&c->cancelled)) return;
  if (p->m == 1 && w->type->axpy) {
    memset(sum, 0, w->b * sizeof(float));
    w->type->axpy(c->kernels, w, first, count, p->x + first, sum);
  } else if (!w->type->in_place) {
    inputs_panels(p, first, count, sum, c->panels[thread]);
  } else {
    c->gemm->multiply(false, p->m, w->b, count, p->x + first, p->ldx, (const float *)w->data + first * w->ld, w->ld,
                      sum, w->b, 0);
  }
}

static void run_rows_by_inputs(ci_compute *c, product *p) {
  const ci_weight *w = p->w;
  size_t parts = p->m * w->a * w->b < CI_LEAST_PART * INPUT_PARTS ? 1 : INPUT_PARTS, cell = p->m * w->b;
  float *sums = ci_compute_room(c, &c->partial, parts * cell, sizeof *sums);
  if (!sums) return;
  p->part = ((w->a + parts - 1) / parts + 7) / 8 * 8;
  parts = (w->a + p->part - 1) / p->part;
  ci_pool_run(c->pool, parts, inputs_part, p);
  for (size_t i = 0; i < p->m; i++) {
    float *y = p->y + i * p->ldy;
    if (p->bias)
      memcpy(y, p->bias, w->b * sizeof(float));
    else if (!p->accumulate)
      memset(y, 0, w->b * sizeof(float));
    for (size_t part = 0; part < parts; part++) c->kernels->axpy(1, sums + part * cell + i * w->b, y, w->b);
  }
}

static void run_by_inputs(ci_compute *c, const product *whole) {
  for (size_t row = 0; row < whole->m; row += SUMMED_ROWS) {
    product p = *whole;
    p.m = whole->m - row < SUMMED_ROWS ? whole->m - row : SUMMED_ROWS;
    p.x = whole->x + row * p.ldx;
    p.y = whole->y + row * p.ldy;
    run_rows_by_inputs(c, &p);
  }
}

static size_t round_up(size_t n, size_t step) {
  return (n + step - 1) / step * step;
}

/* Cuts a product of m rows into parts: by outputs, and by rows once there are many (more of them where every row tile
 * would widen the weights again). Parts are even, so that the last ones do not keep one thread waiting for another,
 * large enough to be worth the hand-over, and of whole blocks. */
static void cut(product *p, bool is_across) {
  enum { ROW_TILE = 192, WIDENED_TILE = 768, LEAST_FLOP = 2 * 1000 * 1000, MOST_PARTS = 16, WIDEST = 1024 };
  const ci_weight *w = p->w;
  size_t outputs = is_across ? w->a : w->b, inner = is_across ? w->b : w->a;
  size_t step = !is_across && w->type->block > 16 ? w->type->block : 16;
  size_t tile = w->type->in_place ? ROW_TILE : WIDENED_TILE;
  if (is_across && w->type->multiply) tile = p->m; /* what is prepared is prepared for all rows */
  p->tile = p->m >= 2 * tile ? round_up(p->m / (p->m / tile), 16) : p->m;
  p->row_tiles = (p->m + p->tile - 1) / p->tile;
  size_t wanted = (size_t)(2.0 * (double)p->m * (double)outputs * (double)inner / LEAST_FLOP) / p->row_tiles;
  if (p->m <= w->type->few) wanted = outputs * inner / w->type->block * w->type->size / (CI_LEAST_PART * 4);
  size_t parts = 1;
  while (parts * 2 <= wanted && parts * p->row_tiles < MOST_PARTS) parts *= 2;
  p->part = round_up((outputs + parts - 1) / parts, step);
  if (p->part > WIDEST) p->part = round_up(outputs / round_up((outputs + WIDEST - 1) / WIDEST, 2) + 1, step);
}

/* Rows in the back end's own order, packed once for all parts: as many at a time as MOST_PACKED holds. */
enum { MOST_PACKED = 24 << 20 };

typedef struct {
  const product *p;
  size_t inner, rows; /* rows: of x, in one call */
} packing;

static void pack_part(void *context, size_t index, int thread) {
  (void)thread;
  const packing *k = context;
  const product *p = k->p;
  size_t row = index * k->rows, rows = p->m - row < k->rows ? p->m - row : k->rows;
  const ci_gemm *gemm = p->compute->gemm;
  if (!atomic_load(&p->compute->cancelled))
    gemm->pack(rows, k->inner, p->x + row * p->ldx, p->ldx,
               (char *)p->compute->packed.data + row * gemm->packed_bytes(k->inner));
}

/* Parts wide enough that a row, read from afar, is used often; cut by rows too, each of which orders the weights again,
 * until there are enough of them and a part's results stay in the second-level cache. */
static void cut_packed(product *p, size_t outputs, bool is_across) {
  enum { LEAST_ROWS = 192, MOST_ROWS = 1280, ENOUGH = 4 };
  const ci_weight *w = p->w;
  size_t wide = p->compute->gemm->pack_wide, step = !is_across && w->type->block > 32 ? w->type->block : 32,
         parts = (outputs + wide - 1) / wide;
  p->part = round_up((outputs + parts - 1) / parts, step);
  size_t tiles = 1;
  while ((parts * tiles < ENOUGH && p->m / (tiles * 2) >= LEAST_ROWS) || p->m / tiles > MOST_ROWS) tiles *= 2;
  p->tile = round_up((p->m + tiles - 1) / tiles, p->compute->gemm->pack_rows);
  p->row_tiles = (p->m + p->tile - 1) / p->tile;
}

static void run_packed(ci_compute *c, const product *whole, bool is_across) {
  const ci_weight *w = whole->w;
  size_t outputs = is_across ? w->a : w->b, group = c->gemm->pack_rows, inner = is_across ? w->b : w->a;
  size_t row_bytes = c->gemm->packed_bytes(inner), most = MOST_PACKED / row_bytes / group * group;
  if (most < group) most = group;
  if (most > whole->m) most = round_up(whole->m, group);
  product p = *whole;
  p.packed = ci_compute_room(c, &c->packed, most, row_bytes);
  p.packed_row = row_bytes;
  if (!p.packed) return;
  for (size_t row = 0; row < whole->m; row += most) {
    p.m = whole->m - row < most ? whole->m - row : most;
    p.x = whole->x + row * p.ldx;
    p.y = whole->y + row * p.ldy;
    cut_packed(&p, outputs, is_across);
    packing k = {&p, inner, group};
    ci_pool_run(c->pool, (p.m + group - 1) / group, pack_part, &k);
    run_parts(c, &p, is_across);
  }
}

static void run(ci_compute *c, product *p, bool is_across) {
  const ci_weight *w = p->w;
  if (!p->m || atomic_load(&c->cancelled)) return;
  size_t outputs = is_across ? w->a : w->b;
  c->gemm_rows += p->m;
  c->gemm_calls++;
  bool own = is_across && w->type->multiply;
  if (!own) c->gemm_flop += 2.0 * (double)p->m * (double)w->a * (double)w->b;
  c->weight_bytes += (double)w->a * (double)w->b / (double)w->type->block * (double)w->type->size;
  if (own && !(p->prepared = w->type->prepare(c, w, p->m, p->x, p->ldx))) return;
  if (!is_across && goes_by_inputs(p))
    run_by_inputs(c, p);
  else if (!own && c->gemm->pack && c->gemm->worth_packing(p->m, outputs, is_across ? w->b : w->a))
    run_packed(c, p, is_across);
  else {
    cut(p, is_across);
    run_parts(c, p, is_across);
  }
}

void ci_weight_forward(ci_compute *c, const ci_weight *w, size_t m, const float *x, size_t ldx, float *y, size_t ldy,
                       const float *bias) {
  product p = {.compute = c, .w = w, .m = m, .ldx = ldx, .ldy = ldy, .x = x, .y = y, .bias = bias};
  run(c, &p, !w->by_input);
}

void ci_weight_backward(ci_compute *c, const ci_weight *w, size_t m, const float *dy, size_t lddy, float *dx,
                        size_t lddx, bool accumulate) {
  product p = {.compute = c, .w = w, .m = m, .ldx = lddy, .ldy = lddx, .x = dy, .y = dx, .accumulate = accumulate};
  run(c, &p, w->by_input);
}
