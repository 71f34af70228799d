/* The default aggregation against what the real Inseq made of the same files; pipelines; the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "aggregate/aggregator.h"

/* Walks the nested lists of a table and the array together; null is NaN. */
static size_t compare(const json_t *table, const ci_array *array, size_t at) {
  if (json_is_array(table)) {
    for (size_t i = 0; i < json_array_size(table); i++) at = compare(json_array_get(table, i), array, at);
    return at;
  }
  assert_true(at < ci_array_size(array));
  if (json_is_null(table))
    assert_true(isnan(array->data[at]));
  else
    assert_true(fabs(array->data[at] - json_number_value(table)) < 1e-6);
  return at + 1;
}

static void check_array(const json_t *table, const ci_array *array) {
  if (json_is_null(table)) {
    assert_null(array->data);
    return;
  }
  assert_non_null(array->data);
  assert_int_equal(compare(table, array, 0), ci_array_size(array));
}

static void check_named(const json_t *tables, const ci_named_array *arrays, size_t count) {
  assert_int_equal(json_object_size(tables), count);
  for (size_t i = 0; i < count; i++) check_array(json_object_get(tables, arrays[i].name), &arrays[i].values);
}

static void check_file(const char *name) {
  char path[512];
  ci_error err = {0};
  ci_result *result;
  json_t *tables;
  snprintf(path, sizeof path, TEST_DATA "/results/%s.json", name);
  if (ci_result_load(path, &result, &err)) fail_msg("%s: %s", err.where, err.message);
  snprintf(path, sizeof path, TEST_DATA "/results/%s.tables.json", name);
  assert_int_equal(ci_json_read_file(path, &tables, &err), CI_OK);
  const json_t *sequences = json_object_get(tables, "sequences");
  assert_int_equal(json_array_size(sequences), result->count);
  for (size_t i = 0; i < result->count; i++) {
    ci_sequence out, again;
    const json_t *wanted = json_array_get(sequences, i);
    assert_int_equal(ci_sequence_aggregate(&result->sequences[i], NULL, NULL, NULL, &out, &err), CI_OK);
    check_array(json_object_get(wanted, "source_attributions"), &out.source_attributions);
    check_array(json_object_get(wanted, "target_attributions"), &out.target_attributions);
    check_named(json_object_get(wanted, "step_scores"), out.step_scores, out.step_scores_count);
    check_named(json_object_get(wanted, "sequence_scores"), out.sequence_scores, out.sequence_scores_count);
    assert_int_equal(out.target_count, json_array_size(json_object_get(wanted, "target")));
    /* What is aggregated stays as it is. */
    assert_int_equal(ci_sequence_aggregate(&out, NULL, NULL, NULL, &again, &err), CI_OK);
    check_array(json_object_get(wanted, "target_attributions"), &again.target_attributions);
    ci_sequence_free(&again);
    ci_sequence_free(&out);
  }
  json_decref(tables);
  ci_result_close(result);
}

static void test_inseq_tables(void **state) {
  (void)state;
  check_file("gpt2_saliency_positions");
  check_file("marian_occlusion_target");
  check_file("marian_attention");
}

static void test_dimensions_left(void **state) {
  (void)state;
  ci_sequence s = {.kind = CI_GRANULAR}, out;
  ci_error err = {0};
  assert_int_equal(ci_array_create(&s.target_attributions, 4, (const size_t[]){2, 1, 2, 2}, &err), CI_OK);
  assert_int_equal(ci_sequence_aggregate(&s, NULL, NULL, NULL, &out, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "4 dimensions"));
  s.kind = CI_COARSE;
  assert_int_equal(ci_sequence_aggregate(&s, NULL, NULL, NULL, &out, &err), CI_EINVAL);
  ci_array_free(&s.target_attributions);
}

static void test_pipeline(void **state) {
  (void)state;
  ci_sequence s = {.kind = CI_PLAIN}, out;
  ci_error err = {0};
  assert_int_equal(ci_array_create(&s.target_attributions, 3, (const size_t[]){1, 1, 2}, &err), CI_OK);
  s.target_attributions.data[0] = 3;
  s.target_attributions.data[1] = -4;
  json_t *raw = json_pack("{s:b}", "normalize", 0);
  const ci_aggregate_stage stages[] = {{"scores", "absmax", NULL}, {"scores", "max", NULL}, {"nothing", NULL, NULL}};
  assert_int_equal(ci_sequence_pipeline(&s, NULL, stages, 2, raw, &out, &err), CI_OK);
  assert_true(out.target_attributions.rank == 1 && out.target_attributions.data[0] == -4);
  ci_sequence_free(&out);
  assert_int_equal(ci_sequence_pipeline(&s, NULL, stages, 3, raw, &out, &err), CI_EINVAL);
  assert_string_equal(err.where, "nothing");
  assert_null(out.target_attributions.data);
  json_decref(raw);
  ci_array_free(&s.target_attributions);
}

/* By the names of functions and aggregators: what is left must be tokens by tokens. */
static void test_names(void **state) {
  (void)state;
  ci_sequence s = {.kind = CI_GRANULAR}, out;
  ci_error err = {0};
  assert_int_equal(ci_array_create(&s.target_attributions, 3, (const size_t[]){2, 1, 2}, &err), CI_OK);
  const float data[] = {3, -4, 1, 2};
  memcpy(s.target_attributions.data, data, sizeof data);
  static const struct {
    const char *name;
    double first, second; /* of magnitudes that sum to 1 */
  } rows[] = {
      {"sum", -0.25, 0.75}, {"mean", -0.25, 0.75}, {"scores", 0.6909830, 0.3090170}, {"vnorm", 0.6909830, 0.3090170}, {"absmax", -2.0 / 3, 1.0 / 3}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    json_t *names = json_pack("[s]", rows[i].name);
    assert_int_equal(ci_sequence_aggregate(&s, NULL, names, NULL, &out, &err), CI_OK);
    assert_float_equal(out.target_attributions.data[0], rows[i].first, 1e-6);
    assert_float_equal(out.target_attributions.data[1], rows[i].second, 1e-6);
    ci_sequence_free(&out);
    json_decref(names);
  }
  json_t *twice = json_pack("[s, s]", "mean", "mean"), *wrong = json_pack("[s]", "meen");
  assert_int_equal(ci_sequence_aggregate(&s, NULL, twice, NULL, &out, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "3 dimensions"));
  assert_null(out.target_attributions.data);
  assert_int_equal(ci_sequence_aggregate(&s, NULL, wrong, NULL, &out, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "did you mean \"mean\""));
  assert_int_equal(ci_aggregators_check(twice, NULL, &err), CI_OK);
  assert_int_equal(ci_aggregators_check(wrong, NULL, &err), CI_EINVAL);
  json_decref(twice);
  json_decref(wrong);
  ci_array_free(&s.target_attributions);
}

static void test_table(void **state) {
  (void)state;
  size_t count;
  const ci_aggregator *rows = ci_aggregators(&count);
  assert_true(count >= 1);
  for (size_t i = 0; i < count; i++) assert_ptr_equal(ci_aggregator_find(rows[i].id), &rows[i]);
  assert_non_null(ci_aggregator_find("scores"));
  assert_null(ci_aggregator_find("nothing"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_inseq_tables), cmocka_unit_test(test_dimensions_left), cmocka_unit_test(test_pipeline),
      cmocka_unit_test(test_names),        cmocka_unit_test(test_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
