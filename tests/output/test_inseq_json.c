/* Inseq's file: what the real Inseq saved comes back equal, and hostile edits of it are refused with a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/memory.h"
#include "output/output.h"

static const char SMALL[] = TEST_DATA "/results/gpt2_saliency_positions.json";

static json_t *parse(const char *bytes, size_t length) {
  json_t *value;
  ci_error err = {0};
  if (ci_json_parse("test", bytes, length, &value, &err)) fail_msg("%s", err.message);
  return value;
}

static void round_trip(const char *path) {
  char *bytes;
  size_t length;
  ci_error err = {0};
  ci_result *result;
  ci_text text = {0};
  assert_int_equal(ci_read_file(path, 1 << 20, &bytes, &length, &err), CI_OK);
  if (ci_inseq_json_read(path, bytes, length, &result, &err)) fail_msg("%s: %s", err.where, err.message);
  assert_int_equal(ci_inseq_json_write(result, NULL, &text, &err), CI_OK);
  json_t *before = parse(bytes, length), *after = parse(text.data, text.length);
  assert_true(json_equal(before, after));
  json_decref(before);
  json_decref(after);
  ci_text_free(&text);
  ci_result_close(result);
  ci_free(bytes);
}

static void test_round_trips(void **state) {
  (void)state;
  round_trip(SMALL);
  round_trip(TEST_DATA "/results/marian_occlusion_target.json");
  round_trip(TEST_DATA "/results/marian_attention.json");
}

static void test_contents(void **state) {
  (void)state;
  ci_result *result;
  ci_error err = {0};
  assert_int_equal(ci_result_load(SMALL, &result, &err), CI_OK);
  assert_int_equal(result->count, 1);
  assert_string_equal(json_string_value(json_object_get(result->info, "attribution_method")), "saliency");
  const ci_sequence *s = &result->sequences[0];
  assert_int_equal(s->kind, CI_GRANULAR);
  assert_int_equal(s->target_count, 33);
  assert_string_equal(s->target[0].token, "He");
  assert_true(s->attr_pos_start == 17 && s->attr_pos_end == 19);
  assert_null(s->source_attributions.data);
  const ci_array *a = &s->target_attributions;
  assert_true(a->rank == 3 && a->shape[0] == 19 && a->shape[1] == 2 && a->shape[2] == 32);
  assert_false(isnan(a->data[0]));
  assert_true(isnan(a->data[ci_array_size(a) - 1])); /* the last row: nothing was generated from it */
  ci_result_close(result);
  assert_int_equal(ci_result_load(TEST_DATA "/results/marian_attention.json", &result, &err), CI_OK);
  assert_true(result->sequences[0].kind == CI_MULTIDIMENSIONAL && result->sequences[0].n_dimensions == 2);
  assert_int_equal(result->sequences[0].sequence_scores_count, 2);
  ci_result_close(result);
}

/* The layout that Inseq writes: indent 4, sorted keys, ASCII. */
static void test_layout(void **state) {
  (void)state;
  ci_result *result = ci_result_create(1);
  assert_non_null(result);
  json_object_set_new(result->info, "b", json_integer(1));
  json_object_set_new(result->info, "a", json_array());
  ci_sequence *s = &result->sequences[0];
  s->kind = CI_COARSE;
  s->target = ci_alloc_zeroed(1, sizeof *s->target);
  s->target_count = s->attr_pos_end = 1;
  s->target[0] = (ci_token){.id = -1, .token = ci_duplicate("\u0120x\xff")};
  ci_text text = {0};
  ci_error err = {0};
  assert_int_equal(ci_inseq_json_write(result, NULL, &text, &err), CI_OK);
  static const char wanted[] = "{\n    \"__instance_type__\": [\n        \"inseq.data.attribution\",\n        "
                               "\"FeatureAttributionOutput\"\n    ],\n    \"attributes\": {\n        \"info\": {\n"
                               "            \"a\": [],\n            \"b\": 1\n        },\n"
                               "        \"sequence_attributions\": [\n";
  assert_memory_equal(text.data, wanted, sizeof wanted - 1);
  assert_non_null(strstr(text.data, "\"CoarseFeatureAttributionSequenceOutput\""));
  assert_non_null(strstr(text.data, "\"id\": -1,\n"));
  assert_non_null(strstr(text.data, "\"token\": \"\\u0120x\\uFFFD\"\n"));
  assert_non_null(strstr(text.data, "\"source_attributions\": null"));
  assert_non_null(strstr(text.data, "\"step_attributions\": null\n    }\n}"));
  ci_text_free(&text);
  ci_result_close(result);
}

