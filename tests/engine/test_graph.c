/* What a finished graph promises: names, order, and scratch slots that nobody writes while a value is still to be read.
 */
#include "support/golden_model.h"
#include "support/tiny_graph.h"

/* Forward with nothing kept but keys and values: each node's value must still lie in its slot when it is read. */
static void check_slots(const ci_graph *graph) {
  int *owner = ci_alloc((size_t)graph->slots, sizeof *owner);
  for (int s = 0; s < graph->slots; s++) owner[s] = -1;
  for (int i = 0; i < graph->count; i++) {
    const ci_node *node = &graph->nodes[i];
    for (int k = 0; k < node->input_count; k++) {
      const ci_node *input = &graph->nodes[node->inputs[k]];
      if (!input->is_key && owner[input->slot] != node->inputs[k])
        fail_msg("%s is overwritten before %s reads it", input->name, node->name);
      assert_true(input->last_reader >= i);
      if (input->section != node->section) assert_true(input->keep);
    }
    if (node->slot < 0 || node->slot >= graph->slots)
      fail_msg("%s has slot %d of %d", node->name, node->slot, graph->slots);
    owner[node->slot] = i;
  }
  ci_free(owner);
}

static void check_graph(const ci_graph *graph) {
  for (int i = 0; i < graph->count; i++) {
    const ci_node *node = &graph->nodes[i];
    if (ci_graph_find(graph, node->name) != i) fail_msg("two nodes are called %s", node->name);
    for (int k = 0; k < node->input_count; k++) assert_true(node->inputs[k] >= 0 && node->inputs[k] < i);
    assert_true(i == 0 || node->section >= graph->nodes[i - 1].section);
    assert_true(node->section < graph->sections);
    assert_true(node->width > 0);
  }
  assert_int_equal(ci_graph_find(graph, "decoder.99.nothing"), -1);
  assert_true(graph->nodes[graph->logits].keep);
  check_slots(graph);
}

static void models(void **state) {
  ci_model model;
  golden_open(&model, *state);
  check_graph(&model.graph);
  const ci_graph *graph = &model.graph;
  assert_int_equal(graph->layers[CI_DECODER], 2);
  assert_int_equal(graph->heads[CI_DECODER], 4);
  assert_int_equal(graph->nodes[graph->input_node[CI_DECODER]].width, 32);
  /* attention keeps a log-sum-exp a head, and what its vjp rebuilds probabilities from */
  int attention = ci_graph_find(graph, "decoder.1.self_attn");
  assert_int_equal(graph->nodes[attention].kept_width, 4);
  assert_true(graph->nodes[graph->nodes[attention].inputs[0]].keep);
  assert_true(graph->nodes[graph->nodes[attention].inputs[1]].is_key);
  assert_true(graph->nodes[graph->nodes[attention].inputs[2]].is_key);
  golden_close(&model);
}

/* More values cross into the next section than any model has. */
static void many_crossing_values(void **state) {
  (void)state;
  enum { MANY = 150 };
  tiny_graph t;
  int nodes[MANY];
  char name[32];
  tiny_open(&t);
  ci_build_section(&t.b, CI_DECODER, "first.", 0);
  for (int i = 0; i < MANY; i++) {
    snprintf(name, sizeof name, "tokens_%d", i);
    nodes[i] = tiny_tokens(&t, name, 3);
  }
  ci_build_section(&t.b, CI_DECODER, "second.", 0);
  int sum = nodes[0];
  for (int i = 1; i < MANY; i++) {
    snprintf(name, sizeof name, "sum_%d", i);
    sum = ci_add_sum(&t.b, name, sum, nodes[i]);
  }
  tiny_finish(&t, sum);
  check_graph(&t.model.graph);
  tiny_close(&t);
}

/* A slot is free again after its last reader: as many layers as one likes need no more of them. */
static void slots_are_reused(void **state) {
  (void)state;
  int slots[2];
  for (int k = 0; k < 2; k++) {
    tiny_graph t;
    tiny_open(&t);
    ci_build_section(&t.b, CI_DECODER, "embedding.", 0);
    int x = tiny_tokens(&t, "tokens", 4);
    for (int layer = 0; layer < (k ? 40 : 4); layer++) {
      ci_build_section(&t.b, CI_DECODER, "decoder.%d.", layer);
      x = ci_add_sum(&t.b, "output", x, ci_add_scale(&t.b, "scaled", x, 0.5));
    }
    tiny_finish(&t, x);
    check_graph(&t.model.graph);
    slots[k] = t.model.graph.slots;
    tiny_close(&t);
  }
  assert_int_equal(slots[0], slots[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      {"gpt2", models, NULL, NULL, (void *)"models/gpt2"},
      {"llama", models, NULL, NULL, (void *)"models/llama"},
      {"marian", models, NULL, NULL, (void *)"models/marian"},
      cmocka_unit_test(many_crossing_values),
      cmocka_unit_test(slots_are_reused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
