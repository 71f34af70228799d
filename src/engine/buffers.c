/* See buffers.h: the smallest free buffer that is large enough, else a new one. */
#include "engine/buffers.h"
#include "base/memory.h"
#include <stdbool.h>

typedef struct {
  float *memory;
  size_t floats;
  bool taken;
} buffer;

struct ci_buffers {
  buffer *items;
  size_t count, capacity;
};

ci_buffers *ci_buffers_open(void) { return ci_alloc_zeroed(1, sizeof(ci_buffers)); }

void ci_buffers_close(ci_buffers *b) {
  if (!b) return;
  for (size_t i = 0; i < b->count; i++) ci_free(b->items[i].memory);
  ci_free(b->items);
  ci_free(b);
}

/* A free buffer to make larger: the largest one, so that small ones stay useful. */
static buffer *slot_for(ci_buffers *b) {
  buffer *largest = NULL;
  for (size_t i = 0; i < b->count; i++)
    if (!b->items[i].taken && (!largest || b->items[i].floats > largest->floats)) largest = &b->items[i];
  if (largest) return largest;
  if (ci_reserve((void **)&b->items, &b->capacity, b->count + 1, sizeof *b->items)) return NULL;
  b->items[b->count] = (buffer){0};
  return &b->items[b->count++];
}

float *ci_buffers_take(ci_buffers *b, size_t floats) {
  buffer *best = NULL;
  for (size_t i = 0; i < b->count; i++) {
    buffer *item = &b->items[i];
    if (!item->taken && item->floats >= floats && (!best || item->floats < best->floats)) best = item;
  }
  if (!best) {
    best = slot_for(b);
    if (!best) return NULL;
    ci_free(best->memory);
    best->memory = ci_alloc(floats, sizeof(float));
    best->floats = best->memory ? floats : 0;
    if (!best->memory) return NULL;
  }
  best->taken = true;
  return best->memory;
}

void ci_buffers_give(ci_buffers *b, float *memory) {
  for (size_t i = 0; memory && i < b->count; i++)
    if (b->items[i].memory == memory) b->items[i].taken = false;
}
