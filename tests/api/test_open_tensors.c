/* Models whose weights a program has in memory: the numbers of the folder that they are from, and what is refused. */
#include "api/session.h"
#include "base/file.h"
#include "base/memory.h"
#include "support/attributed.h"
#include <stdlib.h>

enum { MOST = 400 };

typedef struct {
  cinseq_model *file; /* the tensors lie in its mapping */
  cinseq_tensor tensors[MOST];
  size_t count;
  char *files; /* the JSON */
} in_memory;

static void take_apart(const char *folder, in_memory *m) {
  ci_error err = {0};
  json_t *files = json_object(), *config;
  static const char *const names[] = {"config.json", "generation_config.json"};
  for (size_t i = 0; i < 2; i++) {
    char *path = ci_join_path(folder, names[i]);
    assert_int_equal(ci_json_read_file_if_there(path, &config, &err), CI_OK);
    if (config) json_object_set_new(files, names[i], config);
    ci_free(path);
  }
  m->file = attributed_model(folder);
  m->files = ci_json_text(files, 0);
  json_decref(files);
  const ci_tensors *tensors = m->file->model->tensors;
  m->count = ci_tensors_count(tensors);
  assert_true(m->count < MOST);
  for (size_t i = 0; i < m->count; i++) {
    const ci_tensor *t = ci_tensors_at(tensors, i);
    m->tensors[i] = (cinseq_tensor){t->name, ci_dtype_name(t->type), (size_t)t->rank, {0}, t->data};
    for (int d = 0; d < t->rank; d++) m->tensors[i].shape[d] = t->shape[d];
  }
}

static void put_away(in_memory *m) {
  cinseq_model_close(m->file);
  ci_free(m->files);
}

static cinseq_model *assemble(const in_memory *m, const char *tokenizer) {
  cinseq_error err = {0};
  cinseq_model *model;
  char options[600];
  snprintf(options, sizeof options, "{\"tokenizer\": \"%s\"}", tokenizer);
  if (cinseq_model_open_tensors("mine", m->files, m->tensors, m->count, options, NULL, &model, &err))
    fail_msg("%s: %s", err.where, err.message);
  return model;
}

/* Attributions and what generated the text, bit for bit. */
static void expect_same(cinseq_model *x, cinseq_model *y, const char *text, bool same) {
  char keys[200];
  snprintf(keys, sizeof keys, "\"input_texts\": [\"%s\"], \"generation_kwargs\": {\"max_new_tokens\": 5}, ", text);
  cinseq_result *a = attributed_by(x, "saliency", keys, "{}"), *b = attributed_by(y, "saliency", keys, "{}");
  cinseq_side side = x->model->graph.encoder_decoder ? CINSEQ_SOURCE : CINSEQ_TARGET;
  const ci_array *p = attributed_array(a, side), *q = attributed_array(b, side);
  size_t bytes = ci_array_size(p) * sizeof *p->data;
  assert_int_equal(ci_array_size(q) * sizeof *q->data, bytes);
  assert_int_equal(memcmp(p->data, q->data, bytes) == 0, same);
  cinseq_result_close(a);
  cinseq_result_close(b);
}

