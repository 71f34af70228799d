/* Value zeroing against forwards of the whole model in which an intervention makes the value zero: for each attention
 * of each architecture, all heads and one head, however the work is cut. */
#include "engine/zeroing.h"
#include "ops/params.h"
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

static double distance(const ci_kernels *kernels, const float *x, const float *y, size_t n) {
  (void)kernels;
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += fabs((double)x[i] - (double)y[i]);
  return sum;
}

enum { MOST = GOLDEN_ROWS };

/* The output's rows of a run of its own, [positions, width]. key < 0: nothing is zeroed; head < 0: all heads that share
 * values. */
static void fresh(const ci_model *model, const ci_zeroing *z, int key, int kv_head, float *out) {
  const ci_graph *graph = &model->graph;
  const ci_node *attention = &graph->nodes[z->attention], *value = &graph->nodes[attention->inputs[2]],
                *output = &graph->nodes[z->output];
  const ci_attention_params *params = attention->params;
  golden_subject g;
  golden_subject_open(&g, model, &compute);
  ci_run *run;
  ci_error err = {0};
  assert_int_equal(ci_run_open(graph, &compute, CI_KEEP_BOUNDARIES, &run, &err), CI_OK);
  int source = -1;
  if (g.subject.source_count) {
    source = ci_run_branch(run, CI_ENCODER, -1, 0, -1);
    assert_int_equal(ci_run_append(run, CI_ENCODER, source, golden_source, GOLDEN_SOURCE, &err), CI_OK);
  }
  int branch = ci_run_branch(run, CI_DECODER, -1, 0, source);
  assert_int_equal(ci_run_append(run, CI_DECODER, branch, golden_text, GOLDEN_ROWS, &err), CI_OK);
  ci_intervention zero = {.kind = CI_ZERO,
                          .node = attention->inputs[2],
                          .branch = value->space == CI_ENCODER ? source : branch,
                          .first = (size_t)key,
                          .count = 1};
  if (kv_head >= 0) zero.column = (size_t)kv_head * params->head_dim, zero.columns = params->head_dim;
  if (key >= 0) assert_int_equal(ci_run_intervene(run, &zero, &err), CI_OK);
  size_t row;
  for (size_t p = 0; p < GOLDEN_ROWS; p++) assert_int_equal(ci_run_want_logits(run, branch, p, &row, &err), CI_OK);
  assert_int_equal(ci_run_forward(run, &err), CI_OK);
  size_t rows = output->space == CI_ENCODER ? GOLDEN_SOURCE : GOLDEN_ROWS;
  memcpy(out, ci_run_row(run, z->output, 0), rows * output->width * sizeof(float));
  ci_run_close(run);
}

/* One attention node; kv_head < 0: all heads. */
static void check(const ci_model *model, golden_subject *g, ci_zeroing *z, int kv_head) {
  const ci_node *node = &model->graph.nodes[z->attention];
  const ci_attention_params *params = node->params;
  unsigned char heads[64] = {0};
  size_t group = params->heads / params->kv_heads, width = model->graph.nodes[z->output].width,
         keys = ci_subject_rows(&g->subject, model->graph.nodes[node->inputs[1]].space);
  for (size_t h = 0; h < params->heads; h++) heads[h] = kv_head < 0 || (int)(h / group) == kv_head;
  z->heads = heads;
  double out[MOST * MOST], scale = 0;
  ci_error err = {0};
  assert_int_equal(ci_subject_zero_values(&g->subject, z, out, &err), CI_OK);
  float *clean = ci_alloc(2 * MOST * width, sizeof *clean), *changed = clean + MOST * width;
  fresh(model, z, -1, -1, clean);
  for (size_t q = 0; q < z->count; q++)
    for (size_t i = 0; i < width; i++) scale += fabs((double)clean[(z->first + q) * width + i]) / (double)z->count;
  for (size_t key = 0; key < keys; key += 3) {
    fresh(model, z, (int)key, kv_head, changed);
    for (size_t q = 0; q < z->count; q++) {
      double got = out[key * z->count + q];
      if (params->causal && key > z->first + q) {
        assert_true(isnan(got));
        continue;
      }
      size_t at = (z->first + q) * width;
      double wanted = distance(NULL, clean + at, changed + at, width);
      if (!(fabs(got - wanted) <= 1e-4 * wanted + 2e-6 * scale))
        fail_msg("%s, key %zu, query %zu: %g, expected %g", node->name, key, z->first + q, got, wanted);
    }
  }
  ci_free(clean);
}

static void zeroed_values_are_interventions(void **state) {
  ci_model model;
  golden_open(&model, *state);
  for (int cut = 0; cut < 2; cut++) {
    golden_subject g;
    golden_subject_open(&g, &model, &compute);
    g.subject.budget = cut ? 1 : (size_t)1 << 30;
    ci_error err = {0};
    assert_int_equal(ci_subject_forward(&g.subject, cut ? CI_KEEP_ALL : CI_KEEP_BOUNDARIES, &err), CI_OK);
    ci_run_mark before = ci_run_get_mark(g.subject.run), after;
    size_t found = 0;
    for (int i = 0; i < model.graph.count; i++) {
      const ci_node *node = &model.graph.nodes[i];
      if (node->op != &ci_op_attention) continue;
      ci_zeroing z = {.attention = i,
                      .output = ci_layer_output(&model.graph, i),
                      .first = node->space == CI_DECODER ? 2 : 0,
                      .distance = distance};
      z.count = ci_subject_rows(&g.subject, node->space) - z.first;
      check(&model, &g, &z, cut ? 0 : -1);
      found++;
    }
    after = ci_run_get_mark(g.subject.run);
    assert_memory_equal(&before, &after, sizeof before); /* nothing is left behind */
    golden_subject_close(&g);
    if (!found) break;
  }
  golden_close(&model);
}

static void a_layers_output_is_named(void **state) {
  (void)state;
  static const struct {
    const char *folder, *attention, *output;
  } cases[] = {{"models/gpt2", "decoder.0.self_attn", "decoder.0.output"},
               {"models/gpt2", "decoder.1.self_attn", "output.ln_f"},
               {"models/llama", "decoder.1.self_attn", "output.norm"},
               {"models/marian", "encoder.0.self_attn", "encoder.0.final_layer_norm"},
               {"models/marian", "encoder.1.self_attn", "encoder.1.final_layer_norm"},
               {"models/marian", "decoder.0.cross_attn", "decoder.0.final_layer_norm"},
               {"models/marian", "decoder.1.self_attn", "output.rows"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ci_model model;
    golden_open(&model, cases[i].folder);
    int node = ci_graph_find(&model.graph, cases[i].attention);
    assert_true(node >= 0);
    assert_string_equal(model.graph.nodes[ci_layer_output(&model.graph, node)].name, cases[i].output);
    golden_close(&model);
  }
}

int main(void) {
  static golden_list list;
  golden_add(&list, "zeroed values are interventions", zeroed_values_are_interventions);
  golden_add_one(&list, "a layer's output is named", a_layers_output_is_named, "all", NULL);
  return golden_run(&list, set_up, tear_down);
}
