/* Step functions of the caller, through the public header: a copy of a row gives the row's numbers, with one thread and
 * with more; what cannot be attributed or is named wrongly is refused. */
#include "aggregate/result.h"
#include "cinseq.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define TEXTS "\"input_texts\": [\"Once upon a time\"], \"generated_texts\": [\"Once upon a time there was a cat\"]"

static cinseq_model *model;

static int open_model(void **state) {
  (void)state;
  return cinseq_model_open(MODELS "/stories260K", NULL, NULL, &model, NULL);
}

static int close_model(void **state) {
  (void)state;
  cinseq_model_close(model);
  return 0;
}

/* factor ln p[y] */
static double log_probability(void *context, const cinseq_prediction *p) {
  double sum = 0, top = (double)p->logits[p->target];
  for (size_t i = 0; i < p->vocabulary; i++) sum += exp((double)p->logits[i] - top);
  return -*(const double *)context * log(sum);
}

static void log_probability_gradient(void *context, const cinseq_prediction *p, float *slope) {
  double sum = 0, top = (double)p->logits[p->target];
  for (size_t i = 0; i < p->vocabulary; i++) sum += exp((double)p->logits[i] - top);
  for (size_t i = 0; i < p->vocabulary; i++)
    slope[i] += (float)(*(const double *)context * (((int32_t)i == p->target) - exp((double)p->logits[i] - top) / sum));
}

static double position(void *context, const cinseq_prediction *p) {
  (void)context;
  return (double)p->position;
}

static double one = 1, minus = -1;
static const cinseq_score scores[] = {{"log_probability", log_probability, log_probability_gradient, &one, 0},
                                      {"minus", log_probability, log_probability_gradient, &minus, 0},
                                      {"position", position, NULL, NULL, 0}};
enum { SCORES = sizeof scores / sizeof *scores };

static cinseq_result *attribute(const char *request) {
  cinseq_error err = {0};
  cinseq_result *result;
  if (cinseq_attribute_with(model, request, scores, SCORES, NULL, &result, &err))
    fail_msg("%s: %s: %s", request, err.where, err.message);
  return result;
}

static void a_copy_gives_the_same(void **state) {
  (void)state;
  static const char *const methods[] = {"saliency", "integrated_gradients", "occlusion"};
  for (int m = 0; m < 3; m++)
    for (int threads = 1; threads <= 2; threads++) {
      char request[600];
      cinseq_array a[2];
      cinseq_result *results[2];
      for (int i = 0; i < 2; i++) {
        snprintf(request, sizeof request,
                 "{" TEXTS ", \"threads\": %d, \"attribution_method\": \"%s\", \"attributed_fn\": \"%s\", "
                 "\"step_scores\": [\"crossentropy\", "
                 "\"minus\", \"position\"]}",
                 threads, methods[m], i ? "log_probability" : "crossentropy");
        results[i] = attribute(request);
        a[i] = cinseq_sequence_attributions(cinseq_result_sequence(results[i], 0), CINSEQ_TARGET);
      }
      size_t size = a[0].shape[0] * a[0].shape[1] * (a[0].rank > 2 ? a[0].shape[2] : 1), start, end;
      double largest = 0;
      for (size_t i = 0; i < size; i++)
        largest = isnan(a[0].data[i]) ? largest : fmax(largest, fabs((double)a[0].data[i]));
      for (size_t i = 0; i < size; i++)
        if (!isnan(a[0].data[i]) && fabs(fabs((double)a[0].data[i]) - fabs((double)a[1].data[i])) > 1e-4 * largest)
          fail_msg("%s: score %zu is %g, the row's %g", methods[m], i, (double)a[1].data[i], (double)a[0].data[i]);
      const cinseq_sequence *s = cinseq_result_sequence(results[1], 0);
      cinseq_sequence_range(s, &start, &end);
      for (size_t t = 0; t < end - start; t++) {
        assert_true(fabsf(cinseq_sequence_scores(s, "minus").data[t] -
                          cinseq_sequence_scores(s, "crossentropy").data[t]) < 1e-4f);
        assert_true((size_t)cinseq_sequence_scores(s, "position").data[t] == start + t);
      }
      for (int i = 0; i < 2; i++) cinseq_result_close(results[i]);
    }
}

