/* Passes with dropout from end to end: at a rate of 0 they are the text, no thread, block or other text of the request
 * changes them, the seed is in the result, and what cannot be had is an error that says why. */
#include "support/attributed.h"
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

static cinseq_model *open_with(const char *name, const char *model_kwargs) {
  cinseq_error err = {0};
  cinseq_model *model = NULL;
  char options[256];
  snprintf(options, sizeof options, "{\"model_kwargs\": %s}", model_kwargs);
  if (cinseq_model_open(name, options, NULL, &model, &err)) fail_msg("%s: %s", err.where, err.message);
  return model;
}

#define PASSES "\"step_scores\": [\"probability\", \"mc_dropout_prob_avg\"], "

static const ci_array *step_score(const cinseq_result *result, size_t text, const char *name) {
  const ci_sequence *s = &result->sequences[text];
  for (size_t i = 0; i < s->step_scores_count; i++)
    if (strcmp(s->step_scores[i].name, name) == 0) return &s->step_scores[i].values;
  fail_msg("no step score %s", name);
  return NULL;
}

static void without_dropout_they_are_the_text(void **state) {
  (void)state;
  cinseq_model *model = open_with(MODELS "/zh-en-mini", "{\"dropout\": 0, \"activation_dropout\": 0}");
  cinseq_result *result =
      attributed_by(model, "attention", SENTENCE PASSES, "{\"statistic\": \"mean\", \"n_mcd_steps\": 3}");
  const ci_array *p = step_score(result, 0, "probability"), *mean = step_score(result, 0, "mc_dropout_prob_avg");
  for (size_t i = 0; i < p->shape[0]; i++)
    if (!(fabsf(p->data[i] - mean->data[i]) <= 1e-6f * p->data[i]))
      fail_msg("step %zu: %.9g, expected %.9g", i, (double)mean->data[i], (double)p->data[i]);
  size_t steps = p->shape[0];
  cinseq_result_close(result);
  attributed_fails(model, "saliency", SENTENCE "\"attributed_fn\": \"mc_dropout_prob_avg\", ", "{}", "attributed_fn",
                   "has no dropout");
  result = attributed_by(model, "attention", SENTENCE PASSES, "{}");
  for (size_t i = 0; i < steps; i++) assert_true(isnan(step_score(result, 0, "mc_dropout_prob_avg")->data[i]));
  cinseq_result_close(result);
  cinseq_model_close(model);
}

/* A rate goes to 0: so does the difference to the text, by about the rate's root. */
static void small_rates_are_near_the_text(void **state) {
  (void)state;
  double before = INFINITY;
  static const char *const rates[] = {"{\"dropout\": 0.1, \"activation_dropout\": 0}",
                                      "{\"dropout\": 0.001, \"activation_dropout\": 0}",
                                      "{\"dropout\": 0.00001, \"activation_dropout\": 0}"};
  for (size_t r = 0; r < 3; r++) {
    cinseq_model *model = open_with(MODELS "/zh-en-mini", rates[r]);
    cinseq_result *result =
        attributed_by(model, "attention", SENTENCE PASSES, "{\"statistic\": \"std\", \"n_mcd_steps\": 24}");
    const ci_array *deviation = step_score(result, 0, "mc_dropout_prob_avg");
    double most = 0;
    for (size_t i = 0; i < deviation->shape[0]; i++) most = fmax(most, (double)deviation->data[i]);
    assert_true(most < before / 3);
    before = most;
    cinseq_result_close(result);
    cinseq_model_close(model);
  }
}