static void numbers_of_the_folder(void **state) {
  (void)state;
  static const char *const cases[][2] = {{MODELS "/zh-en-mini", "我很开心。"},
                                         {MODELS "/stories260K", "Once upon"},
                                         {TEST_DATA "/golden/models/gpt2", "He is"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    in_memory m;
    take_apart(cases[i][0], &m);
    cinseq_model *model = assemble(&m, cases[i][0]);
    expect_same(m.file, model, cases[i][1], true);
    char *info = cinseq_model_info(model);
    assert_non_null(strstr(info, "\"format\": \"memory\""));
    cinseq_free(info);
    cinseq_model_close(model);
    put_away(&m);
  }
}

/* A state dict has the head under a second name; the model reads the weights that are there now. */
static void tied_and_changed(void **state) {
  (void)state;
  static const char folder[] = TEST_DATA "/golden/models/gpt2";
  in_memory m;
  take_apart(folder, &m);
  float *own = NULL;
  for (size_t i = 0; i < m.count; i++) {
    cinseq_tensor *t = &m.tensors[i];
    if (strstr(t->name, "wte.weight")) m.tensors[m.count] = *t, m.tensors[m.count].name = "lm_head.weight";
    if (!strstr(t->name, "h.0.mlp.c_fc.weight")) continue;
    size_t bytes = t->shape[0] * t->shape[1] * sizeof(float);
    own = ci_alloc(bytes, 1);
    t->data = memcpy(own, t->data, bytes);
  }
  assert_non_null(own);
  m.count++;
  cinseq_model *model = assemble(&m, folder);
  assert_int_equal(ci_model_parameters(model->model), ci_model_parameters(m.file->model));
  expect_same(m.file, model, "He is", true);
  own[3] += 1;
  expect_same(m.file, model, "He is", false);
  cinseq_model_close(model);
  put_away(&m);
  ci_free(own);
}

static void expect_refusal(const in_memory *m, const char *files, size_t count, const char *options, int code,
                           const char *words) {
  cinseq_error err = {0};
  cinseq_model *model;
  char line[2000];
  int status = cinseq_model_open_tensors("mine", files, m->tensors, count, options, NULL, &model, &err);
  snprintf(line, sizeof line, "%s: %s", err.where, err.message);
  if (status != code || !strstr(line, words)) fail_msg("%d, %s, expected %s", status, line, words);
  assert_null(model);
}

static void what_is_refused(void **state) {
  (void)state;
  static const char own[] = "{\"tokenizer\": \"" MODELS "/stories260K\"}";
  in_memory m;
  take_apart(MODELS "/stories260K", &m);
  expect_refusal(&m, m.files, m.count, NULL, CINSEQ_EINVAL, "tokenizer: is not given");
  expect_refusal(&m, m.files, m.count, "{\"tokenizer\": \"/nowhere/at-all\"}", CINSEQ_EINVAL, "/nowhere/at-all");
  expect_refusal(&m, m.files, m.count, "{\"tokenizer\": 3}", CINSEQ_EINVAL, "tokenizer");
  expect_refusal(&m, "{", m.count, own, CINSEQ_EINVAL, "files: is not valid JSON");
  expect_refusal(&m, "[]", m.count, own, CINSEQ_EINVAL, "files: has no \"config.json\"");
  expect_refusal(&m, "{\"config.json\": 3}", m.count, own, CINSEQ_EINVAL, "files: has no \"config.json\"");
  expect_refusal(&m, "{\"config.json\": {}, \"generation_config.json\": []}", m.count, own, CINSEQ_EINVAL,
                 "\"generation_config.json\": expected an object");
  expect_refusal(&m, "{\"config.json\": {}}", m.count, own, CINSEQ_EMODEL, "\"model_type\" is missing");
  expect_refusal(&m, m.files, m.count - 1, own, CINSEQ_EMODEL, "is missing");
  expect_refusal(&m, m.files, 0, own, CINSEQ_EMODEL, "is missing");
  m.tensors[0].dtype = "I64";
  expect_refusal(&m, m.files, m.count, own, CINSEQ_EMODEL, "has type I64");
  put_away(&m);
}

/* Another model's tokenizer, of a folder too; and where names lead. */
static void another_tokenizer(void **state) {
  (void)state;
  cinseq_error err = {0};
  cinseq_model *model;
  char *path;
  assert_int_equal(cinseq_model_open("stories260K", "{\"tokenizer\": \"zh-en-mini\"}", NULL, &model, &err), CINSEQ_OK);
  assert_string_equal(model->model->tokenizer_name, "zh-en-mini");
  char *info = cinseq_model_info(model);
  assert_non_null(strstr(info, "MarianTokenizer"));
  cinseq_free(info);
  cinseq_model_close(model);
  assert_int_equal(cinseq_model_locate("stories260K", NULL, NULL, &path, &err), CINSEQ_OK);
  assert_non_null(strstr(path, "/models/stories260K"));
  cinseq_free(path);
  assert_int_equal(cinseq_model_locate("stories260", NULL, NULL, &path, &err), CINSEQ_EINVAL);
  assert_null(path);
  assert_non_null(strstr(err.message, "did you mean \"stories260K\""));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_of_the_folder), cmocka_unit_test(tied_and_changed),
                                     cmocka_unit_test(what_is_refused), cmocka_unit_test(another_tokenizer)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
