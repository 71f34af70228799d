/* See dropout.h. */
#include "engine/dropout.h"
#include "base/random.h"
#include <string.h>

/* Streams of masks: apart from those that other things draw from under the same seed. */
enum { SITE_BITS = 24, COLUMN_BITS = 24, SECTION = 1 << 23 };

static uint64_t stream_of(const ci_intervention *v, int site) {
  return (uint64_t)1 << 63 | v->stream << SITE_BITS | (uint64_t)site;
}

/* 128 random bits serve four columns: those of a counter are the same whichever columns are asked for. */
void ci_drop(const ci_intervention *v, const ci_node *node, size_t row, size_t first, size_t count, float *x) {
  uint64_t bits[2], threshold = (uint64_t)((double)node->dropout * 0x1p32), stream = stream_of(v, node->dropout_site);
  float factor = 1 / (1 - node->dropout);
  for (size_t column = first; column < first + count;) {
    ci_random_bits(v->seed, stream, (uint64_t)row << COLUMN_BITS | column / 4, bits);
    do {
      uint64_t number = bits[column % 4 / 2] >> 32 * (column % 2) & UINT32_MAX;
      x[column - first] = number < threshold ? 0 : factor * x[column - first];
    } while (++column % 4 && column < first + count);
  }
}

/* Whether the pass leaves out the section that ends here. */
static bool leaves_out(const ci_intervention *v, const ci_node *node) {
  return node->layer_dropout > 0 &&
         ci_random_uniform(v->seed, stream_of(v, SECTION | node->section), 0) < (double)node->layer_dropout;
}

typedef struct {
  const ci_run *run;
  int number;
  size_t first;
} job;

static void drop_range(void *context, size_t begin, size_t end) {
  const job *j = context;
  const ci_node *node = &j->run->graph->nodes[j->number];
  const ci_space *space = &j->run->spaces[node->space];
  for (size_t row = j->first + begin; row < j->first + end; row++) {
    const ci_intervention *v = ci_run_dropout(j->run, node->space, space->branch_of[row]);
    if (!v) continue;
    float *x = ci_run_row(j->run, j->number, row);
    if (leaves_out(v, node))
      memcpy(x, ci_run_row(j->run, node->layer_input, row), node->width * sizeof *x);
    else if (node->dropout > 0)
      ci_drop(v, node, (size_t)space->positions[row], 0, node->width, x);
  }
}

void ci_drop_rows(ci_run *run, int number, size_t first, size_t count) {
  const ci_node *node = &run->graph->nodes[number];
  job j = {run, number, first};
  bool drops = node->dropout > 0 && !node->op->mixes_rows;
  if (drops || node->layer_dropout > 0) ci_compute_rows(run->compute, count, 16 * (double)node->width, drop_range, &j);
}

bool ci_graph_drops(const ci_graph *graph) {
  for (int i = 0; i < graph->count; i++)
    if (graph->nodes[i].dropout > 0 || graph->nodes[i].layer_dropout > 0) return true;
  return false;
}