static void cuts_and_companions_change_nothing(void **state) {
  (void)state;
  cinseq_model *model = attributed_model(MODELS "/zh-en-mini");
  static const char *const runs[] = {"\"threads\": 1, ", "\"threads\": 2, ", "\"memory_budget\": \"1M\", ",
                                     "\"target_block\": 1, "};
  cinseq_result *alone = attributed_by(model, "saliency", SENTENCE PASSES, "{\"seed\": 4}");
  for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
    char keys[512];
    snprintf(keys, sizeof keys, "%s%s%s", SENTENCE, PASSES, runs[i]);
    cinseq_result *other = attributed_by(model, "saliency", keys, "{\"seed\": 4}");
    assert_true(attributed_apart(step_score(other, 0, "mc_dropout_prob_avg"),
                                 step_score(alone, 0, "mc_dropout_prob_avg")) < 1e-4);
    cinseq_result_close(other);
  }
  cinseq_result *two = attributed_by(model, "saliency",
                                     "\"input_texts\": [\"他在这里。\", \"我很开心。\"], "
                                     "\"generated_texts\": [\"He is here.\", \"I am very happy.\"], " PASSES,
                                     "{\"seed\": 4}");
  assert_true(attributed_apart(step_score(two, 1, "mc_dropout_prob_avg"), step_score(alone, 0, "mc_dropout_prob_avg")) <
              1e-5);
  cinseq_result_close(two);
  cinseq_result *other = attributed_by(model, "saliency", SENTENCE PASSES, "{\"seed\": 5}");
  assert_true(attributed_apart(step_score(other, 0, "mc_dropout_prob_avg"),
                               step_score(alone, 0, "mc_dropout_prob_avg")) > 1e-2);
  cinseq_result_close(other);
  cinseq_result_close(alone);
  cinseq_model_close(model);
}

/* The request's seed is that of the method, of scores and of the text, unless one of them has its own. */
static void one_seed_is_for_all_that_draws(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("stories260K");
  static const char *const kwargs[] = {"{}",
                                       "{\"attribution_args\": {\"seed\": 5}, \"step_scores_args\": {\"seed\": 6}}"};
  for (int own = 0; own < 2; own++) {
    cinseq_result *result = attributed_by(model, "gradient_shap",
                                          "\"input_texts\": [\"Once\"], \"generation_kwargs\": {\"do_sample\": true, "
                                          "\"max_new_tokens\": 3}, \"seed\": 4, "
                                          "\"step_scores\": [\"mc_dropout_prob_avg\"], ",
                                          kwargs[own]);
    static const char *const groups[] = {"attribution_args", "step_scores_args", "generation_args"};
    const int expected[2][3] = {{4, 4, 4}, {5, 6, 4}};
    for (int i = 0; i < 3; i++)
      assert_int_equal(json_integer_value(json_object_get(json_object_get(result->info, groups[i]), "seed")),
                       expected[own][i]);
    cinseq_result_close(result);
  }
  attributed_fails(model, "saliency", STORY, "{\"seed\": 4}", "attribution_kwargs", "is an option of gradient_shap");
  cinseq_result *plain = attributed_by(model, "saliency", STORY "\"seed\": 4, ", "{}");
  assert_null(json_object_get(json_object_get(plain->info, "generation_args"), "seed")); /* nothing was drawn */
  cinseq_result_close(plain);
  cinseq_model_close(model);
}

static void the_seed_is_in_the_result(void **state) {
  (void)state;
  cinseq_model *model = attributed_model(MODELS "/zh-en-mini");
  cinseq_result *result = attributed_by(model, "attention", SENTENCE PASSES, "{}");
  assert_int_equal(json_integer_value(json_object_get(json_object_get(result->info, "step_scores_args"), "seed")), 0);
  assert_true(json_is_integer(json_object_get(json_object_get(result->info, "step_scores_args"), "seed")));
  cinseq_result_close(result);
  cinseq_model_close(model);
}

/* As attributed function: the slope of the probability over the deviation of passes, which are constants. */
static void attributed_they_scale_the_probability(void **state) {
  (void)state;
  cinseq_model *model = attributed_model(MODELS "/zh-en-mini");
  cinseq_result *plain = attributed_by(model, "input_x_gradient", SENTENCE, "{}");
  cinseq_result *passes =
      attributed_by(model, "input_x_gradient", SENTENCE "\"attributed_fn\": \"mc_dropout_prob_avg\", ", "{}");
  cinseq_result *deviation = attributed_by(model, "attention", SENTENCE PASSES, "{\"statistic\": \"std\"}");
  const ci_array *p = attributed_array(plain, CINSEQ_SOURCE), *z = attributed_array(passes, CINSEQ_SOURCE),
                 *s = step_score(deviation, 0, "mc_dropout_prob_avg");
  size_t targets = p->shape[1], width = p->shape[2];
  for (size_t i = 0; i < ci_array_size(p); i++) {
    double expected = (double)p->data[i] / (double)s->data[i / width % targets];
    if (!(fabs((double)z->data[i] - expected) <= 1e-4 * fabs(expected) + 1e-6))
      fail_msg("%.9g, expected %.9g", (double)z->data[i], expected);
  }
  cinseq_result_close(plain);
  cinseq_result_close(passes);
  cinseq_result_close(deviation);
  cinseq_model_close(model);
}

