/* What a model says of itself: modules, settings, its tokenizer, conversations. */
#include "api/session.h"
#include "models/modules.h"
#include "support/attributed.h"
#include "support/golden_model.h"
#include <stdlib.h>
#include <unistd.h>

static json_t *parsed(char *text) {
  assert_non_null(text);
  json_t *value = json_loads(text, 0, NULL);
  assert_non_null(value);
  cinseq_free(text);
  return value;
}

static bool lists(const json_t *list, const char *text) {
  size_t i;
  const json_t *member;
  json_array_foreach(list, i, member) if (strcmp(json_string_value(member), text) == 0) return true;
  return false;
}

/* What has weights and is no node of its own: one of many experts, one head's norm, T5's table of distances, a router's
 * corrections. */
static const char *const parts[] = {"experts.", ".norms.", "relative_attention_bias", "moe_statics"};

/* Each module that is listed is one that can be attributed to, or is said to hold more than one. */
static void modules_resolve(void **state) {
  const char *folder = *state;
  cinseq_model *model = attributed_model(folder);
  json_t *paths = parsed(cinseq_model_modules(model));
  size_t i, found = 0;
  const json_t *path;
  assert_true(json_array_size(paths) > 5);
  json_array_foreach(paths, i, path) {
    int node;
    ci_error err = {0};
    ci_status status = ci_model_node(model->model, "target_layer", json_string_value(path), false, &node, &err);
    if (!status) found++;
    bool explained = strstr(err.message, "more than one block") || strstr(err.message, "in parts");
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
      explained = explained || strstr(json_string_value(path), parts[k]);
    if (status && !explained) fail_msg("%s: %s", folder, err.message);
  }
  assert_true(found > 3);
  json_decref(paths);
  cinseq_model_close(model);
}

static void modules_have_their_full_names(void **state) {
  (void)state;
  cinseq_model *model = attributed_model(TEST_DATA "/golden/models/gpt2");
  json_t *paths = parsed(cinseq_model_modules(model));
  assert_string_equal(json_string_value(json_array_get(paths, 0)), "transformer");
  assert_true(lists(paths, "transformer.h.1.mlp.c_fc") && lists(paths, "transformer.ln_f"));
  assert_false(lists(paths, "transformer.h.0.mlp.c_fc.weight"));
  json_decref(paths);
  json_t *files = parsed(cinseq_model_files(model));
  assert_string_equal(json_string_value(json_object_get(json_object_get(files, "config.json"), "model_type")), "gpt2");
  json_decref(files);
  cinseq_model_close(model);
}

/* Weights that were converted, and vectors that were widened, are found by their module too. */
static void modules_of_converted_weights(void **state) {
  (void)state;
  static const char *const options[] = {NULL, "{\"model_kwargs\": {\"load_in_8bit\": true}}",
                                        "{\"model_kwargs\": {\"dtype\": \"bfloat16\"}}"};
  static const char *const paths[] = {"model.layers.0.mlp.down_proj", "model.layers[0].input_layernorm", "model.norm",
                                      "model.layers.0"};
  int expected[4] = {0}, node;
  for (size_t i = 0; i < 3; i++) {
    cinseq_error err = {0};
    cinseq_model *model;
    assert_int_equal(cinseq_model_open(TEST_DATA "/golden/models/llama", options[i], NULL, &model, &err), CINSEQ_OK);
    for (size_t k = 0; k < 4; k++) {
      if (ci_model_node(model->model, "target_layer", paths[k], false, &node, &err)) fail_msg("%s", err.message);
      if (!i) expected[k] = node;
      assert_int_equal(node, expected[k]);
    }
    cinseq_model_close(model);
  }
}

static void tokenizer_facts(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("zh-en-mini");
  json_t *facts = parsed(cinseq_tokenizer_info(model));
  assert_string_equal(json_string_value(json_object_get(facts, "class")), "MarianTokenizer");
  assert_string_equal(json_string_value(json_object_get(json_object_get(facts, "special_tokens"), "eos_token")),
                      "</s>");
  assert_true(lists(json_object_get(facts, "all_special_tokens"), "<pad>"));
  assert_int_equal(json_array_size(json_object_get(facts, "all_special_ids")), 3);
  assert_true(json_is_null(json_object_get(facts, "chat_template")));
  assert_null(json_object_get(facts, "languages"));
  json_decref(facts);
  cinseq_model_close(model);
}

