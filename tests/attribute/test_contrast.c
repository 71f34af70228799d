/* Contrasts from end to end on the embedded models: a contrast's scores are those that its own text has, whatever the
 * two share; completeness with every reading of the contrast; labels and errors. */
#include "aggregate/result.h"
#include "cinseq.h"
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static cinseq_model *models[2]; /* stories260K, zh-en-mini */

static int open_models(void **state) {
  (void)state;
  static const char *const names[] = {MODELS "/stories260K", MODELS "/zh-en-mini"};
  for (int i = 0; i < 2; i++)
    if (cinseq_model_open(names[i], NULL, NULL, &models[i], NULL)) return 1;
  return 0;
}

static int close_models(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) cinseq_model_close(models[i]);
  return 0;
}

static cinseq_result *attribute(int model, const char *request) {
  cinseq_error err = {0};
  cinseq_result *result;
  if (cinseq_attribute(models[model], request, NULL, &result, &err))
    fail_msg("%s: %s: %s", request, err.where, err.message);
  return result;
}

static void assert_near(double found, double expected, double tolerance) {
  if (!(fabs(found - expected) <= tolerance)) fail_msg("%.9g, expected %.9g", found, expected);
}

static const float *score(const cinseq_result *result, const char *name, size_t *count) {
  cinseq_array a = cinseq_sequence_scores(cinseq_result_sequence(result, 0), name);
  assert_non_null(a.data);
  *count = a.shape[0];
  return a.data;
}

typedef struct {
  int model;
  const char *text, *contrast; /* requests' members: the texts alone, and the contrast of the first */
} pair;

/* Sharing all, a part and nothing of the text; with memory for one row at a time. */
static const pair pairs[] = {
    {0, "\"input_texts\": [\"Once upon a time\"], \"generated_texts\": [\"Once upon a time there was a cat\"]",
     "\"input_texts\": [\"Once upon a time\"], \"generated_texts\": [\"Once upon a time there was a dog\"]"},
    {0, "\"input_texts\": [\"Once upon a time\"], \"generated_texts\": [\"Once upon a time there was a cat\"]",
     "\"input_texts\": [\"Once upon a time\"], \"generated_texts\": [\"Once upon a time, Lily saw a big red dog\"]"},
    {0, "\"input_texts\": [\"Once upon a time\"], \"generated_texts\": [\"Once upon a time there was a cat\"]",
     "\"input_texts\": [\"Lily and Tom\"], \"generated_texts\": [\"Lily and Tom saw a big red dog\"]"},
    {1, "\"input_texts\": [\"我很开心。\"], \"generated_texts\": [\"I am very happy.\"]",
     "\"input_texts\": [\"我很开心。\"], \"generated_texts\": [\"I am very sad.\"]"},
    {1, "\"input_texts\": [\"我很开心。\"], \"generated_texts\": [\"I am very happy.\"]",
     "\"input_texts\": [\"他在这里。\"], \"generated_texts\": [\"He is here.\"]"},
};

/* The request for text number i against its contrast, with more members. */
static char *against(const pair *p, const char *more) {
  char *text = NULL;
  json_error_t problem;
  json_t *other = json_loads("{}", 0, &problem), *request;
  char *whole = malloc(2000);
  snprintf(whole, 2000, "{%s}", p->contrast);
  json_decref(other);
  other = json_loads(whole, 0, &problem);
  snprintf(whole, 2000, "{%s}", p->text);
  request = json_loads(whole, 0, &problem);
  json_t *kwargs = json_pack("{s:O}", "contrast_targets", json_object_get(other, "generated_texts"));
  if (p->model == 1) json_object_set(kwargs, "contrast_sources", json_object_get(other, "input_texts"));
  json_object_set_new(request, "attribution_kwargs", kwargs);
  json_t *extra = json_loads(more, 0, &problem), *value;
  const char *key;
  json_object_foreach(extra, key, value) {
    if (strcmp(key, "attribution_kwargs") == 0)
      json_object_update(kwargs, value);
    else
      json_object_set(request, key, value);
  }
  text = json_dumps(request, 0);
  json_decref(request);
  json_decref(other);
  json_decref(extra);
  free(whole);
  return text;
}

/* contrast_prob aligned from the right is the probability that the other text's tokens have in it. */
static void a_contrast_has_the_scores_of_its_own_text(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    char alone[2000];
    snprintf(alone, sizeof alone, "{%s, \"step_scores\": [\"probability\", \"logit\"]}", pairs[i].contrast);
    cinseq_result *own = attribute(pairs[i].model, alone);
    static const char *const options[] = {
        "{\"step_scores\": [\"contrast_prob\", \"contrast_logits\", \"pcxmi\"]}",
        "{\"step_scores\": [\"contrast_prob\", \"contrast_logits\"], \"attribution_method\": "
        "\"occlusion\", \"memory_budget\": \"64M\", \"threads\": 1}"};
    for (int o = 0; o < 2; o++) {
      char *request = against(&pairs[i], options[o]);
      cinseq_result *result = attribute(pairs[i].model, request);
      size_t n, m;
      const float *p = score(own, "probability", &n), *z = score(own, "logit", &n);
      const float *q = score(result, "contrast_prob", &m), *c = score(result, "contrast_logits", &m);
      for (size_t k = 0; k < n && k < m; k++) {
        if (fabsf(q[m - 1 - k] - p[n - 1 - k]) > 1e-5f)
          fail_msg("pair %zu, %zu from the right: %g, alone %g", i, k, (double)q[m - 1 - k], (double)p[n - 1 - k]);
        assert_true(fabsf(c[m - 1 - k] - z[n - 1 - k]) <= 1e-4f);
      }
      cinseq_result_close(result);
      free(request);
    }
    cinseq_result_close(own);
  }
}

