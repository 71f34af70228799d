/* ci_generate against transformers 4.57.6: hundreds of combinations of options for a toy model (make_fixtures.py), and
 * the edges: limits, cancelling, branches, bad numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "toy.h"
#include <math.h>

static json_t *read_rows(const char *path) {
  json_t *rows;
  ci_error err;
  assert_int_equal(ci_json_read_file(path, &rows, &err), CI_OK);
  return rows;
}

static bool same_ids(const ci_generated *out, const json_t *ids) {
  if (json_array_size(ids) != out->count) return false;
  for (size_t i = 0; i < out->count; i++)
    if (json_integer_value(json_array_get(ids, i)) != out->ids[i]) return false;
  return true;
}

static bool branch_holds(const toy_model *toy, const ci_generated *out) {
  if (out->branch == -1) return true;
  size_t at = (size_t)(out->branch - toy->first);
  return out->branch >= toy->first && at < toy->living && toy->counts[at] + 1 == out->count &&
         memcmp(toy->ids[at], out->ids, toy->counts[at] * sizeof *out->ids) == 0;
}

/* True when the row gives what transformers gave. */
static bool replay(const json_t *row) {
  static toy_model toy;
  int32_t prefix[TOY_LENGTH];
  size_t count;
  ci_generation generation;
  ci_generated out = {0};
  ci_error err;
  const json_t *ids = json_object_get(row, "ids");
  ci_status status = toy_read(row, &toy, &generation, prefix, &count, &err);
  if (!status)
    status = toy_generate(&toy, &generation, prefix, count, json_is_true(json_object_get(row, "encoder_decoder")),
                          (size_t)json_integer_value(json_object_get(row, "positions")), &out, &err);
  bool good = json_is_null(ids) ? status == CI_EINVAL : !status && same_ids(&out, ids) && branch_holds(&toy, &out);
  if (!good) {
    char *text = json_dumps(row, JSON_COMPACT);
    print_error("%s\n  gave %s", text, status ? err.message : "");
    for (size_t i = 0; i < out.count; i++) print_error(" %d", out.ids[i]);
    print_error("\n");
    free(text);
  }
  ci_free(out.ids);
  ci_generation_free(&generation);
  return good;
}

static void ids_are_those_of_transformers(void **state) {
  (void)state;
  json_t *rows = read_rows(TEST_DATA "/generate/cases.json"), *row;
  size_t i, wrong = 0;
  assert_true(json_array_size(rows) > 700);
  json_array_foreach(rows, i, row) wrong += !replay(row);
  json_decref(rows);
  assert_int_equal(wrong, 0);
}

static ci_status run(const char *kwargs, const int32_t *prefix, size_t count, size_t positions, toy_model *toy,
                     ci_generated *out, ci_error *err) {
  ci_generation generation;
  json_t *json = json_loads(kwargs, 0, NULL);
  assert_non_null(json);
  *out = (ci_generated){0};
  ci_status status = ci_generation_read(NULL, NULL, json, "toy", &generation, err);
  if (!status) status = toy_generate(toy, &generation, prefix, count, false, positions, out, err);
  ci_generation_free(&generation);
  json_decref(json);
  return status;
}

static void positions_end_the_text(void **state) {
  (void)state;
  static toy_model toy = {.seed = 3, .vocabulary = 30, .bias_token = SIZE_MAX};
  const char *const kwargs[] = {"{\"max_new_tokens\": 100}", "{\"max_length\": 9000000000000000, \"num_beams\": 3}",
                                "{\"max_new_tokens\": 9000000000000000, \"do_sample\": true}"};
  int32_t prefix[] = {1, 2, 3};
  ci_generated out;
  ci_error err;
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(run(kwargs[i], prefix, 3, 17, &toy, &out, &err), CI_OK);
    assert_int_equal(out.count, 17);
    assert_int_equal(toy.done, 14);
    assert_int_equal(toy.total, 14);
    assert_true(branch_holds(&toy, &out) && out.branch >= 0);
    ci_free(out.ids);
  }
  assert_int_equal(run(kwargs[0], prefix, 3, 3, &toy, &out, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "3 positions"));
  assert_null(out.ids);
}

static void a_beam_that_finished_early_has_no_branch(void **state) {
  (void)state;
  static toy_model toy = {.seed = 4, .vocabulary = 20, .bias_token = 1, .bias = 9};
  int32_t prefix[] = {2, 3};
  ci_generated out;
  ci_error err;
  const char *kwargs = "{\"eos_token_id\": 1, \"num_beams\": 4, \"early_stopping\": \"never\", \"length_penalty\": -1,"
                       "\"max_new_tokens\": 30}";
  assert_int_equal(run(kwargs, prefix, 2, 0, &toy, &out, &err), CI_OK);
  assert_int_equal(out.ids[2], 1);
  assert_int_equal(out.count, 3);
  assert_true(toy.steps > 0 ? out.branch == -1 : out.branch == 5);
  ci_free(out.ids);
}

static void cancelling_stops(void **state) {
  (void)state;
  static toy_model toy = {.seed = 3, .vocabulary = 30, .bias_token = SIZE_MAX, .cancel_after = 4};
  int32_t prefix[] = {1};
  ci_generated out;
  ci_error err;
  assert_int_equal(run("{\"max_new_tokens\": 9}", prefix, 1, 0, &toy, &out, &err), CI_ECANCEL);
  assert_int_equal(toy.done, 4);
  assert_int_equal(run("{\"max_new_tokens\": 9, \"num_beams\": 3}", prefix, 1, 0, &toy, &out, &err), CI_ECANCEL);
  assert_int_equal(toy.done, 4);
  assert_null(out.ids);
}

static void bad_prefixes_and_numbers_are_refused(void **state) {
  (void)state;
  static toy_model toy = {.seed = 3, .vocabulary = 30, .bias_token = 2, .bias = NAN};
  int32_t prefix[] = {1, 30, -1};
  ci_generated out;
  ci_error err;
  const char *const kwargs[] = {"{}", "{\"num_beams\": 2}", "{\"do_sample\": true}"};
  for (size_t i = 0; i < 3; i++) {
    toy.bias = NAN;
    assert_int_equal(run(kwargs[i], prefix, 1, 0, &toy, &out, &err), CI_EMODEL);
    assert_non_null(strstr(err.message, "token 2 is NaN"));
    toy.bias = INFINITY;
    assert_int_equal(run(kwargs[i], prefix, 1, 0, &toy, &out, &err), CI_EMODEL);
  }
  assert_int_equal(run("{}", prefix, 2, 0, &toy, &out, &err), CI_EINVAL);
  assert_int_equal(run("{}", prefix + 2, 1, 0, &toy, &out, &err), CI_EINVAL);
  assert_int_equal(run("{}", prefix, 0, 0, &toy, &out, &err), CI_EINVAL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ids_are_those_of_transformers),
      cmocka_unit_test(positions_end_the_text),
      cmocka_unit_test(a_beam_that_finished_early_has_no_branch),
      cmocka_unit_test(cancelling_stops),
      cmocka_unit_test(bad_prefixes_and_numbers_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
