/* One backward for all targets: whole models against finite differences, also where interventions stand in the way; and
 * what it costs: rows and calls of products counted against a formula. */
#include "support/differences.h"
#include "support/golden_model.h"

static ci_compute compute;

static int set_up(void **state) {
  (void)state;
  ci_error err = {0};
  return ci_compute_open(&compute, 2, "auto", NULL, &err);
}

static int tear_down(void **state) {
  (void)state;
  ci_compute_close(&compute);
  return 0;
}

static const layout decoders[] = {
    {.id = "one branch",
     .steps = {{STEP_BRANCH, CI_DECODER, -1, 0, -1}, {STEP_TOKENS, CI_DECODER, 0, 7, 0}},
     .targets = {{0, 0, 0}, {0, 3, 0}, {0, 5, 0}, {0, 6, 0}},
     .target_count = 4},
    {.id = "from position 2 on",
     .steps = {{STEP_BRANCH, CI_DECODER, -1, 0, -1}, {STEP_TOKENS, CI_DECODER, 0, 7, 0}},
     .targets = {{0, 3, 2}, {0, 6, 2}},
     .target_count = 2},
    {.id = "branches that share prefixes",
     .steps = {{STEP_BRANCH, CI_DECODER, -1, 0, -1},
               {STEP_TOKENS, CI_DECODER, 0, 4, 0},
               {STEP_BRANCH, CI_DECODER, 0, 2, -1},
               {STEP_TOKENS, CI_DECODER, 1, 3, 0},
               {STEP_TOKENS, CI_DECODER, 0, 2, 0}},
     .targets = {{0, 1, 0}, {0, 5, 0}, {1, 2, 0}, {1, 4, 0}},
     .target_count = 4},
};
static const layout pairs[] = {
    {.id = "one source",
     .steps = {{STEP_BRANCH, CI_ENCODER, -1, 0, -1},
               {STEP_TOKENS, CI_ENCODER, 0, 5, 0},
               {STEP_BRANCH, CI_DECODER, -1, 0, 0},
               {STEP_TOKENS, CI_DECODER, 0, 4, 0}},
     .targets = {{0, 0, 0}, {0, 2, 0}, {0, 3, 0}},
     .target_count = 3},
    {.id = "two sources",
     .steps = {{STEP_BRANCH, CI_ENCODER, -1, 0, -1},
               {STEP_TOKENS, CI_ENCODER, 0, 5, 0},
               {STEP_BRANCH, CI_ENCODER, -1, 0, -1},
               {STEP_TOKENS, CI_ENCODER, 1, 3, 0},
               {STEP_BRANCH, CI_DECODER, -1, 0, 0},
               {STEP_TOKENS, CI_DECODER, 0, 3, 0},
               {STEP_BRANCH, CI_DECODER, -1, 0, 1},
               {STEP_TOKENS, CI_DECODER, 1, 3, 0},
               {STEP_BRANCH, CI_DECODER, 0, 2, 0},
               {STEP_TOKENS, CI_DECODER, 2, 2, 0}},
     .targets = {{0, 0, 0}, {0, 2, 0}, {1, 2, 0}, {2, 3, 0}},
     .target_count = 4},
};

static const layout *layout_at(const ci_graph *graph, size_t i) {
  if (graph->encoder_decoder) return i < sizeof pairs / sizeof *pairs ? &pairs[i] : NULL;
  return i < sizeof decoders / sizeof *decoders ? &decoders[i] : NULL;
}

/* All input nodes at once, and each alone: source only leaves out the decoder's lower half. */
static void check_leaves(const ci_graph *graph, difference_case *c) {
  int nodes[2], count = 0;
  for (int s = CI_ENCODER; s <= CI_DECODER; s++)
    if (graph->input_node[s] >= 0) nodes[count++] = graph->input_node[s];
  for (int only = -1; only < count; only++) {
    if (only >= 0 && count == 1) break;
    c->leaves[0] = nodes[only > 0 ? only : 0];
    c->leaves[1] = only < 0 && count == 2 ? nodes[1] : -1;
    c->leaves[2] = c->leaves[3] = -1;
    check_differences(c);
  }
}

