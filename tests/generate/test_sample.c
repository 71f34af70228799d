/* Sampling: the draws follow the distribution that transformers' processors leave, and a seed repeats itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "toy.h"
#include <math.h>

enum { DRAWS = 20000 };

static void draws_follow_the_probabilities(void **state) {
  (void)state;
  static toy_model toy;
  json_t *rows, *row;
  size_t i, count;
  ci_error err;
  int32_t prefix[TOY_LENGTH];
  assert_int_equal(ci_json_read_file(TEST_DATA "/generate/sampling.json", &rows, &err), CI_OK);
  assert_true(json_array_size(rows) >= 8);
  json_array_foreach(rows, i, row) {
    ci_generation generation;
    size_t drawn[64] = {0};
    assert_int_equal(toy_read(row, &toy, &generation, prefix, &count, &err), CI_OK);
    for (size_t n = 0; n < DRAWS; n++) {
      ci_generated out;
      generation.seed = (int64_t)n;
      assert_int_equal(toy_generate(&toy, &generation, prefix, count, false, 0, &out, &err), CI_OK);
      drawn[out.ids[count]]++;
      ci_free(out.ids);
    }
    const json_t *probabilities = json_object_get(row, "probabilities");
    for (size_t t = 0; t < toy.vocabulary; t++) {
      double p = json_number_value(json_array_get(probabilities, t)), found = (double)drawn[t] / DRAWS;
      assert_true(p > 0 || drawn[t] == 0);
      assert_true(fabs(found - p) <= 5 * sqrt(p * (1 - p) / DRAWS) + 1e-6);
    }
    ci_generation_free(&generation);
  }
  json_decref(rows);
}

static void a_seed_repeats_itself(void **state) {
  (void)state;
  static toy_model toy = {.seed = 8, .vocabulary = 40, .bias_token = SIZE_MAX};
  ci_generation generation;
  ci_generated out[3];
  ci_error err;
  int32_t prefix[] = {1, 2};
  json_t *kwargs = json_pack("{sbsi}", "do_sample", 1, "max_new_tokens", 30);
  assert_int_equal(ci_generation_read(NULL, NULL, kwargs, NULL, &generation, &err), CI_OK);
  for (int i = 0; i < 3; i++) {
    generation.seed = i == 2 ? 43 : 42;
    assert_int_equal(toy_generate(&toy, &generation, prefix, 2, false, 0, &out[i], &err), CI_OK);
    assert_int_equal(out[i].count, 32);
  }
  assert_memory_equal(out[0].ids, out[1].ids, 32 * sizeof(int32_t));
  assert_true(memcmp(out[0].ids, out[2].ids, 32 * sizeof(int32_t)) != 0);
  for (int i = 0; i < 3; i++) ci_free(out[i].ids);
  ci_generation_free(&generation);
  json_decref(kwargs);
}

static void no_token_left_is_an_error(void **state) {
  (void)state;
  static toy_model toy = {.seed = 8, .vocabulary = 3, .bias_token = SIZE_MAX};
  ci_generation generation;
  ci_generated out;
  ci_error err;
  int32_t prefix[] = {1};
  json_t *kwargs = json_pack("{sbs[iii]}", "do_sample", 1, "suppress_tokens", 0, 1, 2);
  assert_int_equal(ci_generation_read(NULL, NULL, kwargs, NULL, &generation, &err), CI_OK);
  assert_int_equal(toy_generate(&toy, &generation, prefix, 1, false, 0, &out, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "no token"));
  ci_generation_free(&generation);
  json_decref(kwargs);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(draws_follow_the_probabilities),
      cmocka_unit_test(a_seed_repeats_itself),
      cmocka_unit_test(no_token_left_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
