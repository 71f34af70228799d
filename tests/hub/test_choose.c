/* Which files a model needs; the patterns against what the tokenizers here read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "hub/choose.h"
#include "tokenizers/kind.h"
#include <string.h>

#define CI_TOKENIZER(member, help) extern const ci_tokenizer_kind ci_tokenizer_##member;
#include "tokenizers/tokenizers.def"
#undef CI_TOKENIZER
static const ci_tokenizer_kind *const kinds[] = {
#define CI_TOKENIZER(member, help) &ci_tokenizer_##member,
#include "tokenizers/tokenizers.def"
#undef CI_TOKENIZER
};

static ci_choice chosen(const char *names_json, const char *tag) {
  json_t *names = json_loads(names_json, 0, NULL);
  ci_choice choice;
  ci_error err = {0};
  assert_non_null(names);
  if (ci_choose_model("m", names, tag, &choice, &err)) fail_msg("%s", err.message);
  json_decref(names);
  return choice;
}

static void expect(const char *names_json, const char *tag, const char *files_json, const char *missing) {
  ci_choice choice = chosen(names_json, tag);
  json_t *files = json_loads(files_json, 0, NULL);
  if (!json_equal(files, choice.files)) fail_msg("%s: not %s", names_json, files_json);
  if (!missing != !choice.missing || (missing && !strstr(choice.missing, missing)))
    fail_msg("%s: missing %s", names_json, choice.missing ? choice.missing : "nothing");
  json_decref(files);
  ci_choice_free(&choice);
}

static void what_a_model_needs(void **state) {
  (void)state;
  expect("[]", NULL, "[]", "weights");
  expect("[\"config.json\", \"tokenizer.json\"]", NULL, "[\"config.json\", \"tokenizer.json\"]", "weights");
  expect("[\"model.safetensors\", \"tokenizer.json\"]", NULL, "[\"tokenizer.json\", \"model.safetensors\"]",
         "config.json");
  expect("[\"a/config.json\", \"config.json\", \"model.safetensors\", \"a/tokenizer.json\"]", NULL,
         "[\"config.json\", \"model.safetensors\"]", "tokenizer");
  expect("[\"config.json\", \"pytorch_model.bin\", \"model.safetensors.index.json\", \"merges.txt\"]", NULL,
         "[\"config.json\", \"merges.txt\", \"model.safetensors.index.json\"]", NULL);
  expect("[\"config.json\", \"pytorch_model.bin\", \"x.gguf\", \"merges.txt\"]", NULL,
         "[\"config.json\", \"merges.txt\", \"pytorch_model.bin\"]", NULL);
  expect("[\"config.json\", \"x.gguf\", \"merges.txt\"]", NULL, "[\"x.gguf\"]", NULL);
  expect("[\"x-00002-of-00002.gguf\", \"x-00001-of-00002.gguf\", \"x-00001-of-00003.gguf\"]", "x-00001-of-00002.gguf",
         "[\"x-00001-of-00002.gguf\", \"x-00002-of-00002.gguf\"]", NULL);
  expect("[\"x-00001-of-00003.gguf\"]", NULL, "[\"x-00001-of-00003.gguf\"]", "shards");
  expect("[\"x-IQ4_XS.gguf\", \"long-q4_k_m.gguf\", \"x-q4_k_m.gguf\"]", "Q4_K_M", "[\"x-q4_k_m.gguf\"]", NULL);
}

/* A kind of tokenizer that reads a new file must have it downloaded. */
static void every_tokenizer_has_its_files(void **state) {
  (void)state;
  static const char *const further[] = {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
                                        "chat_template.jinja",   "generation_config.json",  "config.json"};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    for (const char *const *file = kinds[i]->files; *file; file++) {
      json_t *names = json_pack("[s]", *file);
      ci_choice choice;
      assert_int_equal(ci_choose_model("m", names, NULL, &choice, NULL), CI_OK);
      if (!ci_choose_has(choice.files, *file)) fail_msg("%s is not downloaded", *file);
      ci_choice_free(&choice);
      json_decref(names);
    }
  for (size_t i = 0; i < sizeof further / sizeof *further; i++) {
    json_t *names = json_pack("[s]", further[i]);
    ci_choice choice;
    assert_int_equal(ci_choose_model("m", names, NULL, &choice, NULL), CI_OK);
    assert_true(ci_choose_has(choice.files, further[i]));
    ci_choice_free(&choice);
    json_decref(names);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_a_model_needs),
                                     cmocka_unit_test(every_tokenizer_has_its_files)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
