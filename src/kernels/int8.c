/* See int8.h. */
#include "kernels/int8.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

enum { TILE = 16 /* outputs */, ROW_TILE = 96, LINE = 64 };

typedef struct {
  uint32_t place; /* in columns[] */
  float value;
} outlier;

/* A list that only grows. */
typedef struct {
  void *items;
  size_t bytes;
} buffer;

struct ci_int8_rows {
  size_t count, ld;
  buffer codes;    /* int8_t [count, ld] */
  buffer scale;    /* float [count] */
  buffer sums;     /* int32_t [count] of codes */
  buffer begin;    /* size_t [count + 1]: outliers of row i are [begin[i], begin[i + 1]) */
  buffer outliers; /* outlier [], ascending in each row */
  buffer columns;  /* uint32_t [column_count]: those in which some row has an outlier, ascending */
  buffer places;   /* uint32_t [inputs]: where a column stands in columns[], plus 1 */
  size_t column_count;
};

void ci_int8_rows_free(ci_int8_rows *rows) {
  if (!rows) return;
  buffer *all[] = {&rows->codes,    &rows->scale,   &rows->sums,  &rows->begin,
                   &rows->outliers, &rows->columns, &rows->places};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) ci_free(all[i]->items);
  ci_free(rows);
}

/* Its old content is lost. */
static bool make_room(buffer *r, size_t count, size_t size) {
  if (count <= r->bytes / size) return true;
  ci_free(r->items);
  r->items = ci_alloc(count, size);
  r->bytes = r->items ? count * size : 0;
  return r->items != NULL;
}

typedef struct {
  const ci_kernels *kernels;
  const ci_weight *w;
  const float *x;
  size_t ldx;
  ci_int8_rows *rows;
} quantising;

static void quantise_rows(void *context, size_t first, size_t last) {
  const quantising *q = context;
  ci_int8_rows *rows = q->rows;
  for (size_t i = first; i < last; i++)
    ((size_t *)rows->begin.items)[i + 1] = q->kernels->int8_quantize(
        q->x + i * q->ldx, q->w->b, q->w->threshold, (int8_t *)rows->codes.items + i * rows->ld,
        (float *)rows->scale.items + i, (int32_t *)rows->sums.items + i);
}

/* The lists of outliers, from their numbers a row. */
static bool list_outliers(const quantising *q) {
  ci_int8_rows *rows = q->rows;
  size_t *begin = rows->begin.items, inputs = q->w->b;
  begin[0] = 0;
  for (size_t i = 0; i < rows->count; i++) begin[i + 1] += begin[i];
  rows->column_count = 0;
  if (!begin[rows->count]) return true;
  if (!make_room(&rows->outliers, begin[rows->count], sizeof(outlier)) ||
      !make_room(&rows->columns, inputs, sizeof(uint32_t)) || !make_room(&rows->places, inputs, sizeof(uint32_t)))
    return false;
  uint32_t *columns = rows->columns.items, *places = rows->places.items;
  outlier *all = rows->outliers.items;
  memset(places, 0, inputs * sizeof *places);
  for (size_t i = 0; i < rows->count; i++) {
    const float *x = q->x + i * q->ldx;
    outlier *own = all + begin[i];
    if (begin[i] == begin[i + 1]) continue;
    size_t n = q->kernels->int8_outliers(x, inputs, q->w->threshold, columns);
    for (size_t k = 0; k < n; k++) {
      own[k] = (outlier){columns[k], x[columns[k]]};
      places[columns[k]] = 1;
    }
  }
  for (size_t c = 0; c < inputs; c++)
    if (places[c]) {
      columns[rows->column_count++] = (uint32_t)c;
      places[c] = (uint32_t)rows->column_count;
    }
  for (size_t k = 0; k < begin[rows->count]; k++) all[k].place = places[all[k].place] - 1;
  return true;
}

/* x's rows as codes, on all threads or (alone) on this one. NULL: no memory. */
static const ci_int8_rows *prepare(ci_compute *c, ci_int8_rows **kept, const ci_weight *w, size_t m, const float *x,
                                   size_t ldx, bool alone) {
  if (!*kept) *kept = ci_alloc_zeroed(1, sizeof **kept);
  ci_int8_rows *rows = *kept;
  size_t ld = (w->b + LINE - 1) / LINE * LINE;
  bool whole = rows && make_room(&rows->codes, m * ld, 1) && make_room(&rows->scale, m, sizeof(float)) &&
               make_room(&rows->sums, m, sizeof(int32_t)) && make_room(&rows->begin, m + 1, sizeof(size_t));
  quantising q = {.kernels = c->kernels, .w = w, .x = x, .ldx = ldx, .rows = rows};
  if (whole) {
    rows->count = m;
    rows->ld = ld;
    if (alone)
      quantise_rows(&q, 0, m);
    else
      ci_compute_rows(c, m, (double)w->b / 4, quantise_rows, &q);
    whole = list_outliers(&q);
  }
  if (!whole) atomic_store(&c->no_memory, true);
  return whole ? rows : NULL;
}

