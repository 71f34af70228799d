/* Graphs of a few nodes, built by hand with the builder that architectures use; weights are tables of random numbers.
 */
#ifndef CI_TESTS_TINY_GRAPH_H
#define CI_TESTS_TINY_GRAPH_H
#include "kernels/weight_types.h"
#include "models/builder.h"
#include "support/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { TINY_VOCABULARY = 13 };

typedef struct {
  ci_model model;
  ci_builder b;
  ci_error err;
  uint64_t random;
} tiny_graph;

static inline void tiny_open(tiny_graph *t) {
  *t = (tiny_graph){.random = 20};
  t->model.arena = ci_arena_create();
  assert_non_null(t->model.arena);
  for (int s = 0; s < CI_SPACES; s++) t->model.graph.ids_node[s] = t->model.graph.input_node[s] = -1;
  t->b = (ci_builder){.model = &t->model, .err = &t->err};
}

static inline void tiny_close(tiny_graph *t) {
  ci_free(t->model.graph.nodes);
  ci_arena_close(t->model.arena);
}

/* n random numbers of at most `scale`, around `middle`. */
static inline float *tiny_vector(tiny_graph *t, size_t n, float middle, float scale) {
  float *x = ci_build_alloc(&t->b, n, sizeof *x);
  assert_non_null(x);
  for (size_t i = 0; i < n; i++) x[i] = middle + scale * random_float(&t->random);
  return x;
}

static inline ci_weight tiny_weight(tiny_graph *t, size_t rows, size_t columns, float scale) {
  return ci_weight_table(tiny_vector(t, rows * columns, 0, scale), rows, columns);
}

/* type "F16" or "BF16" */
static inline ci_weight tiny_narrow_weight(tiny_graph *t, const char *type, size_t rows, size_t columns) {
  uint16_t *data = ci_build_alloc(&t->b, rows * columns, sizeof *data);
  assert_non_null(data);
  for (size_t i = 0; i < rows * columns; i++)
    data[i] = type[0] == 'B' ? random_bfloat(&t->random) : random_half(&t->random);
  return (ci_weight){.type = ci_weight_type_named(type), .data = data, .a = rows, .b = columns, .ld = columns};
}

static inline int tiny_linear(tiny_graph *t, const char *name, int x, size_t outputs) {
  size_t inputs = t->model.graph.nodes[x].width;
  return ci_add_linear(&t->b, name, x, tiny_weight(t, outputs, inputs, 1.5f / sqrtf((float)inputs)),
                       tiny_vector(t, outputs, 0, 0.3f));
}

/* Another look-up of the tokens: a node whose values tests set, which nothing else depends on. The first is the
 * space's. */
static inline int tiny_tokens(tiny_graph *t, const char *name, size_t width) {
  int node = ci_add_embedding(&t->b, name, tiny_weight(t, TINY_VOCABULARY, width, 1));
  if (t->model.graph.ids_node[t->b.space] < 0) ci_build_input(&t->b, node, node);
  return node;
}

/* Logits from x, which ends the graph. */
static inline void tiny_finish(tiny_graph *t, int x) {
  ci_build_section(&t->b, CI_OUTPUT, "output.", 0);
  x = ci_add_select(&t->b, "rows", x);
  t->model.graph.logits = tiny_linear(t, "logits", x, TINY_VOCABULARY);
  if (t->b.status) fail_msg("%s: %s", t->err.where, t->err.message);
  ci_graph_finish(&t->model.graph);
}

#endif