/* One edit of the small file each: the object that holds `key` is found by a path of keys and indices. */
typedef struct {
  const char *path;  /* of members, '/' between them */
  const char *value; /* JSON; NULL: remove */
  const char *message;
} edit;

static void apply(json_t *root, const edit *e) {
  char path[160];
  strcpy(path, e->path);
  json_t *at = root;
  char *part = path;
  for (char *slash; (slash = strchr(part, '/')); part = slash + 1) {
    *slash = 0;
    at = json_is_array(at) ? json_array_get(at, (size_t)atoi(part)) : json_object_get(at, part);
    assert_non_null(at);
  }
  json_t *value = e->value ? json_loads(e->value, JSON_DECODE_ANY, NULL) : NULL;
  if (!e->value)
    json_object_del(at, part);
  else if (json_is_array(at))
    json_array_set_new(at, (size_t)atoi(part), value);
  else
    json_object_set_new(at, part, value);
}

#define S "attributes/sequence_attributions/0/"
#define A S "attributes/"

static void test_hostile(void **state) {
  (void)state;
  static const edit edits[] = {
      {"__instance_type__", NULL, "without use_primitives"},
      {"__instance_type__/1", "\"FeatureAttributionStepOutput\"", "is not a FeatureAttributionOutput"},
      {"__instance_type__/0", "\"os\"", "is not a FeatureAttributionOutput"},
      {"attributes/info", "3", "no object \"info\""},
      {"attributes/sequence_attributions", "{}", "no array \"sequence_attributions\""},
      {"attributes/sequence_attributions/0", "null", "sequence 0: is no instance"},
      {S "__instance_type__/0", "\"os\"", "sequence 0: is no instance"},
      {S "__instance_type__/1", "\"system\"", "sequence 0: has the unknown class \"system\""},
      {A "target", "3", "sequence 0, target: is not an array"},
      {A "source/0", "\"He\"", "sequence 0, source: a token is no TokenWithId"},
      {A "source/0/attributes/id", "2147483648", "sequence 0, source: a token is no TokenWithId"},
      {A "source/0/attributes/id", "\"1\"", "sequence 0, source: a token is no TokenWithId"},
      {A "source/0/attributes/token", "1", "sequence 0, source: a token has no text"},
      {A "attr_pos_start", "-1", "are no range of 33 target tokens"},
      {A "attr_pos_end", "34", "are no range of 33 target tokens"},
      {A "attr_pos_end", "16", "are no range of 33 target tokens"},
      {A "attr_pos_end", "\"19\"", "are not integers"},
      {A "attr_pos_end", "20", "19 rows and 2 columns, expected 20 and 3"},
      {A "attr_pos_start", "16", "19 rows and 2 columns, expected 19 and 3"},
      {A "target", "[]", "are no range of 0 target tokens"},
      {A "target_attributions", "[1]", "sequence 0, target_attributions: is not a base64 string"},
      {A "target_attributions", "\"AAAA\"", "sequence 0, target_attributions: is 3 bytes long"},
      {A "step_scores", "[]", "sequence 0, step_scores: is not an object"},
      {A "step_scores", "{\"p\": 1}", "sequence 0, step_scores.p: is not a base64 string"},
      {A "sequence_scores", "{\"q\": \"x\"}", "sequence 0, sequence_scores.q: is not base64"},
  };
  json_t *root;
  ci_error err = {0};
  assert_int_equal(ci_json_read_file(SMALL, &root, &err), CI_OK);
  for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
    json_t *copy = json_deep_copy(root);
    apply(copy, &edits[i]);
    char *text = json_dumps(copy, 0);
    ci_result *result;
    ci_status status = ci_inseq_json_read("x.json", text, strlen(text), &result, &err);
    if (status != CI_EFILE) fail_msg("%s: status %d", edits[i].path, (int)status);
    assert_null(result);
    assert_string_equal(err.where, "x.json");
    if (!strstr(err.message, edits[i].message)) fail_msg("%s: %s: no %s", edits[i].path, err.message, edits[i].message);
    free(text);
    json_decref(copy);
  }
  json_decref(root);
}