static void whole_model(void **state) {
  const char *folder = *state;
  ci_model model;
  golden_open(&model, folder);
  for (size_t i = 0; layout_at(&model.graph, i); i++)
    for (int plan = 0; plan < 2; plan++) {
      char what[96];
      snprintf(what, sizeof what, "%s, %s", folder, plan ? "boundaries kept" : "all kept");
      difference_case c = {
          .graph = &model.graph, .compute = &compute, .layout = layout_at(&model.graph, i), .what = what, .seed = 4};
      c.keep = plan ? CI_KEEP_BOUNDARIES : CI_KEEP_ALL;
      check_leaves(&model.graph, &c);
    }
  golden_close(&model);
}

/* Interventions in the middle of the model: no gradient, or a part of it, passes there. */
static void interventions(void **state) {
  const char *folder = *state;
  static const char *const names[] = {"decoder.0.self_attn.value", "decoder.1.self_attn.query",
                                      "decoder.0.self_attn.residual", "decoder.0.self_attn"};
  static const ci_intervention_kind kinds[] = {CI_SET, CI_ZERO, CI_INTERPOLATE};
  ci_model model;
  golden_open(&model, folder);
  float values[3 * 64];
  uint64_t random = 8;
  random_floats(&random, values, 3 * 64, 1);
  for (size_t i = 0; layout_at(&model.graph, i); i++)
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
      for (size_t k = 0; k < 3; k++)
        for (int columns = 0; columns < 2; columns++) {
          const layout *l = layout_at(&model.graph, i);
          ci_intervention v = {.kind = kinds[k],
                               .node = ci_graph_find(&model.graph, names[n]),
                               .first = 1,
                               .count = 3,
                               .values = values,
                               .alpha = 0.4f};
          if (v.node < 0) fail_msg("%s has no node %s", folder, names[n]);
          if (columns) v.column = 8, v.columns = 8;
          ci_intervention both[2] = {v, v};
          both[1].branch = (int)l->targets[l->target_count - 1].branch; /* the last branch too, if there are several */
          both[1].first = 2;
          char what[128];
          snprintf(what, sizeof what, "%s, %s of %s%s", folder,
                   k == 0   ? "set"
                   : k == 1 ? "zero"
                            : "interpolate",
                   names[n], columns ? ", some columns" : "");
          difference_case c = {.graph = &model.graph,
                               .compute = &compute,
                               .layout = l,
                               .what = what,
                               .seed = 4,
                               .keep = k == 1 ? CI_KEEP_BOUNDARIES : CI_KEEP_ALL};
          c.interventions = both;
          c.intervention_count = both[1].branch ? 2 : 1;
          check_leaves(&model.graph, &c);
        }
  golden_close(&model);
}

/* What a backward must cost: `groups` targets, `full` and `source` adjoint rows, `layers` blocks. One row a target at
 * the top of the last block, all rows where keys and values of a block come from. */
typedef struct {
  size_t rows, calls;
} cost;

static cost gpt2_cost(size_t groups, size_t full, size_t source, size_t layers) {
  (void)source; /* query, key, value, output, up, down */
  return (cost){groups + (layers - 1) * 6 * full + 4 * groups + 2 * full, 1 + 6 * layers};
}

static cost llama_cost(size_t groups, size_t full, size_t source, size_t layers) {
  (void)source; /* query, key, value, output, gate, up, down */
  return (cost){groups + (layers - 1) * 7 * full + 5 * groups + 2 * full, 1 + 7 * layers};
}

/* Decoder: self query, key, value, output; cross query, output; fc1, fc2; cross key and value on source rows. Encoder:
 * six. */
static cost marian_cost(size_t groups, size_t full, size_t source, size_t layers) {
  size_t decoder = (layers - 1) * 8 * full + 6 * groups + 2 * full, cross = layers * 2 * source,
         encoder = layers * 6 * source;
  return (cost){groups + decoder + cross + encoder, 1 + layers * 16};
}

