/* The aggregator `scores` on small arrays whose result can be worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "aggregate/aggregator.h"

static void fill(ci_array *array, int rank, const size_t *shape, const float *values) {
  ci_error err = {0};
  assert_int_equal(ci_array_create(array, rank, shape, &err), CI_OK);
  memcpy(array->data, values, ci_array_size(array) * sizeof *values);
}

static void expect(const ci_array *array, const float *wanted) {
  for (size_t i = 0; i < ci_array_size(array); i++)
    if (isnan(wanted[i]) ? !isnan(array->data[i]) : !(fabsf(array->data[i] - wanted[i]) < 1e-6f))
      fail_msg("value %zu is %g, expected %g", i, (double)array->data[i], (double)wanted[i]);
}

static void free_arrays(ci_sequence *s) {
  ci_array_free(&s->source_attributions);
  ci_array_free(&s->target_attributions);
}

/* A column sums to 1 over source and target together; NaN stays NaN and counts nothing; a zero column stays zero. */
static void test_joint(void **state) {
  (void)state;
  ci_sequence s = {.kind = CI_GRANULAR}, out;
  fill(&s.source_attributions, 3, (const size_t[]){2, 3, 2}, (const float[]){3, 4, 0, 0, 0, 2, 0, 0, 0, 0, 6, 8});
  fill(&s.target_attributions, 3, (const size_t[]){2, 3, 2}, (const float[]){0, 5, 0, 0, 8, 0, NAN, NAN, 0, 0, NAN, 1});
  ci_error err = {0};
  assert_int_equal(ci_scores_aggregate(&s, NULL, "vnorm", NULL, &out, &err), CI_OK);
  assert_true(out.source_attributions.rank == 2 && out.source_attributions.shape[1] == 3);
  expect(&out.source_attributions, (const float[]){0.5f, 0, 0.1f, 0, 0, 0.5f});
  expect(&out.target_attributions, (const float[]){0.5f, 0, 0.4f, NAN, 0, NAN});
  ci_sequence_free(&out);
  free_arrays(&s);
}

/* Signs are kept: the magnitudes sum to 1. Without a function it is the mean, but the norm for gradient methods. */
static void test_signs_and_raw(void **state) {
  (void)state;
  ci_sequence s = {.kind = CI_PLAIN}, out;
  fill(&s.target_attributions, 3, (const size_t[]){2, 1, 2}, (const float[]){-1, -5, 1, 1});
  ci_error err = {0};
  assert_int_equal(ci_scores_aggregate(&s, NULL, NULL, NULL, &out, &err), CI_OK);
  expect(&out.target_attributions, (const float[]){-0.75f, 0.25f});
  assert_null(out.source_attributions.data);
  ci_sequence_free(&out);
  s.kind = CI_GRANULAR;
  assert_int_equal(ci_scores_aggregate(&s, NULL, NULL, NULL, &out, &err), CI_OK);
  const float first = sqrtf(26) / (sqrtf(26) + sqrtf(2));
  expect(&out.target_attributions, (const float[]){first, 1 - first});
  ci_sequence_free(&out);
  json_t *arguments = json_pack("{s:b, s:s}", "normalize", 0, "of_another", "ignored");
  assert_int_equal(ci_scores_aggregate(&s, NULL, "sum", arguments, &out, &err), CI_OK);
  expect(&out.target_attributions, (const float[]){-6, 2});
  ci_sequence_free(&out);
  json_decref(arguments);
  free_arrays(&s);
}

/* Heads first, normalised layer by layer, then layers: another order gives other numbers. */
static void test_layers(void **state) {
  (void)state;
  ci_sequence s = {.kind = CI_MULTIDIMENSIONAL, .n_dimensions = 2}, out;
  fill(&s.target_attributions, 4, (const size_t[]){2, 1, 2, 2}, (const float[]){1, 3, 2, 2, 3, 3, 10, 14});
  ci_error err = {0};
  assert_int_equal(ci_sequence_aggregate(&s, NULL, NULL, NULL, &out, &err), CI_OK);
  /* heads: rows (2, 2) and (3, 12); by column of a layer: (2/5, 2/14), (3/5, 12/14) */
  expect(&out.target_attributions, (const float[]){(0.4f + 1.0f / 7) / 2, (0.6f + 6.0f / 7) / 2});
  ci_sequence_free(&out);
  free_arrays(&s);
}

static void test_failures(void **state) {
  (void)state;
  ci_sequence s = {.kind = CI_GRANULAR}, out;
  ci_error err = {0};
  const float zeros[8] = {0};
  fill(&s.source_attributions, 3, (const size_t[]){1, 2, 2}, zeros);
  fill(&s.target_attributions, 3, (const size_t[]){1, 3, 2}, zeros);
  assert_int_equal(ci_scores_aggregate(&s, NULL, "median", NULL, &out, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "median"));
  assert_int_equal(ci_scores_aggregate(&s, NULL, "sum", NULL, &out, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "columns"));
  assert_null(out.source_attributions.data);
  free_arrays(&s);
  fill(&s.target_attributions, 3, (const size_t[]){1, 2, 0}, zeros);
  assert_int_equal(ci_scores_aggregate(&s, NULL, "sum", NULL, &out, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "empty"));
  free_arrays(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_joint),
      cmocka_unit_test(test_signs_and_raw),
      cmocka_unit_test(test_layers),
      cmocka_unit_test(test_failures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
