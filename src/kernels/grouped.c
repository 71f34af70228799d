/* See grouped.h. A part gathers the rows of a group, a tile at a time, multiplies them with its columns of the matrix,
 * and scatters the result. */
#include "kernels/grouped.h"
#include <string.h>

enum { ROW_TILE = 192 };

typedef struct {
  ci_compute *compute;
  const ci_grouped_product *p;
  size_t inner, outputs;
  size_t part; /* columns of y in a part */
} job;

/* Rows of x, one after another; in place when there is only one. */
static ci_weight_part gather(const job *j, const ci_group_item *items, size_t rows, float *room) {
  const ci_grouped_product *p = j->p;
  ci_weight_part part = {.rows = rows, .x = p->x + items->in * p->ldx, .ldx = p->ldx};
  if (rows == 1) return part;
  for (size_t i = 0; i < rows; i++) memcpy(room + i * j->inner, p->x + items[i].in * p->ldx, j->inner * sizeof(float));
  part.x = room;
  part.ldx = j->inner;
  return part;
}

static void scatter(const job *j, const ci_group_item *items, const ci_weight_part *part, const float *bias) {
  const ci_grouped_product *p = j->p;
  const ci_kernels *kernels = j->compute->kernels;
  for (size_t i = 0; i < part->rows; i++) {
    float *product = part->y + i * part->ldy, *y = p->y + items[i].out * p->ldy + part->first;
    if (bias) kernels->axpy(1, bias + part->first, product, part->count);
    if (p->add)
      kernels->axpy(items[i].factor, product, y, part->count);
    else if (y != product)
      memcpy(y, product, part->count * sizeof(float));
  }
}

static void run_part(void *context, size_t index, int thread) {
  const job *j = context;
  const ci_grouped_product *p = j->p;
  size_t first = index * j->part, count = j->outputs - first < j->part ? j->outputs - first : j->part;
  float *room = ci_compute_scratch(j->compute, thread, ROW_TILE * (j->inner + count));
  for (size_t g = 0; room && g < p->groups->count; g++) {
    const float *bias = p->bias ? p->bias + g * j->outputs : NULL;
    for (size_t i = p->groups->begin[g]; i < p->groups->begin[g + 1]; i += ROW_TILE) {
      if (atomic_load(&j->compute->cancelled)) return;
      size_t left = p->groups->begin[g + 1] - i;
      const ci_group_item *items = p->groups->items + i;
      ci_weight_part part = gather(j, items, left < ROW_TILE ? left : ROW_TILE, room);
      part.w = &p->weights[g];
      part.first = first;
      part.count = count;
      part.y = part.rows == 1 && !p->add ? p->y + items->out * p->ldy + first : room + ROW_TILE * j->inner;
      part.ldy = count;
      ci_weight_part_run(j->compute, &part, p->forward, thread);
      scatter(j, items, &part, bias);
    }
  }
}

/* Parts to share, but wide ones where rows are gathered: each part gathers all of them. */
static size_t part_of(const job *j, size_t items, size_t matrices) {
  enum {
    LEAST_FLOP = 2 * 1000 * 1000,
    LEAST_BYTES = 256 * 1024,
    MOST_PARTS = 16,
    STEP = 16,
    WIDE = 128,
    WIDEST = 2048
  };
  double size = (double)j->outputs * (double)j->inner, flop = 2 * size * (double)items;
  double bytes = size * (double)matrices * (double)j->p->weights->type->size / (double)j->p->weights->type->block,
         wanted = flop / LEAST_FLOP;
  if (bytes / LEAST_BYTES > wanted) wanted = bytes / LEAST_BYTES;
  size_t parts = 1;
  size_t least = items > matrices ? WIDE : STEP;
  while (2 * (double)parts <= wanted && parts < MOST_PARTS && j->outputs / parts >= 2 * least) parts *= 2;
  while (j->outputs / parts > WIDEST) parts *= 2;
  const ci_weight *w = j->p->weights;
  bool along = j->p->forward == w->by_input; /* parts of whole blocks */
  size_t block = w->type->block, step = along && block > STEP ? block : STEP;
  return ((j->outputs + parts - 1) / parts + step - 1) / step * step;
}

void ci_grouped_run(ci_compute *c, const ci_grouped_product *p) {
  const ci_weight *w = p->weights;
  size_t items = p->groups->begin[p->groups->count], matrices = 0;
  if (!items || atomic_load(&c->cancelled)) return;
  for (size_t g = 0; g < p->groups->count; g++) matrices += p->groups->begin[g + 1] > p->groups->begin[g];
  job j = {.compute = c, .p = p, .inner = ci_weight_inputs(w), .outputs = ci_weight_outputs(w)};
  if (!p->forward) j.inner = ci_weight_outputs(w), j.outputs = ci_weight_inputs(w);
  j.part = part_of(&j, items, matrices);
  c->gemm_rows += items;
  c->gemm_calls += matrices;
  c->gemm_flop += 2.0 * (double)items * (double)w->a * (double)w->b;
  c->weight_bytes += (double)matrices * (double)w->a * (double)w->b / (double)w->type->block * (double)w->type->size;
  ci_pool_run(c->pool, (j.outputs + j.part - 1) / j.part, run_part, &j);
}