/* Source only: below the first block's cross-attention the decoder depends on no source. */
static cost marian_source_cost(size_t groups, size_t full, size_t source, size_t layers) {
  cost c = marian_cost(groups, full, source, layers);
  return (cost){c.rows - 5 * full, c.calls - 5};
}

static cost marian_target_cost(size_t groups, size_t full, size_t source, size_t layers) {
  cost c = marian_cost(groups, full, source, layers);
  return (cost){c.rows - layers * 8 * source, c.calls - layers * 8};
}

typedef struct {
  const char *folder;
  bool source, target;
  cost (*expected)(size_t groups, size_t full, size_t source, size_t layers);
} cost_case;

static void check_cost(const cost_case *c, const ci_model *model, size_t target_count, size_t first) {
  const ci_graph *graph = &model->graph;
  golden_subject g;
  golden_subject_open(&g, model, &compute);
  ci_error err = {0};
  assert_int_equal(ci_subject_forward(&g.subject, CI_KEEP_ALL, &err), CI_OK);
  ci_adjoint_group groups[GOLDEN_ROWS];
  size_t full = 0, source = 0;
  for (size_t t = 0; t < target_count; t++) {
    groups[t] = (ci_adjoint_group){.branch = g.subject.branch,
                                   .target = t,
                                   .predictor = g.subject.first_target + t - 1,
                                   .first = first,
                                   .output_row = g.output_rows[t]};
    full += groups[t].predictor + 1 - first; /* the reachable (t, p) */
    source += g.subject.source_count;
  }
  ci_adjoint adjoint;
  assert_int_equal(ci_adjoint_open(g.subject.run, groups, target_count, &adjoint, &err), CI_OK);
  float *seeds = ci_alloc_zeroed(target_count * model->vocabulary, sizeof *seeds), *gradients[2] = {NULL};
  for (size_t t = 0; t < target_count; t++) seeds[t * model->vocabulary + t] = 1;
  ci_leaf leaves[2];
  size_t leaf_count = 0;
  for (int space = CI_ENCODER; space <= CI_DECODER; space++) {
    if (!(space == CI_ENCODER ? c->source : c->target)) continue;
    size_t rows = space == CI_ENCODER ? source : full;
    gradients[space] = ci_alloc(rows * graph->nodes[graph->input_node[space]].width, sizeof(float));
    leaves[leaf_count++] = leaf_into(graph->input_node[space], gradients[space]);
  }
  size_t rows = compute.gemm_rows, calls = compute.gemm_calls;
  assert_int_equal(ci_run_backward(g.subject.run, &adjoint, seeds, leaves, leaf_count, &err), CI_OK);
  cost expected = c->expected(target_count, full, source, (size_t)graph->layers[CI_DECODER]);
  if (compute.gemm_rows - rows != expected.rows || compute.gemm_calls - calls != expected.calls)
    fail_msg("%s, %zu targets from %zu on: %zu rows in %zu calls, expected %zu in %zu", c->folder, target_count, first,
             compute.gemm_rows - rows, compute.gemm_calls - calls, expected.rows, expected.calls);
  ci_free(seeds);
  ci_free(gradients[0]);
  ci_free(gradients[1]);
  ci_adjoint_close(&adjoint);
  golden_subject_close(&g);
}

static void products_are_counted(void **state) {
  const cost_case *c = *state;
  ci_model model;
  golden_open(&model, c->folder);
  size_t first_predictor = model.graph.encoder_decoder ? 0 : GOLDEN_PROMPT - 1;
  for (size_t targets = 1; targets <= 7; targets += 3)
    for (size_t first = 0; first <= first_predictor; first++) check_cost(c, &model, targets, first);
  golden_close(&model);
}