static void what_cannot_be_had_says_why(void **state) {
  (void)state;
  cinseq_model *model = open_with(GOLDEN_UNPACKED "/mixtral/model", "{\"router_jitter_noise\": 0.2}");
  cinseq_error err = {0};
  cinseq_result *result;
  assert_int_equal(attributed_try(model, "attention",
                                  "\"input_texts\": [\"a\"], \"generated_texts\": [\"a day\"], " PASSES, "{}", &result,
                                  &err),
                   CINSEQ_EMODEL);
  assert_non_null(strstr(err.message, "\"router_jitter_noise\" is 0.2: a pass with dropout does not know it"));
  cinseq_model_close(model);
  model = NULL;
  assert_int_equal(
      cinseq_model_open(MODELS "/zh-en-mini", "{\"model_kwargs\": {\"dropout\": 1.5}}", NULL, &model, &err),
      CINSEQ_EMODEL);
  assert_non_null(strstr(err.message, "\"dropout\": 1.5 is no probability"));
}

/* tests/golden/dropout_oracle.py: what transformers' models give in training. Both draw. */
static void means_are_those_of_transformers(void **state) {
  (void)state;
  enum { PASSES_HERE = 300 };
  json_t *references = json_load_file(TEST_DATA "/golden/dropout.json", 0, NULL), *reference;
  size_t number;
  assert_true(json_array_size(references) >= 3);
  json_array_foreach(references, number, reference) {
    char path[512], kwargs[128];
    const char *arch = json_string_value(json_object_get(reference, "arch"));
    char *model_kwargs = json_dumps(json_object_get(reference, "rates"), 0),
         *keys = json_dumps(json_object_get(reference, "request"), 0);
    snprintf(path, sizeof path, TEST_DATA "/golden/models/%s", arch);
    if (access(path, F_OK)) snprintf(path, sizeof path, GOLDEN_UNPACKED "/%s/model", arch);
    cinseq_model *model = open_with(path, model_kwargs);
    snprintf(kwargs, sizeof kwargs, "{\"statistic\": \"mean\", \"n_mcd_steps\": %d}", PASSES_HERE);
    char *request = calloc(1, strlen(keys) + 200);
    sprintf(request, "%.*s, %s", (int)strlen(keys) - 2, keys + 1, PASSES); /* without its braces */
    cinseq_result *result = attributed_by(model, "attention", request, kwargs);
    const ci_array *mean = step_score(result, 0, "mc_dropout_prob_avg");
    const json_t *means = json_object_get(reference, "mean"), *deviations = json_object_get(reference, "std");
    double theirs = json_number_value(json_object_get(reference, "passes"));
    assert_int_equal(mean->shape[0], json_array_size(means));
    for (size_t t = 0; t < mean->shape[0]; t++) {
      double m = json_number_value(json_array_get(means, t)), s = json_number_value(json_array_get(deviations, t));
      double error = s * sqrt(1 / theirs + 1.0 / PASSES_HERE);
      if (!(fabs((double)mean->data[t] - m) <= 5 * error))
        fail_msg("%s, step %zu: %.6g, expected %.6g within %.2g", arch, t, (double)mean->data[t], m, 5 * error);
    }
    cinseq_result_close(result);
    cinseq_model_close(model);
    free(request);
    free(keys);
    free(model_kwargs);
  }
  json_decref(references);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(without_dropout_they_are_the_text),  cmocka_unit_test(small_rates_are_near_the_text),
      cmocka_unit_test(cuts_and_companions_change_nothing), cmocka_unit_test(the_seed_is_in_the_result),
      cmocka_unit_test(one_seed_is_for_all_that_draws),     cmocka_unit_test(attributed_they_scale_the_probability),
      cmocka_unit_test(what_cannot_be_had_says_why),        cmocka_unit_test(means_are_those_of_transformers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
