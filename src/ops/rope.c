/* Rotary positions (Su et al. 2021): pair i of a head's leading dimensions is turned by position x frequency[i]. Pairs are
 * (i, i + half), as most of the Hugging Face layouts have them, or (2i, 2i + 1). The vjp turns back. Angles are float32, as
 * transformers computes them; the run's table holds them for all positions so far, shared by all layers and heads. */
#include "ops/rope.h"
#include "base/memory.h"
#include "engine/run.h"
#include "ops/params.h"
#include <math.h>
#include <string.h>

struct ci_rope_table {
  const ci_rope *rope;
  size_t positions;
  float *cosines, *sines; /* [positions, half] */
  ci_rope_table *next;    /* for other angles */
};

void ci_rope_table_close(ci_rope_table *table) {
  while (table) {
    ci_rope_table *next = table->next;
    ci_free(table->cosines);
    ci_free(table->sines);
    ci_free(table);
    table = next;
  }
}

static int fill(ci_rope_table *table, size_t positions) {
  size_t cells, half = table->rope->half;
  if (__builtin_mul_overflow(positions, half, &cells)) return -1;
  float *cosines = ci_alloc(cells, sizeof(float)), *sines = ci_alloc(cells, sizeof(float));
  if (!cosines || !sines) {
    ci_free(cosines);
    ci_free(sines);
    return -1;
  }
  for (size_t p = 0; p < positions; p++)
    for (size_t i = 0; i < half; i++) {
      float angle = (float)p * table->rope->frequencies[i];
      cosines[p * half + i] = cosf(angle) * table->rope->factor;
      sines[p * half + i] = sinf(angle) * table->rope->factor;
    }
  ci_free(table->cosines);
  ci_free(table->sines);
  table->cosines = cosines;
  table->sines = sines;
  table->positions = positions;
  return 0;
}

/* The run's table for these angles, reaching at least `positions`; NULL when memory is out. */
static const ci_rope_table *look_up(ci_run *run, const ci_rope *rope, size_t positions) {
  ci_rope_table *table = run->rope;
  while (table && table->rope != rope) table = table->next;
  if (!table) {
    table = ci_alloc_zeroed(1, sizeof *table);
    if (!table) return NULL;
    table->rope = rope;
    table->next = run->rope;
    run->rope = table;
  }
  if (table->positions < positions && fill(table, positions + positions / 2 + 32)) return NULL;
  return table;
}

typedef struct {
  const ci_rope_table *table;
  const ci_rope_params *params;
  const int32_t *positions; /* by forward row */
  const int32_t *rows;      /* forward rows, NULL: in order */
  const float *x;
  float *y;
  float sign;
  bool accumulate;
  size_t width;
} job;

static void turn_row(const job *j, size_t r) {
  size_t head_dim = j->params->head_dim, half = j->params->rope->half;
  size_t step = j->params->interleaved ? 2 : 1, apart = j->params->interleaved ? 1 : half;
  size_t position = (size_t)j->positions[j->rows ? (size_t)j->rows[r] : r];
  const float *c = j->table->cosines + position * half, *s = j->table->sines + position * half;
  for (size_t h = 0; h < j->params->heads; h++) {
    const float *x = j->x + r * j->width + h * head_dim;
    float *y = j->y + r * j->width + h * head_dim;
    for (size_t i = 0; i < half; i++) {
      size_t p = i * step, q = p + apart;
      float a = x[p] * c[i] - x[q] * s[i] * j->sign, b = x[q] * c[i] + x[p] * s[i] * j->sign;
      y[p] = j->accumulate ? y[p] + a : a;
      y[q] = j->accumulate ? y[q] + b : b;
    }
    for (size_t i = 2 * half; i < head_dim; i++) y[i] = j->accumulate ? y[i] + x[i] : x[i];
  }
}

static void turn_rows(void *context, size_t first, size_t last) {
  for (size_t r = first; r < last; r++) turn_row(context, r);
}

static size_t most_position(const ci_space *space) {
  size_t most = 0;
  for (size_t i = 0; i < space->branch_count; i++)
    if (space->branches[i].length > most) most = space->branches[i].length;
  return most;
}

static void turn(ci_run *run, const ci_node *node, job *j, size_t count) {
  j->params = node->params;
  j->table = look_up(run, j->params->rope, most_position(&run->spaces[node->space]));
  j->width = node->width;
  if (!j->table) atomic_store(&run->compute->no_memory, true);
  else ci_compute_rows(run->compute, count, 4.0 * (double)node->width, turn_rows, j);
}

static void forward(const ci_forward_call *call) {
  job j = {.positions = call->run->spaces[call->node->space].positions + call->first, .x = call->in[0], .y = call->out, .sign = 1};
  turn(call->run, call->node, &j, call->count);
}

static void vjp(const ci_backward_call *call) {
  job j = {.positions = call->run->spaces[call->node->space].positions,
           .rows = call->rows,
           .x = call->dy,
           .y = call->dx[0],
           .sign = -1,
           .accumulate = call->accumulate[0]};
  turn(call->run, call->node, &j, call->count);
}

const ci_op ci_op_rope = {.id = "rope", .help = "rotary positions", .forward = forward, .vjp = vjp, .rescale = vjp};
