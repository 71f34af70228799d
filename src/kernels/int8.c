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

enum { STRIP = 128 /* outputs that are quantised together where they are columns */, HIGH = 16 };

typedef struct {
  const ci_kernels *kernels;
  const ci_weight *source;
  float *room;
  int8_t *codes;
  float *scale;
} quantising_weight;

size_t ci_int8_quantize_room(const ci_weight *source) {
  return source->by_input ? HIGH * STRIP : source->b;
}

/* As half precision has it: n <= 2048 at a time. */
static void through_half(const ci_kernels *kernels, float *x, size_t n) {
  enum { STRETCH = 2048 };
  uint16_t halves[STRETCH];
  for (size_t i = 0; i < n; i += STRETCH) {
    size_t count = n - i < STRETCH ? n - i : STRETCH;
    kernels->narrow_f16(x + i, halves, count);
    kernels->widen_f16(halves, x + i, count);
  }
}

static void quantise_row(void *context, size_t row, int thread) {
  const quantising_weight *q = context;
  const ci_weight *w = q->source;
  float *x = q->room + (size_t)thread * ci_int8_quantize_room(w);
  int32_t sum;
  w->type->panel(q->kernels, w, row, 1, 0, w->b, x);
  through_half(q->kernels, x, w->b);
  q->kernels->int8_quantize(x, w->b, NAN, q->codes + row * w->b, q->scale + row, &sum);
}

/* Outputs are columns of the source: first their largest numbers, then codes, of a strip that stays in the cache. */
static void quantise_strip(void *context, size_t index, int thread) {
  const quantising_weight *q = context;
  const ci_weight *w = q->source;
  size_t first = index * STRIP, columns = w->b - first < STRIP ? w->b - first : STRIP;
  float *x = q->room + (size_t)thread * ci_int8_quantize_room(w), *top = q->scale + first;
  memset(top, 0, columns * sizeof *top);
  for (int pass = 0; pass < 2; pass++)
    for (size_t r = 0; r < w->a; r += HIGH) {
      size_t rows = w->a - r < HIGH ? w->a - r : HIGH;
      w->type->panel(q->kernels, w, r, rows, first, columns, x);
      through_half(q->kernels, x, rows * columns);
      if (pass) q->kernels->int8_quantize_columns(x, rows, columns, top, q->codes + first * w->a + r, w->a);
      for (size_t i = 0; i < rows && !pass; i++) q->kernels->absmax_columns(x + i * columns, columns, top);
    }
}

void ci_int8_quantize(ci_pool *pool, const ci_kernels *kernels, const ci_weight *source, float *room, int8_t *codes,
                      float *scale) {
  quantising_weight q = {kernels, source, room, codes, scale};
  if (source->by_input)
    ci_pool_run(pool, (source->b + STRIP - 1) / STRIP, quantise_strip, &q);
  else
    ci_pool_run(pool, source->a, quantise_row, &q);
}
