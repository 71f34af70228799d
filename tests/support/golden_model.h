/* The tiny models of the reference cases without their tokenizers: texts are ids here. */
#ifndef CI_TESTS_GOLDEN_MODEL_H
#define CI_TESTS_GOLDEN_MODEL_H
#include "engine/subject.h"
#include "models/builder.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define CI_ARCHITECTURE(member) extern const ci_architecture ci_architecture_##member;
#include "models/models.def"
#undef CI_ARCHITECTURE

/* A folder under tests/data/golden: "models/gpt2". */
static inline void golden_open(ci_model *model, const char *folder) {
  static const ci_architecture *const rows[] = {
#define CI_ARCHITECTURE(member) &ci_architecture_##member,
#include "models/models.def"
#undef CI_ARCHITECTURE
  };
  ci_error err = {0};
  char path[512], config[600];
  snprintf(path, sizeof path, "%s/golden/%s", TEST_DATA, folder);
  snprintf(config, sizeof config, "%s/config.json", path);
  *model = (ci_model){.arena = ci_arena_create(), .path = ci_duplicate(path)};
  if (ci_json_read_file(config, &model->config, &err)) fail_msg("%s: %s", err.where, err.message);
  const char *type = json_string_value(json_object_get(model->config, "model_type"));
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcmp(rows[i]->id, type) == 0) model->architecture = rows[i];
  assert_non_null(model->architecture);
  if (ci_tensors_open(path, &model->tensors, &err)) fail_msg("%s: %s", err.where, err.message);
  for (int s = 0; s < CI_SPACES; s++) model->graph.ids_node[s] = model->graph.input_node[s] = -1;
  ci_builder b = {.model = model, .err = &err, .used = ci_alloc_zeroed(ci_tensors_count(model->tensors), 1)};
  model->architecture->build(&b);
  ci_free(b.used);
  if (b.status) fail_msg("%s: %s", err.where, err.message);
  ci_graph_finish(&model->graph);
  model->vocabulary = model->graph.nodes[model->graph.logits].width;
}

static inline void golden_close(ci_model *model) {
  ci_tensors_close(model->tensors);
  json_decref(model->config);
  ci_free(model->graph.nodes);
  ci_arena_close(model->arena);
  ci_free(model->path);
}

/* Rows for a test of each architecture, and of narrow weights. */
#define GOLDEN_TESTS(test)                                                                                             \
  {#test ", gpt2", test, NULL, NULL, (void *)"models/gpt2"},                                                           \
      {#test ", llama", test, NULL, NULL, (void *)"models/llama"},                                                     \
      {#test ", llama F16", test, NULL, NULL, (void *)"formats/llama-f16"},                                            \
      {#test ", llama BF16", test, NULL, NULL, (void *)"formats/llama-bf16"}, {                                        \
#test ", marian", test, NULL, NULL, (void *)"models/marian"                                                        \
  }

/* A text: source and decoder ids, targets from position 1 (encoder-decoder) or 3 on. */
enum { GOLDEN_SOURCE = 6, GOLDEN_ROWS = 9, GOLDEN_PROMPT = 3 };
static const int32_t golden_source[GOLDEN_SOURCE] = {44, 7, 301, 12, 99, 0};
static const int32_t golden_text[GOLDEN_ROWS + 1] = {5, 17, 220, 33, 401, 9, 77, 150, 301, 64};

/* p[target] and its slope: what is attributed by default, in double. */
typedef struct {
  const ci_graph *graph;
  const int32_t *targets;
} golden_context;

static inline double golden_total(const golden_context *c, const float *logits) {
  double total = 0;
  for (size_t i = 0; i < c->graph->nodes[c->graph->logits].width; i++) total += exp((double)logits[i]);
  return total;
}

static inline double golden_value(void *context, const float *logits, size_t target, float *scratch) {
  (void)scratch;
  const golden_context *c = context;
  return exp((double)logits[c->targets[target]]) / golden_total(c, logits);
}

static inline void golden_gradient(void *context, const float *logits, size_t target, float *slope) {
  const golden_context *c = context;
  double total = golden_total(c, logits), p = golden_value(context, logits, target, NULL);
  for (size_t i = 0; i < c->graph->nodes[c->graph->logits].width; i++)
    slope[i] = (float)(p * ((i == (size_t)c->targets[target]) - exp((double)logits[i]) / total));
}

typedef struct {
  ci_subject subject;
  golden_context context;
  ci_objective objective;
  size_t output_rows[GOLDEN_ROWS];
} golden_subject;

static inline void golden_subject_open(golden_subject *g, const ci_model *model, ci_compute *compute) {
  bool pair = model->graph.encoder_decoder;
  size_t first = pair ? 1 : GOLDEN_PROMPT;
  *g = (golden_subject){.subject = {.graph = &model->graph,
                                    .compute = compute,
                                    .source = golden_source,
                                    .source_count = pair ? GOLDEN_SOURCE : 0,
                                    .ids = golden_text,
                                    .row_count = GOLDEN_ROWS,
                                    .first_target = first,
                                    .target_count = GOLDEN_ROWS + 1 - first,
                                    .budget = (size_t)1 << 30},
                        .context = {.graph = &model->graph, .targets = golden_text + first},
                        .objective = {.value = golden_value, .gradient = golden_gradient}};
  g->subject.output_rows = g->output_rows;
  g->objective.context = &g->context;
}

static inline void golden_subject_close(golden_subject *g) {
  ci_run_close(g->subject.run);
}

#endif
