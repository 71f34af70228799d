/* See graph.h. */
#include "engine/graph.h"
#include "ops/op.h"
#include <string.h>

int ci_graph_find(const ci_graph *graph, const char *name) {
  for (int i = 0; i < graph->count; i++)
    if (strcmp(graph->nodes[i].name, name) == 0) return i;
  return -1;
}

/* A key's or value's rows are read by later rows; a query's by the vjp, which rebuilds probabilities from it. */
static void mark_inputs(ci_graph *graph, const ci_node *node) {
  for (int i = 0; i < node->input_count; i++) {
    ci_node *input = &graph->nodes[node->inputs[i]];
    if (input->section != node->section) input->keep = true;
    if (node->op != &ci_op_attention) continue;
    input->keep = true;
    if (i > 0) input->is_key = true;
  }
}

void ci_graph_finish(ci_graph *graph) {
  int slot = 0;
  for (int i = 0; i < graph->count; i++) {
    ci_node *node = &graph->nodes[i];
    slot = i && graph->nodes[i - 1].section == node->section ? slot + 1 : 0;
    node->slot = slot;
    if (slot + 1 > graph->slots) graph->slots = slot + 1;
    mark_inputs(graph, node);
  }
  for (int space = 0; space < CI_SPACES; space++)
    if (graph->input_node[space] >= 0) graph->nodes[graph->input_node[space]].keep = true;
  graph->nodes[graph->logits].keep = true;
}
