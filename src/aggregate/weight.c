/* The aggregator `weight`: every column times a step score of its token. As in Inseq's weight_attributions, scores that
 * are not yet tokens by tokens are aggregated first, as suits the method: normalising them afterwards would undo it. */
#include "aggregate/aggregator.h"
#include "base/unknown.h"
#include <string.h>

typedef struct {
  const char *score;
} weight_options;

const ci_option ci_weight_options[] = {{"weight_by", NULL, CI_WORD, offsetof(weight_options, score), "null", 0, 0, NULL,
                                        "Step score that the columns are multiplied with."},
                                       CI_OPTIONS_END};

/* The step score of that name; without a name the only one. */
static ci_status find_score(const ci_sequence *s, const char *name, const ci_array **score, ci_error *err) {
  for (size_t i = 0; i < s->step_scores_count; i++)
    if (name ? strcmp(s->step_scores[i].name, name) == 0 : s->step_scores_count == 1)
      return *score = &s->step_scores[i].values, CI_OK;
  if (!name && !s->step_scores_count)
    return ci_fail(err, CI_EINVAL, "weight_by", "this result has no step scores: ask for one with step_scores");
  if (!name)
    return ci_fail(err, CI_EINVAL, "weight_by", "is needed: this result has %zu step scores", s->step_scores_count);
  const char *names[16];
  size_t count = 0;
  for (size_t i = 0; i < s->step_scores_count && count < sizeof names / sizeof *names; i++)
    names[count++] = s->step_scores[i].name;
  return ci_fail_unknown(err, "weight_by", "step score of this result", name, names, count);
}

static ci_status multiply(ci_array *scores, const ci_array *score, ci_error *err) {
  if (!scores->data || scores->rank < 2) return CI_OK;
  size_t columns = scores->shape[1];
  if (columns != ci_array_size(score))
    return ci_fail(err, CI_EINVAL, "weight_by", "%zu values for %zu columns", ci_array_size(score), columns);
  for (size_t i = 0; i < ci_array_size(scores); i++) scores->data[i] *= score->data[i % columns];
  return CI_OK;
}

/* selectors are of the pipeline that this is a stage of */
static ci_status reduce(const ci_sequence *sequence, const json_t *arguments, ci_sequence *out, ci_error *err) {
  json_t *own = arguments ? json_copy((json_t *)arguments) : json_object();
  if (!own) return ci_fail_memory(err);
  json_object_del(own, "attribution_selectors");
  ci_status status = ci_sequence_aggregate(sequence, NULL, NULL, own, out, err);
  json_decref(own);
  return status;
}

ci_status ci_weight_aggregate(const ci_sequence *sequence, const ci_sequence *paired, const char *function,
                              const json_t *arguments, ci_sequence *out, ci_error *err) {
  (void)paired, (void)function;
  weight_options options;
  json_t *keep;
  const ci_array *score = NULL;
  *out = (ci_sequence){0};
  ci_status status = ci_aggregator_options("weight", ci_weight_options, arguments, &options, &keep, err);
  if (!status) status = find_score(sequence, options.score, &score, err);
  if (!status) status = reduce(sequence, arguments, out, err);
  if (!status) status = multiply(&out->source_attributions, score, err);
  if (!status) status = multiply(&out->target_attributions, score, err);
  json_decref(keep);
  if (status) ci_sequence_free(out);
  return status;
}
