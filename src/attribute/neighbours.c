/* See neighbours.h. Products in float32 choose some more than are wanted; exact distances choose among them. */
#include "attribute/neighbours.h"
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 32, SPARE = 14 };

typedef struct {
  double distance;
  int32_t id;
} candidate;

void ci_neighbours_row(const ci_neighbours *n, int32_t id, float *out) {
  n->table->type->panel(n->compute->kernels, n->table, (size_t)id, 1, 0, n->width, out);
}

ci_status ci_neighbours_open(ci_neighbours *n, ci_compute *compute, const ci_weight *table, size_t count,
                             ci_error *err) {
  *n = (ci_neighbours){.compute = compute, .table = table, .vocabulary = table->a, .width = table->b};
  n->count = count < n->vocabulary ? count : n->vocabulary - 1;
  n->squares = ci_alloc(n->vocabulary, sizeof *n->squares);
  n->of = ci_alloc_zeroed(n->vocabulary, sizeof *n->of);
  float *row = ci_alloc(n->width, sizeof *row);
  ci_status status = n->squares && n->of && row ? CI_OK : ci_fail_memory(err);
  for (size_t id = 0; id < n->vocabulary && !status; id++) {
    ci_neighbours_row(n, (int32_t)id, row);
    n->squares[id] = compute->kernels->sum_products(row, row, n->width);
  }
  ci_free(row);
  return status;
}

void ci_neighbours_close(ci_neighbours *n) {
  for (size_t id = 0; n->of && id < n->vocabulary; id++) ci_free(n->of[id]);
  ci_free(n->of);
  ci_free(n->squares);
}

static int nearer(const void *x, const void *y) {
  const candidate *a = x, *b = y;
  if (a->distance < b->distance || a->distance > b->distance) return a->distance < b->distance ? -1 : 1;
  return a->id < b->id ? -1 : a->id > b->id;
}

/* The `most` smallest distances by products[vocabulary], in no order; their number. */
static size_t choose(const ci_neighbours *n, int32_t id, const float *products, candidate *out, size_t most) {
  size_t count = 0, worst = 0;
  for (size_t v = 0; v < n->vocabulary; v++) {
    candidate c = {n->squares[v] - 2 * (double)products[v], (int32_t)v};
    if ((int32_t)v == id || (count == most && c.distance >= out[worst].distance)) continue;
    if (count < most)
      out[count++] = c;
    else
      out[worst] = c;
    for (size_t i = worst = 0; i < count; i++)
      if (out[i].distance > out[worst].distance) worst = i;
  }
  return count;
}

/* rows: two rows of room */
static ci_status fill(ci_neighbours *n, int32_t id, const float *products, candidate *room, float *rows,
                      ci_error *err) {
  size_t found = choose(n, id, products, room, n->count + SPARE);
  ci_neighbours_row(n, id, rows);
  for (size_t i = 0; i < found; i++) {
    ci_neighbours_row(n, room[i].id, rows + n->width);
    room[i].distance = 0;
    for (size_t c = 0; c < n->width; c++) {
      double d = (double)rows[c] - (double)rows[n->width + c];
      room[i].distance += d * d;
    }
  }
  qsort(room, found, sizeof *room, nearer);
  n->of[id] = ci_alloc(n->count, sizeof **n->of);
  if (!n->of[id]) return ci_fail_memory(err);
  for (size_t i = 0; i < n->count; i++) n->of[id][i] = room[i].id;
  return CI_OK;
}

ci_status ci_neighbours_find(ci_neighbours *n, const int32_t *ids, size_t count, ci_error *err) {
  int32_t asked[AT_ONCE];
  float *x = ci_alloc((AT_ONCE + 2) * n->width, sizeof *x),
        *products = ci_alloc(AT_ONCE * n->vocabulary, sizeof *products);
  candidate *room = ci_alloc(n->count + SPARE, sizeof *room);
  ci_status status = x && products && room ? CI_OK : ci_fail_memory(err);
  for (size_t done = 0; done < count && !status;) {
    size_t m = 0;
    for (; done < count && m < AT_ONCE; done++) {
      bool known = n->of[ids[done]] != NULL;
      for (size_t i = 0; i < m && !known; i++) known = asked[i] == ids[done];
      if (!known) asked[m++] = ids[done];
    }
    for (size_t i = 0; i < m; i++) ci_neighbours_row(n, asked[i], x + i * n->width);
    if (m) ci_weight_forward(n->compute, n->table, m, x, n->width, products, n->vocabulary, NULL);
    status = ci_compute_check(n->compute, err);
    for (size_t i = 0; i < m && !status; i++)
      status = fill(n, asked[i], products + i * n->vocabulary, room, x + AT_ONCE * n->width, err);
  }
  ci_free(x);
  ci_free(products);
  ci_free(room);
  return status;
}
