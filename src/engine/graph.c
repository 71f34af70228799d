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

/* Scratch slots. Values used within their section take the section's slots by turns. Those that cross into later
 * sections take a slot of their own until their last reader is done: the plan that keeps only keys and values has them
 * in scratch too. */
static void mark_reader(ci_graph *graph, int number, int input) {
  graph->nodes[input].last_reader = number;
  if (graph->nodes[input].section != graph->nodes[number].section) graph->nodes[input].slot = -1;
}

static void mark_readers(ci_graph *graph) {
  for (int i = 0; i < graph->count; i++) {
    const ci_node *node = &graph->nodes[i];
    for (int j = 0; j < node->input_count; j++) mark_reader(graph, i, node->inputs[j]);
    if (node->layer_dropout > 0) mark_reader(graph, i, node->layer_input);
  }
}

/* Whether an earlier value in this slot of its own is read at node `at` or later. */
static bool is_busy(const ci_graph *graph, int slot, int at) {
  for (int i = 0; i < at; i++)
    if (graph->nodes[i].slot == -1 - slot && graph->nodes[i].last_reader >= at) return true;
  return false;
}

/* What backward looks at again, and what leads to it from values that the boundaries plan keeps. */
static void mark_rebuilt(ci_graph *graph) {
  for (int i = graph->count - 1; i >= 0; i--) {
    const ci_node *node = &graph->nodes[i];
    for (int j = 0; j < node->input_count; j++) {
      ci_node *input = &graph->nodes[node->inputs[j]];
      if (node->op->vjp_reads) input->read_by_vjp = true;
      if (!input->keep && (node->op->vjp_reads || node->rebuilt)) input->rebuilt = true;
    }
  }
}

static void assign_slots(ci_graph *graph) {
  int crossing = 0, within = 0, most = 0;
  for (int i = 0; i < graph->count; i++) {
    ci_node *node = &graph->nodes[i];
    within = i && graph->nodes[i - 1].section == node->section ? within + 1 : 0;
    if (within + 1 > most) most = within + 1;
    if (node->slot == 0) {
      node->slot = within;
      continue;
    }
    int slot = 0;
    while (is_busy(graph, slot, i)) slot++;
    if (slot == crossing) crossing++;
    node->slot = -1 - slot;
  }
  for (int i = 0; i < graph->count; i++)
    if (graph->nodes[i].slot < 0) graph->nodes[i].slot = most - 1 - graph->nodes[i].slot;
  graph->slots = most + crossing;
}

void ci_graph_finish(ci_graph *graph) {
  mark_readers(graph);
  assign_slots(graph);
  for (int i = 0; i < graph->count; i++) mark_inputs(graph, &graph->nodes[i]);
  for (int space = 0; space < CI_SPACES; space++)
    if (graph->input_node[space] >= 0) graph->nodes[graph->input_node[space]].keep = true;
  graph->nodes[graph->logits].keep = true;
  mark_rebuilt(graph);
}
