/* Attributions through the public header, for tests of methods. */
#ifndef CI_TESTS_ATTRIBUTED_H
#define CI_TESTS_ATTRIBUTED_H
#include "aggregate/result.h"
#include "cinseq.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static inline cinseq_model *attributed_model(const char *name) {
  cinseq_error err = {0};
  cinseq_model *model = NULL;
  if (cinseq_model_open(name, NULL, NULL, &model, &err)) fail_msg("%s: %s", err.where, err.message);
  return model;
}

/* keys: further members of the request, "\"key\": value, " each; kwargs: attribution_kwargs, an object. */
static inline int attributed_try(cinseq_model *model, const char *method, const char *keys, const char *kwargs,
                                 cinseq_result **result, cinseq_error *err) {
  char request[2048];
  snprintf(request, sizeof request, "{%s\"attribution_method\": \"%s\", \"attribution_kwargs\": %s}", keys, method,
           kwargs);
  *result = NULL;
  return cinseq_attribute(model, request, NULL, result, err);
}

static inline cinseq_result *attributed_by(cinseq_model *model, const char *method, const char *keys,
                                           const char *kwargs) {
  cinseq_error err = {0};
  cinseq_result *result;
  if (attributed_try(model, method, keys, kwargs, &result, &err))
    fail_msg("%s %s: %s: %s", method, kwargs, err.where, err.message);
  return result;
}

/* The request fails, and the error's place and message have these in them. */
static inline void attributed_fails(cinseq_model *model, const char *method, const char *keys, const char *kwargs,
                                    const char *where, const char *message) {
  cinseq_error err = {0};
  cinseq_result *result;
  int status = attributed_try(model, method, keys, kwargs, &result, &err);
  if (status != CINSEQ_EINVAL || !strstr(err.where, where) || !strstr(err.message, message))
    fail_msg("%s %s: status %d, \"%s: %s\"", method, kwargs, status, err.where, err.message);
  assert_null(result);
}

static inline const ci_array *attributed_array(const cinseq_result *result, cinseq_side side) {
  const ci_sequence *s = &result->sequences[0];
  return side == CINSEQ_SOURCE ? &s->source_attributions : &s->target_attributions;
}

static inline const ci_array *attributed_sequence_score(const cinseq_result *result, const char *name) {
  const ci_sequence *s = &result->sequences[0];
  for (size_t i = 0; i < s->sequence_scores_count; i++)
    if (strcmp(s->sequence_scores[i].name, name) == 0) return &s->sequence_scores[i].values;
  return NULL;
}

/* The largest difference of two arrays over the largest score; NaN must stand at the same places. */
static inline double attributed_apart(const ci_array *x, const ci_array *y) {
  double most = 0, peak = 0;
  size_t n = ci_array_size(x);
  assert_int_equal(n, ci_array_size(y));
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(isnan(x->data[i]), isnan(y->data[i]));
    if (isnan(x->data[i])) continue;
    most = fmax(most, fabs((double)x->data[i] - (double)y->data[i]));
    peak = fmax(peak, fabs((double)x->data[i]));
  }
  return most / peak;
}

/* Texts of the embedded models. */
#define STORY                                                                                                          \
  "\"input_texts\": [\"Once upon a time\"], \"generated_texts\": [\"Once upon a time there was a little girl\"], "
#define SENTENCE "\"input_texts\": [\"我很开心。\"], \"generated_texts\": [\"I am very happy.\"], "

#endif