static double value_of(const pair *p, const char *fn, const char *kwargs, size_t t) {
  char more[400];
  snprintf(more, sizeof more, "{\"step_scores\": [\"%s\"], \"attribution_kwargs\": %s}", fn, kwargs);
  char *request = against(p, more);
  cinseq_result *result = attribute(p->model, request);
  size_t n;
  double value = (double)score(result, fn, &n)[t];
  cinseq_result_close(result);
  free(request);
  return value;
}

/* Gradients of a difference are the difference of gradients, under integrated gradients too; the contrast's own text is
 * a constant. */
static void gradients_are_those_of_what_is_contrasted(void **state) {
  (void)state;
  static const char *const methods[] = {"saliency", "integrated_gradients"};
  const pair *p = &pairs[0]; /* the texts share all that predicts the last token */
  for (int m = 0; m < 2; m++) {
    const float *data[4];
    cinseq_result *results[4];
    static const char *const fn[4] = {"contrast_logits_diff", "logit", "contrast_logits", "contrast_logits_diff"};
    for (int i = 0; i < 4; i++) {
      char more[400];
      snprintf(more, sizeof more,
               "{\"attribution_method\": \"%s\", \"attributed_fn\": \"%s\", \"attr_pos_start\": -1, \"step_scores\": "
               "[\"contrast_prob\"], "
               "\"attribution_kwargs\": {%s}}",
               methods[m], fn[i],
               i == 3   ? "\"contrast_force_inputs\": true"
               : m == 0 ? "\"abs\": false"
                        : "\"n_steps\": 8");
      if (i == 3) snprintf(strstr(more, "true}}"), 60, "true, %s}}", m == 0 ? "\"abs\": false" : "\"n_steps\": 8");
      char *request = against(p, more);
      results[i] = attribute(p->model, request);
      data[i] = cinseq_sequence_attributions(cinseq_result_sequence(results[i], 0), CINSEQ_TARGET).data;
      free(request);
    }
    cinseq_array a = cinseq_sequence_attributions(cinseq_result_sequence(results[0], 0), CINSEQ_TARGET);
    size_t size = a.shape[0] * a.shape[1] * a.shape[2];
    double largest = 0;
    for (size_t k = 0; k < size; k++) largest = isnan(data[0][k]) ? largest : fmax(largest, (double)fabsf(data[0][k]));
    assert_true(largest > 1e-4);
    for (size_t k = 0; k < size; k++) {
      if (isnan(data[0][k])) continue;
      assert_true(fabs((double)data[0][k] - ((double)data[1][k] - (double)data[2][k])) <= 1e-4 * largest);
      assert_true(fabs((double)data[3][k] - (double)data[1][k]) <=
                  1e-4 * largest); /* only the text's own logit moves */
    }
    for (int i = 0; i < 4; i++) cinseq_result_close(results[i]);
  }
}

/* With contrast_force_inputs the contrast is a constant also where both texts are predicted by the same row: at the
 * first token that differs, and all before. */
static void a_forced_contrast_is_constant_where_texts_are_shared(void **state) {
  (void)state;
  static const char *const methods[] = {"{\"abs\": false%s}", "{\"n_steps\": 8%s}"};
  const pair *p = &pairs[3];
  for (int m = 0; m < 2; m++) {
    cinseq_result *results[2];
    for (int i = 0; i < 2; i++) {
      char kwargs[200], more[400];
      snprintf(kwargs, sizeof kwargs, methods[m], i ? ", \"contrast_force_inputs\": true" : "");
      snprintf(more, sizeof more,
               "{\"attribution_method\": \"%s\", \"attributed_fn\": \"%s\", \"step_scores\": "
               "[\"contrast_prob\"], \"attribution_kwargs\": %s}",
               m ? "integrated_gradients" : "saliency", i ? "contrast_logits_diff" : "logit", kwargs);
      char *request = against(p, more);
      results[i] = attribute(p->model, request);
      free(request);
    }
    cinseq_array x = cinseq_sequence_attributions(cinseq_result_sequence(results[0], 0), CINSEQ_SOURCE);
    cinseq_array y = cinseq_sequence_attributions(cinseq_result_sequence(results[1], 0), CINSEQ_SOURCE);
    size_t size = x.shape[0] * x.shape[1] * x.shape[2];
    double largest = 0;
    for (size_t k = 0; k < size; k++) largest = fmax(largest, (double)fabsf(x.data[k]));
    assert_true(largest > 1e-4);
    for (size_t k = 0; k < size; k++) assert_near((double)y.data[k], (double)x.data[k], 1e-5 * largest);
    for (int i = 0; i < 2; i++) cinseq_result_close(results[i]);
  }
}

