/* See routing.h: a counting sort of slots by expert. */
#include "ops/routing.h"
#include "engine/run.h"

size_t ci_routing_expert(const ci_run *run, int route, size_t row, size_t slot, size_t experts) {
  float id = run->values[route].kept[row * run->graph->nodes[route].kept_width + slot];
  return id >= 0 && id < (float)experts ? (size_t)id : 0;
}

static size_t forward_row(const ci_routing_request *q, size_t i) {
  return q->rows ? (size_t)q->rows[i] : q->first + i;
}

static void fill(const ci_routing_request *q, size_t slots, ci_routing *r) {
  for (size_t i = 0; i < q->count; i++)
    for (size_t s = 0; s < slots; s++) {
      size_t row = forward_row(q, i), slot = i * slots + s,
             expert = ci_routing_expert(q->run, q->route, row, s, q->experts);
      ci_group_item *item = &r->items[r->begin[expert + 1]++];
      *item = (ci_group_item){q->spread ? i : slot, q->spread ? slot : i, 1};
      if (q->weighted) item->factor = ci_run_row(q->run, q->route, row)[s];
    }
}

bool ci_routing_open(const ci_routing_request *q, ci_routing *r) {
  size_t slots = q->run->graph->nodes[q->route].width;
  *r = (ci_routing){.begin = ci_alloc_zeroed(q->experts + 2, sizeof *r->begin)};
  r->items = ci_alloc(q->count * slots, sizeof *r->items);
  if (!r->begin || !r->items) {
    ci_routing_close(r);
    atomic_store(&q->run->compute->no_memory, true);
    return false;
  }
  /* begin[e + 2] counts expert e, then begin[e + 1] is where its next slot goes, and ends as where expert e + 1 begins
   */
  for (size_t i = 0; i < q->count; i++)
    for (size_t s = 0; s < slots; s++)
      r->begin[ci_routing_expert(q->run, q->route, forward_row(q, i), s, q->experts) + 2]++;
  for (size_t e = 2; e < q->experts + 2; e++) r->begin[e] += r->begin[e - 1];
  fill(q, slots, r);
  r->groups = (ci_groups){q->experts, r->begin, r->items};
  return true;
}

void ci_routing_close(ci_routing *r) {
  ci_free(r->begin);
  ci_free(r->items);
  *r = (ci_routing){0};
}
