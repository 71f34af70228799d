/* Step attributions that the real Inseq saved are the columns of its sequences; they come back equal, and hostile edits of
 * them are refused with a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/file.h"
#include "base/memory.h"
#include "output/output.h"
#include <stdlib.h>
#include <string.h>

static const char BATCH[] = TEST_DATA "/results/marian_steps.json"; /* two texts of three steps in one batch */
static const char ATTENTION[] = TEST_DATA "/results/marian_attention_steps.json";

static ci_result *load(const char *path) {
  ci_result *result;
  ci_error err = {0};
  if (ci_result_load(path, &result, &err)) fail_msg("%s: %s", err.where, err.message);
  return result;
}

static void assert_same_array(const ci_array *a, const ci_array *b) {
  assert_int_equal(a->data != NULL, b->data != NULL);
  if (!a->data) return;
  assert_int_equal(a->rank, b->rank);
  for (int i = 0; i < a->rank; i++) assert_int_equal(a->shape[i], b->shape[i]);
  assert_memory_equal(a->data, b->data, ci_array_size(a) * sizeof *a->data);
}

static void assert_same_named(const ci_named_array *a, size_t a_count, const ci_named_array *b, size_t b_count) {
  assert_int_equal(a_count, b_count);
  for (size_t i = 0; i < a_count; i++) {
    size_t k = 0;
    while (k < b_count && strcmp(a[i].name, b[k].name) != 0) k++;
    assert_true(k < b_count);
    assert_same_array(&a[i].values, &b[k].values);
  }
}

static void assert_same_step(const ci_sequence *a, const ci_sequence *b) {
  assert_int_equal(a->kind, b->kind);
  assert_int_equal(a->n_dimensions, b->n_dimensions);
  assert_int_equal(a->source_count, b->source_count);
  for (size_t i = 0; i < a->source_count; i++) assert_string_equal(a->source[i].token, b->source[i].token);
  assert_int_equal(a->target_count, b->target_count);
  for (size_t i = 0; i < a->target_count; i++) assert_int_equal(a->target[i].id, b->target[i].id);
  assert_true(a->attr_pos_start == b->attr_pos_start && a->attr_pos_end == b->attr_pos_end);
  assert_same_array(&a->source_attributions, &b->source_attributions);
  assert_same_array(&a->target_attributions, &b->target_attributions);
  assert_same_named(a->step_scores, a->step_scores_count, b->step_scores, b->step_scores_count);
}

/* The steps of a loaded result, made from its sequences. */
static ci_result *remake(const char *path) {
  ci_result *result = load(path);
  ci_error err = {0};
  for (size_t i = 0; i < result->step_count; i++) ci_sequence_free(&result->steps[i]);
  ci_free(result->steps);
  result->steps = NULL;
  result->step_count = 0;
  assert_int_equal(ci_result_add_steps(result, &err), CI_OK);
  return result;
}

static void steps_are_columns(void **state) {
  (void)state;
  ci_result *theirs = load(BATCH), *ours = remake(BATCH);
  assert_int_equal(theirs->step_count, 6);
  assert_int_equal(ours->step_count, 6);
  for (size_t text = 0; text < 2; text++)
    for (size_t step = 0; step < 3; step++)
      assert_same_step(&theirs->steps[step * 2 + text], &ours->steps[text * 3 + step]);
  assert_int_equal(ours->steps[1].target_attributions.shape[0], 2);
  ci_result_close(theirs);
  ci_result_close(ours);
  theirs = load(ATTENTION);
  ours = remake(ATTENTION);
  assert_int_equal(theirs->step_count, 2);
  assert_int_equal(theirs->steps[0].n_dimensions, 2);
  for (size_t step = 0; step < 2; step++) assert_same_step(&theirs->steps[step], &ours->steps[step]);
  assert_int_equal(theirs->steps[0].sequence_scores_count, 2); /* the same in every step of Inseq's */
  assert_true(ours->steps[0].sequence_scores_count == 2 && ours->steps[1].sequence_scores_count == 0);
  ci_result_close(theirs);
  ci_result_close(ours);
}