/* Blobs of the right form whose shapes fit nothing: step scores of the wrong length, source unlike target. */
static void test_shapes(void **state) {
  (void)state;
  ci_error err = {0};
  ci_text text = {0};
  ci_result *result, *none;
  assert_int_equal(ci_result_load(SMALL, &result, &err), CI_OK);
  ci_sequence *s = &result->sequences[0];
  ci_free(s->step_scores);
  s->step_scores = ci_alloc_zeroed(1, sizeof *s->step_scores);
  s->step_scores_count = 1;
  s->step_scores[0].name = ci_duplicate("entropy");
  assert_int_equal(ci_array_create(&s->step_scores[0].values, 1, (const size_t[]){3}, &err), CI_OK);
  assert_int_equal(ci_inseq_json_write(result, NULL, &text, &err), CI_OK);
  assert_int_equal(ci_inseq_json_read("x", text.data, text.length, &none, &err), CI_EFILE);
  assert_non_null(strstr(err.message, "step_scores.entropy has 1 dimensions and 3 values, expected 1 and 2"));
  ci_text_free(&text);
  ci_array_free(&s->step_scores[0].values);
  assert_int_equal(ci_array_create(&s->step_scores[0].values, 1, (const size_t[]){2}, &err), CI_OK);
  assert_int_equal(ci_array_create(&s->source_attributions, 2, (const size_t[]){s->source_count, 2}, &err), CI_OK);
  assert_int_equal(ci_inseq_json_write(result, NULL, &text, &err), CI_OK);
  assert_int_equal(ci_inseq_json_read("x", text.data, text.length, &none, &err), CI_EFILE);
  assert_non_null(strstr(err.message, "differ in more than rows"));
  ci_text_free(&text);
  ci_result_close(result);
}

/* The nested token that Inseq writes and cannot load itself, and its null end, are taken. */
static void test_lenient(void **state) {
  (void)state;
  static const edit edits[] = {
      {A "attr_pos_end", "19", NULL},
      {A "source/0/attributes/token",
       "{\"__instance_type__\":[\"inseq.utils.typing\",\"TokenWithId\"],\"attributes\":{\"id\":1,\"token\":\"in\"}}",
       NULL},
      {A "step_scores", "null", NULL},
      {"attributes/step_attributions", "[]", NULL},
  };
  json_t *root;
  ci_error err = {0};
  assert_int_equal(ci_json_read_file(SMALL, &root, &err), CI_OK);
  for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) apply(root, &edits[i]);
  char *text = json_dumps(root, 0);
  ci_result *result;
  if (ci_inseq_json_read("x.json", text, strlen(text), &result, &err)) fail_msg("%s", err.message);
  assert_string_equal(result->sequences[0].source[0].token, "in");
  assert_int_equal(result->sequences[0].step_scores_count, 0);
  ci_result_close(result);
  free(text);
  json_decref(root);
}

static void test_no_json(void **state) {
  (void)state;
  ci_result *result;
  ci_error err = {0};
  assert_int_equal(ci_inseq_json_read("x", NULL, 0, &result, &err), CI_EFILE);
  assert_non_null(strstr(err.message, "is empty"));
  assert_int_equal(ci_inseq_json_read("x", "{\"a\": ", 6, &result, &err), CI_EFILE);
  assert_non_null(strstr(err.message, "not valid JSON"));
  assert_int_equal(ci_inseq_json_read("x", "[]", 2, &result, &err), CI_EFILE);
  assert_null(result);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trips), cmocka_unit_test(test_contents), cmocka_unit_test(test_layout),
      cmocka_unit_test(test_hostile),     cmocka_unit_test(test_shapes),   cmocka_unit_test(test_lenient),
      cmocka_unit_test(test_no_json),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
