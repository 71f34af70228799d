/* What model_kwargs turn weights into: the modules, codes and scales that transformers and bitsandbytes make of each
 * architecture (tests/data/int8/modules.json), their files as they are, 16 bits, gradients of the dequantised weight,
 * and what is refused. */
#include "kernels/int8.h"
#include "kernels/weight_types.h"
#include "models/model.h"
#include "support/edited_model.h"
#include "support/golden_model.h"
#include <zlib.h>

#define GPT2 TEST_DATA "/golden/models/gpt2"

static ci_model *open_with(const char *folder, const json_t *kwargs) {
  ci_error err = {0};
  ci_model *model = NULL;
  if (ci_model_open(folder, kwargs, NULL, NULL, NULL, &model, &err))
    fail_msg("%s: %s: %s", folder, err.where, err.message);
  return model;
}

static ci_model *open_text(const char *folder, const char *kwargs) {
  json_t *object = json_loads(kwargs, 0, NULL);
  assert_non_null(object);
  ci_model *model = open_with(folder, object);
  json_decref(object);
  return model;
}

/* "layers.0.fc1" of "model.layers.0.fc1.weight" */
static void short_name(const ci_model *model, const char *name, char *room) {
  size_t prefix = strlen(model->architecture->prefix), length = strlen(name);
  if (strncmp(name, model->architecture->prefix, prefix) == 0) name += prefix, length -= prefix;
  if (length > 7 && strcmp(name + length - 7, ".weight") == 0) length -= 7;
  snprintf(room, 256, "%.*s", (int)length, name);
}

static const json_t *expected_of(const ci_model *model, const json_t *modules, const char *tensor) {
  char wanted[256], found[256];
  const char *name;
  json_t *value;
  short_name(model, tensor, wanted);
  json_object_foreach((json_t *)modules, name, value) {
    short_name(model, name, found);
    if (strcmp(wanted, found) == 0) return value;
  }
  return NULL;
}

static void check_modules(const char *label, const json_t *expected) {
  char folder[500];
  const char *own = json_string_value(json_object_get(expected, "model"));
  if (own)
    snprintf(folder, sizeof folder, "%s/golden/models/%s", TEST_DATA, own);
  else
    snprintf(folder, sizeof folder, "%s/%s/model", GOLDEN_UNPACKED, label);
  json_t *kwargs = json_copy(json_object_get(expected, "settings"));
  json_object_set_new(kwargs, "load_in_8bit", json_true());
  ci_model *model = open_with(folder, kwargs);
  const ci_loading *l = &model->loading;
  const json_t *modules = json_object_get(expected, "modules");
  for (size_t i = 0; i < l->module_count; i++) {
    const ci_weight *w = &l->modules[i].weight;
    const json_t *sums = expected_of(model, modules, l->modules[i].tensor);
    if (!sums) fail_msg("%s: %s is in 8 bits, and not in transformers", label, l->modules[i].tensor);
    uint32_t codes = (uint32_t)crc32(0, w->data, (uInt)(w->a * w->b)),
             scales = (uint32_t)crc32(0, (const void *)w->scale, (uInt)(w->a * 4));
    if (codes != json_integer_value(json_array_get(sums, 0)) || scales != json_integer_value(json_array_get(sums, 1)))
      fail_msg("%s: %s has other codes or scales than bitsandbytes makes", label, l->modules[i].tensor);
  }
  if (l->module_count != json_object_size(modules))
    fail_msg("%s: %zu modules in 8 bits, %zu in transformers", label, l->module_count, json_object_size(modules));
  ci_model_close(model);
  json_decref(kwargs);
}

static void modules_are_those_of_transformers(void **state) {
  (void)state;
  ci_error err = {0};
  json_t *cases, *expected;
  const char *label;
  if (ci_json_read_file(TEST_DATA "/int8/modules.json", &cases, &err)) fail_msg("%s: %s", err.where, err.message);
  assert_true(json_object_size(cases) > 80);
  json_object_foreach(cases, label, expected) check_modules(label, expected);
  json_decref(cases);
}

enum { MOST_LOGITS = 600 };

static void logits_of(const ci_model *model, float *out) {
  ci_error err = {0};
  ci_compute compute;
  golden_subject g;
  assert_true(model->vocabulary <= MOST_LOGITS);
  assert_int_equal(ci_compute_open(&compute, 1, "auto", NULL, &err), CI_OK);
  golden_subject_open(&g, model, &compute);
  assert_int_equal(ci_subject_forward(&g.subject, CI_KEEP_KEYS, &err), CI_OK);
  memcpy(out, ci_run_logits(g.subject.run, g.output_rows[2]), model->vocabulary * sizeof *out);
  golden_subject_close(&g);
  ci_compute_close(&compute);
}