/* KL, PCXMI and PVI against their definitions on the two texts' own scores, at the one token where they can be
 * compared. */
static void scores_of_two_texts(void **state) {
  (void)state;
  const pair *p = &pairs[4];
  size_t last = 0;
  char *request = against(p, "{\"step_scores\": [\"probability\", \"contrast_prob\"]}");
  cinseq_result *result = attribute(p->model, request);
  double own = (double)score(result, "probability", &last)[last - 1];
  double other = value_of(p, "contrast_prob", "{}", last - 1);
  assert_near(value_of(p, "pcxmi", "{}", last - 1), -log2(own / other), 1e-4);
  assert_near(value_of(p, "in_context_pvi", "{}", last - 1), log(other / own), 1e-4);
  assert_near(value_of(p, "contrast_prob_diff", "{}", last - 1), own - other, 1e-6);
  double whole = value_of(p, "kl_divergence", "{}", 1), some = value_of(p, "kl_divergence", "{\"top_k\": 20}", 1);
  assert_true(whole > 0 && some > 0 && fabs(whole - some) > 1e-4);
  assert_near(value_of(p, "kl_divergence", "{\"top_k\": 1}", 1), 0, 1e-7); /* one token: no distribution */
  cinseq_result_close(result);
  free(request);
}

static void labels_and_info(void **state) {
  (void)state;
  char *request = against(
      &pairs[0],
      "{\"step_scores\": [\"contrast_prob\"], \"attribution_kwargs\": {\"contrast_targets_alignments\": \"auto\"}}");
  cinseq_result *result = attribute(0, request);
  const cinseq_sequence *s = cinseq_result_sequence(result, 0);
  size_t last = cinseq_sequence_token_count(s, CINSEQ_TARGET) - 1, start, end;
  int32_t id;
  const char *label = cinseq_sequence_token(s, CINSEQ_TARGET, last, &id);
  assert_non_null(strstr(label, " → "));
  assert_int_equal(id, -1);
  cinseq_sequence_range(s, &start, &end);
  char *info = cinseq_result_info(result);
  json_t *o = json_loads(info, 0, NULL);
  const json_t *found =
      json_array_get(json_object_get(json_object_get(o, "step_scores_args"), "contrast_targets_alignments"), 0);
  assert_int_equal(json_array_size(found), end - start);
  assert_int_equal(json_integer_value(json_array_get(json_array_get(found, 0), 0)), start);
  json_decref(o);
  cinseq_free(info);
  cinseq_result_close(result);
  free(request);
}

static void wrong_contrasts_are_explained(void **state) {
  (void)state;
  static const struct {
    int model;
    const char *kwargs, *where, *message;
  } cases[] = {
      {0, "{\"contrast_sources\": \"x\"}", "contrast_sources", "encoder-decoder"},
      {0, "{\"contrast_targets\": [\"x\", \"y\"]}", "contrast_targets", "2 for 1"},
      {0, "{\"contrast_targets\": \"\"}", "contrast_targets", "no token that is predicted"},
      {0, "{\"contrast_targets\": \"Once upon\", \"contrast_targets_alignments\": [[1, 99]]}",
       "contrast_targets_alignments", "99"},
      {0, "{\"contrast_targets_alignments\": [[1, 1]]}", "contrast_targets_alignments", "without contrast_targets"},
      {0, "{\"contrast_target\": \"x\"}", "attribution_kwargs", "contrast_targets"},
      {1, "{\"contrast_sources\": [\"\"]}", "contrast_sources", "no tokens"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char request[1000];
    snprintf(
        request, sizeof request,
        "{\"input_texts\": [\"Once\"], \"generated_texts\": [\"Once upon a\"], \"step_scores\": [\"contrast_prob\"], "
        "\"skip_special_tokens\": %s, \"attribution_kwargs\": %s}",
        cases[i].model ? "true" : "false", cases[i].kwargs);
    cinseq_error err = {0};
    cinseq_result *result;
    int status = cinseq_attribute(models[cases[i].model], request, NULL, &result, &err);
    if (status != CINSEQ_EINVAL || strcmp(err.where, cases[i].where) != 0 || !strstr(err.message, cases[i].message))
      fail_msg("%s: status %d, \"%s: %s\"", request, status, err.where, err.message);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_contrast_has_the_scores_of_its_own_text),
                                     cmocka_unit_test(gradients_are_those_of_what_is_contrasted),
                                     cmocka_unit_test(a_forced_contrast_is_constant_where_texts_are_shared),
                                     cmocka_unit_test(scores_of_two_texts),
                                     cmocka_unit_test(labels_and_info),
                                     cmocka_unit_test(wrong_contrasts_are_explained)};
  return cmocka_run_group_tests(tests, open_models, close_models);
}