const void *ci_int8_prepare(ci_compute *c, const ci_weight *w, size_t m, const float *x, size_t ldx) {
  return prepare(c, &c->int8_rows[ci_pool_threads(c->pool)], w, m, x, ldx, false);
}

/* What a tile of outputs, from `output` on, is multiplied from. */
typedef struct {
  ci_compute *compute;
  const ci_weight_part *part;
  const ci_int8_rows *rows;
  size_t output, outputs; /* of w, and how many */
  float *panel;           /* [columns at once, TILE] dequantised weights */
  size_t most_columns;
} tile;

static const int8_t *row_of(const ci_weight *w, size_t output) {
  return (const int8_t *)w->data + output * w->ld;
}

/* panel[k, o] = W[output + o, columns[first + k]] dequantised */
static void widen_columns(const tile *t, size_t first, size_t count) {
  const ci_weight *w = t->part->w;
  const uint32_t *columns = (const uint32_t *)t->rows->columns.items + first;
  for (size_t o = 0; o < t->outputs; o++) {
    const int8_t *codes = row_of(w, t->output + o);
    float scale = w->scale[t->output + o];
    for (size_t k = 0; k < count; k++) t->panel[k * TILE + o] = (float)codes[columns[k]] * scale * CI_INT8_STEP;
  }
}

/* y (of the tile's columns) += the outliers of all rows times the dequantised weight, in ascending order of columns. */
static void add_outliers(const tile *t, float *y) {
  const ci_int8_rows *rows = t->rows;
  const size_t *begin = rows->begin.items;
  for (size_t first = 0; first < rows->column_count; first += t->most_columns) {
    size_t count = rows->column_count - first < t->most_columns ? rows->column_count - first : t->most_columns;
    widen_columns(t, first, count);
    for (size_t i = 0; i < rows->count; i++) {
      const outlier *all = rows->outliers.items;
      for (size_t k = begin[i]; k < begin[i + 1]; k++)
        if (all[k].place >= first && all[k].place < first + count)
          t->compute->kernels->axpy(all[k].value, t->panel + (all[k].place - first) * TILE, y + i * t->part->ldy,
                                    t->outputs);
    }
  }
}

/* y += codes times codes times both scales / 127^2 */
static void add_codes(const tile *t, size_t first_row, size_t count, float *y) {
  const ci_int8_rows *rows = t->rows;
  const ci_weight *w = t->part->w;
  const float *scale = (const float *)rows->scale.items + first_row, *weight_scale = w->scale + t->output;
  int32_t sums[ROW_TILE * TILE];
  t->compute->kernels->int8_dot(count, t->outputs, w->b, (const int8_t *)rows->codes.items + first_row * rows->ld,
                                rows->ld, (const int32_t *)rows->sums.items + first_row, row_of(w, t->output), w->ld,
                                sums, TILE);
  for (size_t i = 0; i < count; i++)
    for (size_t o = 0; o < t->outputs; o++)
      y[i * t->part->ldy + o] += (float)sums[i * TILE + o] * (scale[i] * weight_scale[o]) * (1.0f / (127 * 127));
}

void ci_int8_multiply(ci_compute *c, const ci_weight_part *part, const void *prepared, int thread) {
  const ci_int8_rows *rows = prepared;
  if (!rows) rows = prepare(c, &c->int8_rows[thread], part->w, part->rows, part->x, part->ldx, true);
  if (!rows) return;
  tile t = {
      .compute = c, .part = part, .rows = rows, .panel = c->panels[thread], .most_columns = CI_PANEL_FLOATS / TILE};
  for (size_t o = 0; o < part->count; o += TILE) {
    float *y = part->y + o;
    t.output = part->first + o;
    t.outputs = part->count - o < TILE ? part->count - o : TILE;
    for (size_t i = 0; i < rows->count && !part->accumulate; i++) memset(y + i * part->ldy, 0, t.outputs * sizeof *y);
    add_outliers(&t, y);
    for (size_t i = 0; i < rows->count; i += ROW_TILE)
      add_codes(&t, i, rows->count - i < ROW_TILE ? rows->count - i : ROW_TILE, y + i * part->ldy);
  }
}

void ci_int8_panel(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, size_t column0,
                   size_t columns, float *out) {
  for (size_t r = 0; r < rows; r++)
    kernels->int8_widen(row_of(w, row0 + r) + column0, w->scale[row0 + r], out + r * columns, columns);
}

/* Inputs of a matrix by_input that become codes together: a line of each output's. */
enum { HIGH = LINE };

