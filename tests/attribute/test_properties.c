/* What methods promise in their rows: completeness, conservation, sparsity. Each that a row declares is tested here, of
 * every method, on both embedded models. */
#include "attribute/method.h"
#include "support/attributed.h"
#include <stdlib.h>

typedef struct {
  const char *model, *text;
  cinseq_side side; /* that is attributed */
} setting;
static const setting settings[] = {{"stories260K", STORY, CINSEQ_TARGET}, {"zh-en-mini", SENTENCE, CINSEQ_SOURCE}};
enum { SETTINGS = sizeof settings / sizeof *settings };

/* The step score of a result by its name. */
static const float *step_score(const cinseq_result *result, const char *name) {
  const ci_sequence *s = &result->sequences[0];
  for (size_t i = 0; i < s->step_scores_count; i++)
    if (strcmp(s->step_scores[i].name, name) == 0) return s->step_scores[i].values.data;
  fail_msg("no step score %s", name);
  return NULL;
}

/* |sum - (f(x) - f(x'))| is below 1 % of the difference, which the deltas and the sums tell, and another seed or none.
 */
static void is_complete(const ci_method *method, const setting *s) {
  char arguments[256];
  snprintf(arguments, sizeof arguments, "%.*s, \"return_convergence_delta\": true}",
           (int)strlen(method->complete_with) - 1, method->complete_with);
  cinseq_model *model = attributed_model(s->model);
  cinseq_result *result = attributed_by(model, method->id, s->text, arguments);
  const ci_array *x = attributed_array(result, s->side);
  const float *deltas = step_score(result, "deltas");
  size_t targets = x->shape[1], width = x->shape[2];
  for (size_t t = 0; t < targets; t++) {
    double sum = 0;
    for (size_t r = 0; r < x->shape[0]; r++)
      for (size_t i = 0; i < width; i++) {
        float v = x->data[(r * targets + t) * width + i];
        sum += isnan(v) ? 0 : (double)v;
      }
    double difference = sum - (double)deltas[t];
    if (fabs((double)deltas[t]) > 0.01 * fmax(fabs(difference), 1e-6))
      fail_msg("%s, %s, step %zu: sum %g, difference %g", method->id, s->model, t + 1, sum, difference);
    assert_true(fabs(difference) > 1e-4); /* else the test proves nothing */
  }
  cinseq_result_close(result);
  cinseq_model_close(model);
}

static void conserves(const ci_method *method, const setting *s) {
  cinseq_model *model = attributed_model(s->model);
  cinseq_result *result = attributed_by(model, method->id, s->text, "{}");
  const ci_array *x = attributed_array(result, s->side);
  size_t cells = ci_array_size(x) / x->shape[0];
  for (size_t c = 0; c < cells; c++) {
    double sum = 0;
    for (size_t r = 0; r < x->shape[0]; r++) {
      float v = x->data[r * cells + c];
      assert_true(isnan(v) || v >= 0);
      sum += isnan(v) ? 0 : (double)v;
    }
    if (fabs(sum - 1) > 1e-4) fail_msg("%s, %s: a column adds up to %g", method->id, s->model, sum);
  }
  cinseq_result_close(result);
  cinseq_model_close(model);
}

/* zh-en-mini's source ends with </s>, which the baseline keeps. */
static void is_sparse(const ci_method *method) {
  cinseq_model *model = attributed_model("zh-en-mini");
  cinseq_result *result = attributed_by(model, method->id, SENTENCE, "{}");
  const ci_array *x = attributed_array(result, CINSEQ_SOURCE);
  size_t cells = ci_array_size(x) / x->shape[0], last = x->shape[0] - 1;
  double others = 0;
  for (size_t c = 0; c < cells; c++) {
    if (x->data[last * cells + c] != 0) fail_msg("%s: </s> has %g", method->id, (double)x->data[last * cells + c]);
    others += fabs((double)x->data[c]);
  }
  assert_true(others > 0);
  cinseq_result_close(result);
  cinseq_model_close(model);
}

static void methods_keep_their_promises(void **state) {
  (void)state;
  const ci_method *method;
  size_t complete = 0, conserving = 0, sparse = 0;
  for (size_t i = 0; (method = ci_method_at(i)) != NULL; i++) {
    for (size_t s = 0; s < SETTINGS; s++) {
      if (method->complete_with) is_complete(method, &settings[s]);
      if (method->conserves) conserves(method, &settings[s]);
    }
    if (method->sparse) is_sparse(method);
    complete += method->complete_with != NULL;
    conserving += method->conserves;
    sparse += method->sparse;
  }
  assert_true(complete >= 1 && conserving >= 2 && sparse >= 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(methods_keep_their_promises)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
