/* One step function on logits that the caller brings. */
#include "api/c_locale.h"
#include "base/json.h"
#include "base/memory.h"
#include "scores/score.h"
#include "cinseq.h"
#include <string.h>

static ci_status check_prediction(const float *logits, int32_t target, size_t vocabulary, const char *where,
                                  ci_error *err) {
  if (!logits || !vocabulary) return ci_fail(err, CI_EINVAL, where, "has no logits");
  if (target < 0 || (size_t)target >= vocabulary)
    return ci_fail(err, CI_EINVAL, where, "target %d is none of %zu tokens", (int)target, vocabulary);
  return CI_OK;
}

static ci_score_input input_of(const cinseq_prediction *p, float *scratch) {
  ci_score_input in = {.logits = p->logits,
                       .vocabulary = p->vocabulary,
                       .target = p->target,
                       .position = p->position,
                       .kernels = ci_kernels_best()};
  ci_score_prepare(&in, scratch);
  return in;
}

/* scratch: [vocabulary]; the slope itself where that is wanted, as everywhere. */
static void compute(const ci_score *score, const void *options, const cinseq_prediction *p, float *scratch,
                    double *value, float *slope) {
  cinseq_prediction other = {.logits = p->contrast_logits, .vocabulary = p->vocabulary, .target = p->contrast_target};
  ci_score_contrast contrast = {.logits = other.logits, .target = other.target};
  if (other.logits) contrast.log_sum = input_of(&other, scratch).log_sum;
  ci_score_input in = input_of(p, scratch);
  in.contrast = contrast;
  *value = score->value(&in, options);
  if (!slope) return;
  in = input_of(p, slope);
  in.contrast = contrast;
  score->gradient(&in, options, slope);
}

static ci_status check(const ci_score *score, const cinseq_prediction *p, bool slope, ci_error *err) {
  ci_status status = check_prediction(p->logits, p->target, p->vocabulary, "prediction", err);
  if (status) return status;
  if (slope && !score->gradient) return ci_fail(err, CI_EINVAL, "id", "\"%s\" has no gradient", score->id);
  if (score->passes)
    return ci_fail(err, CI_EINVAL, "id", "\"%s\" is of several passes over a text, not of one prediction", score->id);
  return score->contrastive ? check_prediction(p->contrast_logits, p->contrast_target, p->vocabulary, "contrast", err)
                            : CI_OK;
}

int cinseq_score_value(const char *id, const char *options_json, const cinseq_prediction *prediction, double *value,
                       float *slope, cinseq_error *err) {
  static const ci_option none[] = {CI_OPTIONS_END};
  const ci_score *score = NULL;
  json_t *object = NULL, *keep = json_array();
  void *options = NULL;
  float *scratch = NULL;
  locale_t before = ci_locale_enter();
  ci_status status = keep ? ci_score_named(id, "id", &score, err) : ci_fail_memory(err);
  if (!status) status = check(score, prediction, slope != NULL, err);
  if (!status && options_json) status = ci_json_parse("options", options_json, strlen(options_json), &object, err);
  if (!status) {
    options = ci_alloc_zeroed(1, score->options_size ? score->options_size : 1);
    scratch = ci_alloc(prediction->vocabulary, sizeof *scratch);
    if (!options || !scratch) status = ci_fail_memory(err);
  }
  if (!status && score->preset) memcpy(options, score->preset, score->options_size);
  if (!status)
    status = ci_options_parse(score->options ? score->options : none, "options", object, options, keep, NULL, err);
  if (!status && score->check) status = score->check(options, false, "options", err);
  if (!status) compute(score, options, prediction, scratch, value, slope);
  ci_free(scratch);
  ci_free(options);
  json_decref(object);
  json_decref(keep);
  ci_locale_leave(before);
  if (status == CI_EFILE && err) err->code = CI_EINVAL; /* the options' text is the caller's, no file's */
  return status == CI_EFILE ? CI_EINVAL : (int)status;
}
