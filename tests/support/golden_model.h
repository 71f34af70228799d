/* The tiny models of the reference cases without their tokenizers: texts are ids here. */
#ifndef CI_TESTS_GOLDEN_MODEL_H
#define CI_TESTS_GOLDEN_MODEL_H
#include "engine/subject.h"
#include "models/builder.h"
#include <assert.h>
#include <dirent.h>
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

/* config.json with the architecture's defaults beneath, as ci_model_open reads it. */
static inline void golden_add_defaults(ci_model *model) {
  const char *text = model->architecture->defaults;
  ci_error err = {0};
  json_t *defaults;
  if (!text) return;
  if (ci_json_parse("defaults", text, strlen(text), &defaults, &err)) fail_msg("%s: %s", err.where, err.message);
  assert_int_equal(json_object_update_missing(model->config, defaults), 0);
  json_decref(defaults);
}

/* Functions with a kink become ones that are smooth, and limits are moved out of reach: finite differences cannot be taken across
 * a kink. */
static inline void golden_smooth_activations(json_t *config) {
  const char *key;
  json_t *value;
  json_object_foreach(config, key, value) {
    if (json_is_string(value) && strcmp(json_string_value(value), "relu") == 0) json_string_set(value, "gelu");
    if (json_is_real(value) && strcmp(key, "clip_qkv") == 0) json_real_set(value, 1000);
    if (json_is_object(value)) golden_smooth_activations(value);
  }
}

/* A folder under tests/data/golden ("models/gpt2"), or a whole path. */
static inline void golden_path(char path[512], const char *folder) {
  snprintf(path, 512, "%s%s", *folder == '/' ? "" : TEST_DATA "/golden/", folder);
}

static inline void golden_open_with(ci_model *model, const char *folder, bool smooth) {
  static const ci_architecture *const rows[] = {
#define CI_ARCHITECTURE(member) &ci_architecture_##member,
#include "models/models.def"
#undef CI_ARCHITECTURE
  };
  ci_error err = {0};
  char path[512], config[600];
  golden_path(path, folder);
  snprintf(config, sizeof config, "%s/config.json", path);
  *model = (ci_model){.arena = ci_arena_create(), .path = ci_duplicate(path)};
  if (ci_json_read_file(config, &model->config, &err)) fail_msg("%s: %s", err.where, err.message);
  const char *type = json_string_value(json_object_get(model->config, "model_type"));
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcmp(rows[i]->id, type) == 0) model->architecture = rows[i];
  if (!model->architecture) fail_msg("%s: no architecture \"%s\"", folder, type);
  golden_add_defaults(model);
  if (smooth) golden_smooth_activations(model->config);
  if (ci_tensors_open(path, &model->tensors, &err)) fail_msg("%s: %s", err.where, err.message);
  for (int s = 0; s < CI_SPACES; s++) model->graph.ids_node[s] = model->graph.input_node[s] = -1;
  ci_builder b = {.model = model, .err = &err, .used = ci_alloc_zeroed(ci_tensors_count(model->tensors), 1)};
  b.made = ci_alloc_zeroed(ci_tensors_count(model->tensors), sizeof *b.made);
  model->architecture->build(&b);
  ci_free(b.used);
  ci_free(b.made);
  if (b.status) fail_msg("%s: %s", err.where, err.message);
  ci_graph_finish(&model->graph);
  model->vocabulary = model->graph.nodes[model->graph.logits].width;
}

static inline void golden_open(ci_model *model, const char *folder) {
  golden_open_with(model, folder, false);
}

static inline void golden_close(ci_model *model) {
  ci_tensors_close(model->tensors);
  json_decref(model->config);
  ci_free(model->graph.nodes);
  ci_free(model->origins);
  ci_arena_close(model->arena);
  ci_free(model->path);
}

/* Tests that run on many models: each architecture, and narrow weights. */
enum { GOLDEN_MOST_TESTS = 2048 };
typedef struct {
  struct CMUnitTest tests[GOLDEN_MOST_TESTS];
  char names[GOLDEN_MOST_TESTS][160];
  size_t count;
} golden_list;

static inline void golden_add_one(golden_list *list, const char *name, CMUnitTestFunction test, const char *label,
                                  const char *folder) {
  assert(list->count < GOLDEN_MOST_TESTS);
  snprintf(list->names[list->count], sizeof *list->names, "%.90s, %.60s", name, label);
  list->tests[list->count] = (struct CMUnitTest){list->names[list->count], test, NULL, NULL, (void *)folder};
  list->count++;
}

/* The models that the build has unpacked from tests/data/golden/architectures, in the order of their names. */
typedef struct {
  char name[64], folder[400];
} golden_unpacked;

static inline const golden_unpacked *golden_find_unpacked(size_t *count) {
  static golden_unpacked found[128];
  static size_t n;
  struct dirent **entries;
  int listed = n ? 0 : scandir(GOLDEN_UNPACKED, &entries, NULL, alphasort);
  for (int i = 0; i < listed; i++) {
    if (*entries[i]->d_name != '.') {
      assert(n < sizeof found / sizeof *found);
      snprintf(found[n].name, sizeof found->name, "%.63s", entries[i]->d_name);
      snprintf(found[n].folder, sizeof found->folder, "%s/%s/model", GOLDEN_UNPACKED, entries[i]->d_name);
      n++;
    }
    free(entries[i]);
  }
  if (listed > 0) free(entries);
  *count = n;
  return found;
}

static inline void golden_add(golden_list *list, const char *name, CMUnitTestFunction test) {
  static const char *const folders[][2] = {{"gpt2", "models/gpt2"},
                                           {"llama", "models/llama"},
                                           {"llama F16", "formats/llama-f16"},
                                           {"llama BF16", "formats/llama-bf16"},
                                           {"marian", "models/marian"}};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
    golden_add_one(list, name, test, folders[i][0], folders[i][1]);
  size_t count;
  const golden_unpacked *unpacked = golden_find_unpacked(&count);
  for (size_t i = 0; i < count; i++) golden_add_one(list, name, test, unpacked[i].name, unpacked[i].folder);
}

static inline int golden_run(const golden_list *list, CMFixtureFunction set_up, CMFixtureFunction tear_down) {
  return _cmocka_run_group_tests("golden models", list->tests, list->count, set_up, tear_down);
}

/* A text: source and decoder ids, targets from position 1 (encoder-decoder) or 3 on. */
enum { GOLDEN_SOURCE = 6, GOLDEN_ROWS = 9, GOLDEN_PROMPT = 3 };
static const int32_t golden_source[GOLDEN_SOURCE] = {44, 7, 201, 12, 99, 2};
static const int32_t golden_text[GOLDEN_ROWS + 1] = {5, 17, 220, 33, 291, 9, 77, 150, 201, 64};

/* ln p[target] and its slope, in double. Not p: where the tiny models' logits are large, p has fewer digits than
 * float32. */
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
  return (double)logits[c->targets[target]] - log(golden_total(c, logits));
}

static inline void golden_gradient(void *context, const float *logits, size_t target, float *slope) {
  const golden_context *c = context;
  double total = golden_total(c, logits);
  for (size_t i = 0; i < c->graph->nodes[c->graph->logits].width; i++)
    slope[i] = (float)((i == (size_t)c->targets[target]) - exp((double)logits[i]) / total);
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
