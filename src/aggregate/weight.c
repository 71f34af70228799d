/* The aggregator `weight`: every column times a step score of its token (Inseq's weight_attributions). */
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

static ci_status multiply(const ci_array *in, const ci_array *score, ci_array *out, ci_error *err) {
  ci_status status = ci_array_copy(in, out, err);
  if (status || !in->data || in->rank < 2) return status;
  size_t columns = in->shape[1], inner = 1;
  for (int i = 2; i < in->rank; i++) inner *= in->shape[i];
  if (columns != ci_array_size(score))
    return ci_fail(err, CI_EINVAL, "weight_by", "%zu values for %zu columns", ci_array_size(score), columns);
  for (size_t i = 0; i < ci_array_size(out); i++) out->data[i] *= score->data[i / inner % columns];
  return CI_OK;
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
  if (!status) status = ci_sequence_copy_frame(sequence, out, err);
  if (!status) status = multiply(&sequence->source_attributions, score, &out->source_attributions, err);
  if (!status) status = multiply(&sequence->target_attributions, score, &out->target_attributions, err);
  if (!status)
    status = ci_named_arrays_copy(sequence->sequence_scores, sequence->sequence_scores_count, &out->sequence_scores,
                                  &out->sequence_scores_count, err);
  json_decref(keep);
  if (status) ci_sequence_free(out);
  return status;
}
