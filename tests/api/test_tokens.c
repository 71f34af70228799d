/* Texts to tokens and back through the public header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "cinseq.h"
#include <jansson.h>
#include <string.h>

static cinseq_model *open_model(const char *name) {
  cinseq_model *model;
  cinseq_error error;
  if (cinseq_model_open(name, NULL, NULL, &model, &error)) fail_msg("%s: %s", error.where, error.message);
  return model;
}

/* The ids of text; their number in *count. */
static void encode(const cinseq_model *model, const char *text, const char *options, int32_t *ids, size_t *count) {
  char *json;
  cinseq_error error;
  if (cinseq_encode(model, text, options, &json, &error)) fail_msg("%s: %s", error.where, error.message);
  json_t *object = json_loads(json, 0, NULL), *numbers = json_object_get(object, "ids"),
         *tokens = json_object_get(object, "tokens");
  *count = json_array_size(numbers);
  assert_int_equal(json_array_size(tokens), *count);
  for (size_t i = 0; i < *count; i++) {
    ids[i] = (int32_t)json_integer_value(json_array_get(numbers, i));
    assert_string_equal(json_string_value(json_array_get(tokens, i)), cinseq_token(model, ids[i]));
    assert_int_equal(cinseq_token_id(model, cinseq_token(model, ids[i])), ids[i]);
  }
  json_decref(object);
  cinseq_free(json);
}

static void there_and_back(void **state) {
  (void)state;
  cinseq_model *model = open_model("zh-en-mini");
  int32_t source[64], target[64], bare[64];
  size_t sources, targets, bares;
  char *text;
  encode(model, "我很开心。", NULL, source, &sources);
  encode(model, "I'm very happy.", "{\"as_targets\": true}", target, &targets);
  encode(model, "I'm very happy.", "{\"as_targets\": true, \"add_special_tokens\": false}", bare, &bares);
  assert_string_equal(cinseq_token(model, source[sources - 1]), "</s>");
  assert_int_equal(bares, targets - 1);
  assert_memory_equal(bare, target, bares * sizeof *bare);
  assert_int_equal(cinseq_decode(model, target, targets, 1, &text, NULL), CINSEQ_OK);
  assert_string_equal(text, "I'm very happy.");
  cinseq_free(text);
  assert_int_equal(cinseq_decode(model, NULL, 0, 0, &text, NULL), CINSEQ_OK);
  assert_string_equal(text, "");
  cinseq_free(text);
  text = cinseq_token_text(model, "\xe2\x96\x81very");
  assert_string_equal(text, "very");
  cinseq_free(text);
  cinseq_model_close(model);
}

static void what_is_not_there(void **state) {
  (void)state;
  cinseq_model *model = open_model("stories260K");
  cinseq_error error;
  char *text;
  assert_null(cinseq_token(model, -1));
  assert_null(cinseq_token(model, 1 << 30));
  assert_int_equal(cinseq_token_id(model, "no such token"), -1);
  assert_int_equal(cinseq_decode(model, (const int32_t[]){1, 99999}, 2, 0, &text, &error), CINSEQ_EINVAL);
  assert_non_null(strstr(error.message, "99999"));
  assert_null(text);
  assert_int_equal(cinseq_encode(model, "a", "{\"add_special_token\": true}", &text, &error), CINSEQ_EINVAL);
  assert_non_null(strstr(error.message, "add_special_tokens"));
  assert_null(text);
  cinseq_model_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back), cmocka_unit_test(what_is_not_there)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