typedef struct {
  const ci_kernels *kernels;
  const ci_weight *source;
  float *rows;    /* [threads, source->b] a row of the source */
  float *top;     /* [threads, source->b] by_input: the largest magnitude of each column */
  float *inverse; /* [source->b] by_input: 127 / top */
  int8_t *tiles;  /* [threads, HIGH, source->b] by_input: codes of rows */
  int8_t *codes;
  float *scale;
} quantising_weight;

/* A row of the source in float32: where it lies, or in the thread's own room. */
static const float *source_row(const quantising_weight *q, size_t row, int thread) {
  const ci_weight *w = q->source;
  if (w->type->in_place) return (const float *)w->data + row * w->ld;
  float *x = q->rows + (size_t)thread * w->b;
  w->type->panel(q->kernels, w, row, 1, 0, w->b, x);
  return x;
}

/* y[n]: x as half precision has it; y may be x */
static void through_half(const ci_kernels *kernels, const float *x, float *y, size_t n) {
  enum { STRETCH = 1024 };
  uint16_t halves[STRETCH];
  for (size_t i = 0; i < n; i += STRETCH) {
    size_t count = n - i < STRETCH ? n - i : STRETCH;
    kernels->narrow_f16(x + i, halves, count);
    kernels->widen_f16(halves, y + i, count);
  }
}

static void quantise_row(void *context, size_t row, int thread) {
  const quantising_weight *q = context;
  size_t n = q->source->b;
  float *x = q->rows + (size_t)thread * n;
  int32_t sum;
  through_half(q->kernels, source_row(q, row, thread), x, n);
  q->kernels->int8_quantize(x, n, NAN, q->codes + row * n, q->scale + row, &sum);
}

/* HIGH rows of the source, read in order: into the largest numbers of its columns, ... */
static void measure_columns(void *context, size_t part, int thread) {
  const quantising_weight *q = context;
  size_t n = q->source->b, first = part * HIGH, last = first + HIGH < q->source->a ? first + HIGH : q->source->a;
  for (size_t row = first; row < last; row++)
    q->kernels->absmax_columns(source_row(q, row, thread), n, q->top + (size_t)thread * n);
}

/* ... and as codes, which are turned round to lie in the rows of the outputs. */
static void quantise_columns(void *context, size_t part, int thread) {
  const quantising_weight *q = context;
  const ci_weight *w = q->source;
  size_t first = part * HIGH, rows = w->a - first < HIGH ? w->a - first : HIGH;
  float *x = q->rows + (size_t)thread * w->b;
  int8_t *turned = q->tiles + (size_t)thread * HIGH * w->b;
  for (size_t i = 0; i < rows; i++) {
    through_half(q->kernels, source_row(q, first + i, thread), x, w->b);
    q->kernels->int8_round(x, q->inverse, w->b, turned + i * w->b);
  }
  q->kernels->transpose_bytes(turned, w->b, rows, w->b, q->codes + first, w->a);
}

/* Rounding keeps the order of numbers: the largest one is rounded, not all of them. */
static void quantise_by_input(ci_pool *pool, quantising_weight *q) {
  size_t n = q->source->b, threads = (size_t)ci_pool_threads(pool), parts = (q->source->a + HIGH - 1) / HIGH;
  memset(q->top, 0, threads * n * sizeof *q->top);
  ci_pool_run(pool, parts, measure_columns, q);
  for (size_t t = 1; t < threads; t++) q->kernels->absmax_columns(q->top + t * n, n, q->top);
  through_half(q->kernels, q->top, q->scale, n);
  q->kernels->int8_inverse(q->scale, q->inverse, n);
  ci_pool_run(pool, parts, quantise_columns, q);
}

bool ci_int8_quantize(ci_pool *pool, const ci_kernels *kernels, const ci_weight *source, int8_t *codes, float *scale) {
  size_t threads = (size_t)ci_pool_threads(pool), n = source->b;
  bool by_input = source->by_input;
  quantising_weight q = {.kernels = kernels, .source = source, .codes = codes, .scale = scale};
  q.rows = n <= SIZE_MAX / HIGH / threads ? ci_alloc(threads * n, sizeof *q.rows) : NULL;
  if (by_input && q.rows) {
    q.top = ci_alloc(threads * n, sizeof *q.top);
    q.inverse = ci_alloc(n, sizeof *q.inverse);
    q.tiles = ci_alloc(threads * HIGH * n, 1);
  }
  bool done = q.rows && (!by_input || (q.top && q.inverse && q.tiles));
  if (done && by_input)
    quantise_by_input(pool, &q);
  else if (done)
    ci_pool_run(pool, source->a, quantise_row, &q);
  ci_free(q.rows);
  ci_free(q.top);
  ci_free(q.inverse);
  ci_free(q.tiles);
  return done;
}