/* A leaf that the logits do not depend on has a gradient of zero; leaves in the middle have theirs. */
static void any_node_can_be_a_leaf(void **state) {
  (void)state;
  ci_model model;
  golden_open(&model, "models/llama");
  static const char *const names[] = {"decoder.0.self_attn.value", "decoder.1.input_layernorm", "decoder.0.output",
                                      "decoder.1.mlp.gate"};
  for (size_t i = 0; i < 4; i++) {
    int node = ci_graph_find(&model.graph, names[i]);
    difference_case c = {.graph = &model.graph,
                         .compute = &compute,
                         .layout = &decoders[i % 3],
                         .what = names[i],
                         .leaves = {node, -1, -1, -1},
                         .keep = CI_KEEP_BOUNDARIES,
                         .seed = 5};
    check_differences(&c);
  }
  golden_close(&model);
  golden_open(&model, "models/marian");
  golden_subject g;
  golden_subject_open(&g, &model, &compute);
  ci_error err = {0};
  assert_int_equal(ci_subject_forward(&g.subject, CI_KEEP_ALL, &err), CI_OK);
  /* the last rows of the decoder: the gradient of the first target by them does not exist; by its own embedding it does
   */
  ci_adjoint_group group = {.branch = g.subject.branch, .output_row = g.output_rows[0]};
  ci_adjoint adjoint;
  assert_int_equal(ci_adjoint_open(g.subject.run, &group, 1, &adjoint, &err), CI_OK);
  assert_int_equal(adjoint.rows[CI_SET_FULL], 1);
  assert_int_equal(adjoint.rows[CI_SET_SOURCE], GOLDEN_SOURCE);
  ci_adjoint_close(&adjoint);
  golden_subject_close(&g);
  golden_close(&model);
}

static void cancelled_before(void **state) {
  (void)state;
  ci_model model;
  golden_open(&model, "models/gpt2");
  golden_subject g;
  ci_error err = {0};
  golden_subject_open(&g, &model, &compute);
  atomic_store(&compute.cancelled, true);
  assert_int_equal(ci_subject_forward(&g.subject, CI_KEEP_ALL, &err), CI_ECANCEL);
  assert_int_equal(err.code, CI_ECANCEL);
  atomic_store(&compute.cancelled, false);
  golden_subject_close(&g);
  golden_close(&model);
}

int main(void) {
  static cost_case costs[] = {{"models/gpt2", false, true, gpt2_cost},
                              {"models/llama", false, true, llama_cost},
                              {"models/llama_tied", false, true, llama_cost},
                              {"models/marian", true, true, marian_cost},
                              {"models/marian", true, false, marian_source_cost},
                              {"models/marian", false, true, marian_target_cost}};
  const struct CMUnitTest tests[] = {
      {"gpt2", whole_model, NULL, NULL, (void *)"models/gpt2"},
      {"llama", whole_model, NULL, NULL, (void *)"models/llama"},
      {"llama, tied, with biases", whole_model, NULL, NULL, (void *)"models/llama_tied"},
      {"llama, F16", whole_model, NULL, NULL, (void *)"formats/llama-f16"},
      {"llama, BF16", whole_model, NULL, NULL, (void *)"formats/llama-bf16"},
      {"marian", whole_model, NULL, NULL, (void *)"models/marian"},
      {"interventions, gpt2", interventions, NULL, NULL, (void *)"models/gpt2"},
      {"interventions, llama", interventions, NULL, NULL, (void *)"models/llama"},
      {"interventions, marian", interventions, NULL, NULL, (void *)"models/marian"},
      {"products, gpt2", products_are_counted, NULL, NULL, &costs[0]},
      {"products, llama", products_are_counted, NULL, NULL, &costs[1]},
      {"products, llama, tied", products_are_counted, NULL, NULL, &costs[2]},
      {"products, marian", products_are_counted, NULL, NULL, &costs[3]},
      {"products, marian, source only", products_are_counted, NULL, NULL, &costs[4]},
      {"products, marian, target only", products_are_counted, NULL, NULL, &costs[5]},
      cmocka_unit_test(any_node_can_be_a_leaf),
      cmocka_unit_test(cancelled_before),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