/* ln p[y] - ln p[y'], which is a row's too. */
static double log_odds(void *context, const cinseq_prediction *p) {
  const cinseq_prediction other = {
      .logits = p->contrast_logits, .vocabulary = p->vocabulary, .target = p->contrast_target};
  assert_non_null(p->contrast_logits);
  return log_probability(context, p) - log_probability(context, &other);
}

static void log_odds_gradient(void *context, const cinseq_prediction *p, float *slope) {
  (void)context;
  assert_ptr_equal(p->contrast_logits, p->logits);
  slope[p->target] += 1;
  slope[p->contrast_target] -= 1;
}

static void a_contrastive_copy_gives_the_same(void **state) {
  (void)state;
  static const cinseq_score own[] = {{"log_odds", log_odds, log_odds_gradient, &one, 1}};
  cinseq_array made[2], steps[2];
  cinseq_result *results[2];
  for (int i = 0; i < 2; i++) {
    const char *name = i ? "log_odds" : "contrast_prob_diff";
    char request[600];
    cinseq_error err = {0};
    snprintf(request, sizeof request,
             "{" TEXTS ", \"attributed_fn\": \"%s\", \"step_scores\": [\"%s\"], \"attribution_kwargs\": "
             "{%s\"contrast_targets\": \"Once upon a "
             "day there was a dog\"}}",
             name, name, i ? "" : "\"logprob\": true, ");
    if (cinseq_attribute_with(model, request, own, 1, NULL, &results[i], &err))
      fail_msg("%s: %s: %s", name, err.where, err.message);
    made[i] = cinseq_sequence_attributions(cinseq_result_sequence(results[i], 0), CINSEQ_TARGET);
    steps[i] = cinseq_sequence_scores(cinseq_result_sequence(results[i], 0), name);
  }
  double largest = 0;
  for (size_t i = 0; i < steps[0].shape[0]; i++) assert_true(fabsf(steps[0].data[i] - steps[1].data[i]) < 1e-3f);
  size_t size = made[0].shape[0] * made[0].shape[1] * made[0].shape[2];
  for (size_t i = 0; i < size; i++)
    largest = isnan(made[0].data[i]) ? largest : fmax(largest, fabs((double)made[0].data[i]));
  assert_true(largest > 0);
  for (size_t i = 0; i < size; i++)
    assert_true(isnan(made[0].data[i]) || fabs((double)(made[0].data[i] - made[1].data[i])) < 1e-4 * largest);
  for (int i = 0; i < 2; i++) cinseq_result_close(results[i]);
}

static void wrong_scores_are_refused(void **state) {
  (void)state;
  static const struct {
    cinseq_score score;
    const char *request, *where, *message;
  } cases[] = {
      {{"", position, NULL, NULL, 0}, "{" TEXTS "}", "scores", "no name"},
      {{"mine", NULL, NULL, NULL, 0}, "{" TEXTS "}", "scores", "no function"},
      {{"mine", position, NULL, NULL, 0}, "{" TEXTS ", \"attributed_fn\": \"mine\"}", "attributed_fn", "no gradient"},
      {{"mine", position, NULL, NULL, 0}, "{" TEXTS ", \"step_scores\": [\"yours\"]}", "step_scores", "yours"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cinseq_error err = {0};
    cinseq_result *result;
    assert_int_equal(cinseq_attribute_with(model, cases[i].request, &cases[i].score, 1, NULL, &result, &err),
                     CINSEQ_EINVAL);
    if (strcmp(err.where, cases[i].where) != 0 || !strstr(err.message, cases[i].message))
      fail_msg("%zu: %s: %s", i, err.where, err.message);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_copy_gives_the_same),
                                     cmocka_unit_test(a_contrastive_copy_gives_the_same),
                                     cmocka_unit_test(wrong_scores_are_refused)};
  return cmocka_run_group_tests(tests, open_model, close_model);
}
