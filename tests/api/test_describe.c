/* Descriptors: every kind is JSON of the promised form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "cinseq.h"
#include <jansson.h>
#include <string.h>

static json_t *describe(const char *kind) {
  char *text = cinseq_describe(kind);
  assert_non_null(text);
  json_t *rows = json_loads(text, 0, NULL);
  cinseq_free(text);
  assert_true(json_is_array(rows));
  return rows;
}

static const json_t *row_named(const json_t *rows, const char *key, const char *name) {
  size_t i;
  const json_t *row;
  json_array_foreach(rows, i, row) if (strcmp(json_string_value(json_object_get(row, key)), name) == 0) return row;
  return NULL;
}

static void every_kind_has_rows(void **state) {
  (void)state;
  static const char *const kinds[] = {"methods",    "scores",  "models",    "aggregators", "functions", "formats",
                                      "tokenizers", "outputs", "installed", "commands",    "kinds"};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    json_t *rows = describe(kinds[k]);
    assert_true(json_array_size(rows) > 0);
    size_t i, j;
    const json_t *row, *option;
    json_array_foreach(rows, i, row) {
      assert_true(json_string_length(json_object_get(row, "id")) > 0);
      assert_true(json_string_length(json_object_get(row, "help")) > 0);
      assert_true(json_is_array(json_object_get(row, "options")));
      json_array_foreach(json_object_get(row, "options"), j, option) {
        assert_true(json_string_length(json_object_get(option, "name")) > 0);
        assert_true(json_string_length(json_object_get(option, "help")) > 0);
        assert_true(json_is_string(json_object_get(option, "type")));
        assert_non_null(json_object_get(option, "default"));
        assert_true(json_is_array(json_object_get(option, "flags")));
      }
    }
    json_decref(rows);
  }
  assert_null(cinseq_describe("nonsense"));
  assert_null(cinseq_describe(NULL));
}

static void what_the_mission_names_is_there(void **state) {
  (void)state;
  static const char *const wanted[][2] = {
      {"methods", "saliency"},   {"methods", "attention"}, {"methods", "occlusion"},
      {"scores", "probability"}, {"scores", "entropy"},    {"models", "gpt2"},
      {"models", "llama"},       {"models", "marian"},     {"formats", "safetensors"}};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    json_t *rows = describe(wanted[i][0]);
    assert_non_null(row_named(rows, "id", wanted[i][1]));
    json_decref(rows);
  }
}

static void an_option_tells_all(void **state) {
  (void)state;
  json_t *rows = describe("commands");
  const json_t *options = json_object_get(row_named(rows, "id", "attribute"), "options");
  const json_t *start = row_named(options, "name", "attr_pos_start"), *batch = row_named(options, "name", "batch_size");
  assert_string_equal(json_string_value(json_array_get(json_object_get(start, "flags"), 0)), "-s");
  assert_string_equal(json_string_value(json_array_get(json_object_get(start, "flags"), 1)), "--start_pos");
  assert_string_equal(json_string_value(json_object_get(batch, "type")), "int");
  assert_int_equal(json_integer_value(json_object_get(batch, "default")), 8);
  assert_int_equal(json_integer_value(json_object_get(batch, "min")), 1);
  json_decref(rows);
}

static void the_build_knows_itself(void **state) {
  (void)state;
  char *text = cinseq_build_info();
  json_t *info = json_loads(text, 0, NULL);
  cinseq_free(text);
  assert_string_equal(json_string_value(json_object_get(info, "version")), cinseq_version());
  assert_true(json_array_size(json_object_get(info, "gemm")) > 0);
  assert_non_null(json_object_get(json_object_get(info, "libraries"), "oneDNN"));
  json_decref(info);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind_has_rows),
                                     cmocka_unit_test(what_the_mission_names_is_there),
                                     cmocka_unit_test(an_option_tells_all), cmocka_unit_test(the_build_knows_itself)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
