/* Saving and loading by path; the table of outputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "output/output.h"

static void test_save_and_load(void **state) {
  (void)state;
  char folder[] = "/tmp/cinseq-outputs-XXXXXX", path[64];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/r.json", folder);
  ci_result *result, *again;
  ci_error err = {0};
  assert_int_equal(ci_result_load(TEST_DATA "/results/marian_occlusion_target.json", &result, &err), CI_OK);
  assert_int_equal(ci_result_save(result, path, NULL, &err), CI_OK);
  assert_int_equal(ci_result_save(result, path, NULL, &err), CI_OK); /* over the old file */
  assert_int_equal(ci_result_load(path, &again, &err), CI_OK);
  assert_true(json_equal(result->info, again->info));
  const ci_array *a = &result->sequences[0].source_attributions, *b = &again->sequences[0].source_attributions;
  assert_int_equal(ci_array_size(a), ci_array_size(b));
  assert_memory_equal(a->data, b->data, ci_array_size(a) * sizeof *a->data);
  ci_result_close(again);
  ci_result_close(result);
  unlink(path);
  assert_int_equal(rmdir(folder), 0); /* nothing else was left beside it */
}

static void test_failures(void **state) {
  (void)state;
  ci_result *result;
  ci_error err = {0};
  assert_int_equal(ci_result_load("/nowhere/r.json", &result, &err), CI_EFILE);
  assert_string_equal(err.where, "/nowhere/r.json");
  assert_null(result);
  result = ci_result_create(0);
  assert_int_equal(ci_result_save(result, "/nowhere/r.json", NULL, &err), CI_EFILE);
  assert_string_equal(err.where, "/nowhere/r.json");
  ci_result_close(result);
}

static void test_table(void **state) {
  (void)state;
  size_t count;
  const ci_output *rows = ci_outputs(&count);
  for (size_t i = 0; i < count; i++) assert_ptr_equal(ci_output_find(rows[i].id), &rows[i]);
  assert_non_null(ci_output_find("json"));
  assert_null(ci_output_find("nothing"));
  const ci_output *row;
  ci_error err = {0};
  assert_int_equal(ci_output_named("json", &row, &err), CI_OK);
  assert_string_equal(row->id, "json");
  assert_int_equal(ci_output_named("htlm", &row, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "did you mean \"html\""));
  assert_null(row);
}

/* Every output writes every kind of result; those that draw do not need it aggregated. */
static void test_render(void **state) {
  (void)state;
  static const char *const files[] = {"gpt2_saliency_positions", "marian_occlusion_target", "marian_attention"};
  size_t count;
  const ci_output *rows = ci_outputs(&count);
  for (size_t f = 0; f < 3; f++) {
    char path[512];
    ci_result *result;
    ci_error err = {0};
    snprintf(path, sizeof path, TEST_DATA "/results/%s.json", files[f]);
    assert_int_equal(ci_result_load(path, &result, &err), CI_OK);
    for (size_t i = 0; i < count; i++) {
      ci_show_options options = {.color = "none"};
      ci_text text = {0};
      if (ci_output_render(&rows[i], result, &options, &text, &err))
        fail_msg("%s %s: %s", rows[i].id, files[f], err.message);
      assert_true(text.length > 300 && ci_utf8_valid(text.data, text.length));
      ci_text_free(&text);
    }
    ci_result_close(result);
  }
}

/* A file is saved aggregated when aggregators are named. */
static void test_render_aggregated(void **state) {
  (void)state;
  ci_result *result, *again;
  ci_show_options options;
  ci_text text = {0};
  ci_error err = {0};
  assert_int_equal(ci_result_load(TEST_DATA "/results/marian_attention.json", &result, &err), CI_OK);
  const char *json = "{\"attribution_aggregators\": [\"mean\", \"max\"], \"normalize\": false}";
  assert_int_equal(ci_show_options_read(json, &options, &err), CI_OK);
  assert_int_equal(ci_output_render(ci_output_find("json"), result, &options, &text, &err), CI_OK);
  assert_int_equal(ci_inseq_json_read("again", text.data, text.length, &again, &err), CI_OK);
  const ci_array *raw = &result->sequences[0].source_attributions, *two = &again->sequences[0].source_attributions;
  assert_true(raw->rank == 4 && two->rank == 2 && two->shape[0] == raw->shape[0] && two->shape[1] == raw->shape[1]);
  size_t layers = raw->shape[2], heads = raw->shape[3];
  for (size_t i = 0; i < ci_array_size(two); i++) { /* mean over heads, then the largest layer */
    double largest = -1;
    for (size_t l = 0; l < layers; l++) {
      double sum = 0;
      for (size_t h = 0; h < heads; h++) sum += raw->data[(i * layers + l) * heads + h];
      if (sum / (double)heads > largest) largest = sum / (double)heads;
    }
    assert_float_equal(two->data[i], largest, 1e-6);
  }
  ci_text_free(&text);
  ci_show_options_free(&options);
  ci_result_close(again);
  ci_result_close(result);
}

static void test_show_options(void **state) {
  (void)state;
  static const struct {
    const char *json, *expected;
  } bad[] = {
      {"{", "not valid JSON"},
      {"[]", "expected a JSON object"},
      {"{\"clean_token\": true}", "did you mean \"clean_tokens\""},
      {"{\"normalise\": true}", "did you mean \"normalize\""},
      {"{\"normalize\": 1}", "expected true or false"},
      {"{\"attribution_aggregators\": [\"vnrm\"]}", "did you mean \"vnorm\""},
      {"{\"attribution_aggregators\": [\"score\"]}", "did you mean \"scores\""},
      {"{\"attribution_aggregators\": [\"something else\"]}", "one of scores"},
  };
  ci_show_options options;
  ci_error err = {0};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(ci_show_options_read(bad[i].json, &options, &err), CI_EINVAL);
    if (!strstr(err.message, bad[i].expected)) fail_msg("%s: %s", bad[i].json, err.message);
    ci_show_options_free(&options);
  }
  assert_int_equal(ci_show_options_read(NULL, &options, &err), CI_OK);
  assert_true(!options.aggregators && !options.clean_tokens && options.width == 0);
  ci_show_options_free(&options);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_save_and_load),
      cmocka_unit_test(test_failures),
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_render),
      cmocka_unit_test(test_render_aggregated),
      cmocka_unit_test(test_show_options),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