/* A copy of gpt2's folder with the weights that transformers saved in 8 bits. */
static char *saved_in_8_bits(void) {
  char *folder = edited_model(GPT2, &(model_edit){.left_out = "model.safetensors"}), *bytes,
       *path = ci_join_path(folder, "model.safetensors");
  size_t length;
  ci_error err = {0};
  if (ci_read_file(TEST_DATA "/int8/gpt2.safetensors", 1 << 24, &bytes, &length, &err))
    fail_msg("%s: %s", err.where, err.message);
  edited_write(path, bytes, length);
  ci_free(bytes);
  ci_free(path);
  return folder;
}

/* The codes stay in the file, Conv1D's turned round there already; the same bits as quantising here. */
static void a_file_in_8_bits(void **state) {
  (void)state;
  float saved[MOST_LOGITS], made[MOST_LOGITS], threshold[MOST_LOGITS];
  char *folder = saved_in_8_bits();
  ci_model *model = open_text(folder, "{}");
  assert_int_equal(model->loading.module_count, 8);
  for (size_t i = 0; i < 8; i++)
    assert_non_null(ci_tensors_file_at(model->tensors, model->loading.modules[i].weight.data));
  logits_of(model, saved);
  ci_model_close(model);
  model = open_text(GPT2, "{\"load_in_8bit\": true}");
  logits_of(model, made);
  assert_memory_equal(saved, made, model->vocabulary * sizeof(float));
  ci_model_close(model);
  model = open_text(GPT2, "{\"quantization_config\": {\"load_in_8bit\": true, \"llm_int8_threshold\": 0.5}}");
  logits_of(model, threshold);
  assert_memory_not_equal(threshold, made, model->vocabulary * sizeof(float));
  ci_model_close(model);
  edited_remove(folder);
}

static void refused_with(const char *folder, const char *kwargs, ci_status code, const char *named) {
  ci_error err = {0};
  ci_model *model = NULL;
  json_t *object = json_loads(kwargs, 0, NULL);
  ci_status status = ci_model_open(folder, object, NULL, NULL, NULL, &model, &err);
  char message[2200];
  snprintf(message, sizeof message, "%s: %s", err.where, err.message);
  if (status != code || !strstr(message, named))
    fail_msg("%s: status %d, %s; expected %s", kwargs, (int)status, message, named);
  json_decref(object);
}

static void what_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *kwargs, *named;
  } cases[] = {
      {"{\"load_in_4bit\": true}", "\"load_in_4bit\" is not supported: use \"load_in_8bit\""},
      {"{\"quantization_config\": {\"load_in_4bit\": true}}", "\"load_in_4bit\""},
      {"{\"load_in_8bit\": 1}", "load_in_8bit"},
      {"{\"quantization_config\": {\"quant_method\": \"gptq\"}}", "\"gptq\" is not supported, expected bitsandbytes"},
      {"{\"quantization_config\": true}", "expected an object"},
      {"{\"load_in_8bit\": true, \"llm_int8_threshold\": -1}", "\"llm_int8_threshold\" is -1"},
      {"{\"load_in_8bit\": true, \"llm_int8_threshold\": \"six\"}", "llm_int8_threshold"},
      {"{\"load_in_8bit\": true, \"llm_int8_skip_modules\": \"lm_head\"}", "expected a list of names"},
      {"{\"load_in_8bit\": true, \"llm_int8_skip_modules\": [1]}", "expected a list of names"},
      {"{\"load_in_8bit\": true, \"llm_int8_has_fp16_weight\": true}", "llm_int8_has_fp16_weight"},
      {"{\"dtype\": \"int4\"}", "\"dtype\" is \"int4\", expected auto, float32, float16 or bfloat16"},
      {"{\"torch_dtype\": 16}", "torch_dtype"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    refused_with(GPT2, cases[i].kwargs, CI_EINVAL, cases[i].named);
  char *folder = edited_model(GPT2, &(model_edit){.config = "{\"quantization_config\": {\"quant_method\": \"awq\"}}"});
  refused_with(folder, "{}", CI_EMODEL, "\"awq\" is not supported");
  edited_remove(folder);
}

/* bitsandbytes' tensors that are not what they should be. */
static void damaged_files_in_8_bits(void **state) {
  (void)state;
#define BLOCK "transformer.h.0.mlp.c_fc."
  static const struct {
    model_edit edit;
    const char *named;
  } cases[] = {
      {{.drop = BLOCK "SCB"}, "\"" BLOCK "weight\" is in 8 bits, and \"" BLOCK "SCB\" with its scales is missing"},
      {{.reshaped = BLOCK "SCB"}, "\"" BLOCK "SCB\" is no list of F32 scales for the 128 outputs"},
      {{.retyped = BLOCK "SCB"}, "\"" BLOCK "SCB\" is no list of F32 scales"},
      {{.reshaped = BLOCK "weight"}, "expected [128, 32]"},
      {{.drop = BLOCK "weight_format", .copied = BLOCK "weight", .added = {BLOCK "weight_format"}},
       "an order of the codes"},
  };
  char *folder = saved_in_8_bits();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *edited = edited_model(folder, &cases[i].edit);
    refused_with(edited, "{}", CI_EMODEL, cases[i].named);
    edited_remove(edited);
  }
  edited_remove(folder);
}