static void they_come_back(void **state) {
  (void)state;
  const char *const files[] = {BATCH, ATTENTION};
  for (size_t f = 0; f < 2; f++) {
    ci_result *result = load(files[f]), *again;
    ci_text text = {0}, twice = {0};
    ci_error err = {0};
    assert_int_equal(ci_inseq_json_write(result, NULL, &text, &err), CI_OK);
    assert_int_equal(ci_inseq_json_read("again", text.data, text.length, &again, &err), CI_OK);
    assert_int_equal(again->step_count, result->step_count);
    for (size_t i = 0; i < again->step_count; i++) {
      const ci_sequence *a = &result->steps[i], *b = &again->steps[i];
      assert_same_step(a, b);
      assert_same_named(a->sequence_scores, a->sequence_scores_count, b->sequence_scores, b->sequence_scores_count);
    }
    assert_int_equal(ci_inseq_json_write(again, NULL, &twice, &err), CI_OK);
    assert_string_equal(text.data, twice.data);
    ci_text_free(&text);
    ci_text_free(&twice);
    ci_result_close(result);
    ci_result_close(again);
  }
}

/* Aggregation is of the sequences. */
static void aggregation_leaves_them(void **state) {
  (void)state;
  ci_result *result = load(BATCH), *aggregated;
  ci_error err = {0};
  assert_int_equal(ci_result_aggregate(result, NULL, NULL, &aggregated, &err), CI_OK);
  assert_int_equal(aggregated->sequences[0].source_attributions.rank, 2);
  assert_int_equal(aggregated->step_count, 6);
  for (size_t i = 0; i < 6; i++) assert_same_step(&result->steps[i], &aggregated->steps[i]);
  ci_result_close(aggregated);
  ci_result_close(result);
}

/* What replaces a member of the first step. */
static void hostile_steps_are_refused(void **state) {
  (void)state;
  static const char ARRAY[] = "{\"dtype\":\"float32\",\"shape\":[%s],\"__ndarray__\":\"b64:%s\"}";
  static const struct {
    const char *member, *json, *shape, *message; /* shape: of an array of two or four zeros */
  } rows[] = {
      {"prefix", "null", NULL, "step 0, prefix: is no step"},
      {"prefix", "[]", NULL, "step 0, prefix: is no step"},
      {"prefix", "[1, 2]", NULL, "step 0, target: is not one token"},
      {"target", "[[], []]", NULL, "step 0, target: is not one token"},
      {"target", "null", NULL, "step 0, target: is not one token"},
      {"source", "[[]]", NULL, "step 0, "},
      {"source", "3", NULL, "step 0, source"},
      {"source", "null", NULL, "source_attributions: has not a row for each token"},
      {"source_attributions", "3", NULL, "source_attributions: is no array"},
      {"source_attributions", ARRAY, "2,1", "source_attributions: has not a row for each token"},
      {"source_attributions", ARRAY, "1,2", "has not a member for each text"},
      {"source_attributions", ARRAY, "2", "has not a member for each text"},
      {"source_attributions", ARRAY, "", "another size"},
      {"target_attributions", ARRAY, "2,1,0", "another size"},
      {"step_scores", "{\"a\": null}", NULL, "step_scores: has not a value"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    json_t *root, *value;
    ci_result *result;
    ci_error err = {0};
    char json[256];
    snprintf(json, sizeof json, rows[i].json, rows[i].shape, "AAAAAAAAAAA=");
    assert_int_equal(ci_json_read_file(BATCH, &root, &err), CI_OK);
    json_t *steps = json_object_get(json_object_get(root, "attributes"), "step_attributions");
    json_t *attributes = json_object_get(json_array_get(steps, 0), "attributes");
    value = json_loads(json, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    json_object_set_new(attributes, rows[i].member, value);
    char *text = json_dumps(root, 0);
    assert_int_equal(ci_inseq_json_read("x.json", text, strlen(text), &result, &err), CI_EFILE);
    if (!strstr(err.message, rows[i].message)) fail_msg("%s %s: %s", rows[i].member, json, err.message);
    assert_null(result);
    free(text);
    json_decref(root);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(steps_are_columns), cmocka_unit_test(they_come_back),
                                     cmocka_unit_test(aggregation_leaves_them),
                                     cmocka_unit_test(hostile_steps_are_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