/* mBART-50's tokenizer in a folder of its own. */
static void write_mbart(char *folder) {
  char path[300];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/sentencepiece.bpe.model", folder);
  assert_int_equal(symlink(TEST_DATA "/tokenizers/slow/fairseq.model", path), 0);
  snprintf(path, sizeof path, "%s/tokenizer_config.json", folder);
  static const char settings[] =
      "{\"tokenizer_class\": \"MBart50Tokenizer\", \"tgt_lang\": \"fr_XX\", \"model_max_length\": 1024}";
  assert_int_equal(cinseq_file_write(path, settings, NULL), CINSEQ_OK);
}

static void languages_have_codes(void **state) {
  (void)state;
  char folder[] = "/tmp/cinseq-info-XXXXXX", options[200], command[100];
  cinseq_error err = {0};
  cinseq_model *model;
  write_mbart(folder);
  snprintf(options, sizeof options, "{\"tokenizer\": \"%s\"}", folder);
  if (cinseq_model_open("stories260K", options, NULL, &model, &err)) fail_msg("%s: %s", err.where, err.message);
  json_t *facts = parsed(cinseq_tokenizer_info(model)), *languages = json_object_get(facts, "languages");
  assert_int_equal(json_object_size(languages), 52);
  assert_int_equal(json_integer_value(json_object_get(languages, "fr_XX")), cinseq_token_id(model, "fr_XX"));
  assert_string_equal(json_string_value(json_object_get(facts, "src_lang")), "en_XX");
  assert_string_equal(json_string_value(json_object_get(facts, "tgt_lang")), "fr_XX");
  assert_int_equal(json_integer_value(json_object_get(facts, "model_max_length")), 1024);
  json_decref(facts);
  cinseq_model_close(model);
  snprintf(command, sizeof command, "rm -r %s", folder);
  assert_int_equal(system(command), 0);
}

static void conversations(void **state) {
  (void)state;
  static const char template[] =
      "{\"chat_template\": \"{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
      "{% if add_generation_prompt %}<assistant>{% endif %}{{ eos_token }}{{ mood }}\", \"variables\": %s}";
  static const char *const cases[][3] = {{"{}", "Hi", "<user>Hi</s>"},
                                         {"{\"add_generation_prompt\": true, \"mood\": \"!\"}",
                                          "[{\"role\": \"system\", \"content\": \"Be\"}]",
                                          "<system>Be<assistant></s>!"}};
  cinseq_error err = {0};
  char options[600], *prompt;
  cinseq_model *model = attributed_model("stories260K");
  for (size_t i = 0; i < 2; i++) {
    const char *at = strstr(template, "%s");
    snprintf(options, sizeof options, "%.*s%s}", (int)(at - template), template, cases[i][0]);
    if (cinseq_chat(model, cases[i][1], options, &prompt, &err)) fail_msg("%s: %s", err.where, err.message);
    assert_string_equal(prompt, cases[i][2]);
    cinseq_free(prompt);
  }
  assert_int_equal(cinseq_chat(model, "Hi", NULL, &prompt, &err), CINSEQ_EINVAL);
  assert_non_null(strstr(err.message, "has no chat template"));
  assert_int_equal(cinseq_chat(model, "Hi", "{\"chat_template\": \"{% if %}\"}", &prompt, &err), CINSEQ_EINVAL);
  assert_null(prompt);
  cinseq_model_close(model);
}

int main(void) {
  static golden_list list;
  size_t count;
  const golden_unpacked *unpacked = golden_find_unpacked(&count);
  golden_add_one(&list, "modules have their full names", modules_have_their_full_names, "gpt2", NULL);
  golden_add_one(&list, "modules of converted weights", modules_of_converted_weights, "llama", NULL);
  golden_add_one(&list, "facts of the tokenizer", tokenizer_facts, "zh-en-mini", NULL);
  golden_add_one(&list, "languages have codes", languages_have_codes, "mBART", NULL);
  golden_add_one(&list, "conversations", conversations, "stories260K", NULL);
  for (size_t i = 0; i < count; i++)
    golden_add_one(&list, "modules resolve", modules_resolve, unpacked[i].name, unpacked[i].folder);
  return golden_run(&list, NULL, NULL);
}