/* The same bits as a file in half precision; what is stored so already stays where it is. */
static void sixteen_bits(void **state) {
  (void)state;
  static const char *const llama = TEST_DATA "/golden/models/llama", *const names[] = {"float16", "bfloat16"},
                           *const files[] = {TEST_DATA "/golden/formats/llama-f16",
                                             TEST_DATA "/golden/formats/llama-bf16"};
  float whole[MOST_LOGITS], stored[MOST_LOGITS], loaded[MOST_LOGITS];
  ci_model *model = open_text(llama, "{\"dtype\": \"float32\"}");
  logits_of(model, whole);
  ci_model_close(model);
  for (int i = 0; i < 2; i++) {
    char kwargs[64];
    snprintf(kwargs, sizeof kwargs, "{\"%s\": \"%s\"}", i ? "dtype" : "torch_dtype", names[i]);
    model = open_text(files[i], kwargs);
    const ci_weight *w = &model->graph.nodes[model->graph.logits].weight;
    assert_non_null(ci_tensors_file_at(model->tensors, w->data));
    logits_of(model, stored);
    ci_model_close(model);
    model = open_text(llama, kwargs);
    w = &model->graph.nodes[model->graph.logits].weight;
    assert_int_equal(w->type->size, 2);
    logits_of(model, loaded);
    assert_memory_equal(stored, loaded, model->vocabulary * sizeof(float));
    assert_memory_not_equal(whole, loaded, model->vocabulary * sizeof(float));
    ci_model_close(model);
    model = open_text(files[i], "{\"dtype\": \"auto\"}");
    logits_of(model, loaded);
    assert_memory_equal(stored, loaded, model->vocabulary * sizeof(float));
    ci_model_close(model);
  }
}

/* Quantised activations have no gradient: backward is that of the dequantised weights at the activations of the 8-bit
 * forward. */
static void gradients_are_of_the_dequantised(void **state) {
  (void)state;
  ci_error err = {0};
  ci_model *model = open_text(GPT2, "{\"load_in_8bit\": true, \"llm_int8_threshold\": 1.5}");
  ci_compute compute;
  golden_subject g;
  assert_int_equal(ci_compute_open(&compute, 2, "auto", NULL, &err), CI_OK);
  golden_subject_open(&g, model, &compute);
  ci_path path = {.wanted = {[CI_DECODER] = true}};
  size_t n = g.subject.target_count * ci_subject_rows(&g.subject, CI_DECODER) *
             model->graph.nodes[model->graph.input_node[CI_DECODER]].width;
  float *one[CI_SPACES] = {0}, *two[CI_SPACES] = {0}, largest = 0;
  one[CI_DECODER] = malloc(n * sizeof(float));
  two[CI_DECODER] = malloc(n * sizeof(float));
  assert_int_equal(ci_subject_gradients(&g.subject, &path, &g.objective, one, &err), CI_OK);
  for (int i = 0; i < model->graph.count; i++) {
    ci_weight *w = &model->graph.nodes[i].weight;
    if (!w->type || !w->scale) continue;
    float *wide = ci_arena_alloc(model->arena, w->a * w->b, sizeof *wide);
    ci_int8_panel(compute.kernels, w, 0, w->a, 0, w->b, wide);
    *w = (ci_weight){.type = ci_weight_type_named("F32"), .data = wide, .a = w->a, .b = w->b, .ld = w->b};
  }
  assert_int_equal(ci_subject_gradients(&g.subject, &path, &g.objective, two, &err), CI_OK); /* the forward is kept */
  for (size_t i = 0; i < n; i++) largest = fmaxf(largest, fabsf(one[CI_DECODER][i]));
  assert_true(largest > 0);
  for (size_t i = 0; i < n; i++) assert_true(fabsf(one[CI_DECODER][i] - two[CI_DECODER][i]) <= 1e-5f * largest);
  free(one[CI_DECODER]);
  free(two[CI_DECODER]);
  golden_subject_close(&g);
  ci_compute_close(&compute);
  ci_model_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(modules_are_those_of_transformers),
      cmocka_unit_test(a_file_in_8_bits),
      cmocka_unit_test(what_is_refused),
      cmocka_unit_test(damaged_files_in_8_bits),
      cmocka_unit_test(sixteen_bits),
      cmocka_unit_test(gradients_are_of_the_dequantised),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
