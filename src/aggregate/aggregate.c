/* The table of aggregators, pipelines of them, and Inseq's default pipeline for each kind of result. */
#include "aggregate/aggregator.h"
#include <string.h>

static const ci_aggregator aggregators[] = {
#define CI_AGGREGATOR(id, help, options, apply) {id, help, options, apply},
#include "aggregate/aggregators.def"
#undef CI_AGGREGATOR
};

/* Inseq's defaults, by kind: the function of each stage of `scores`; NULL: none, the scores stay as they are. */
static const char *const default_functions[] = {
    [CI_PLAIN] = "mean", [CI_GRANULAR] = "vnorm", [CI_COARSE] = NULL, [CI_MULTIDIMENSIONAL] = "mean"};

const ci_aggregator *ci_aggregators(size_t *count) {
  *count = sizeof aggregators / sizeof *aggregators;
  return aggregators;
}

const ci_aggregator *ci_aggregator_find(const char *id) {
  for (size_t i = 0; i < sizeof aggregators / sizeof *aggregators; i++)
    if (strcmp(aggregators[i].id, id) == 0) return &aggregators[i];
  return NULL;
}

static ci_status copy_all(const ci_sequence *from, ci_sequence *to, ci_error *err) {
  ci_status status = ci_sequence_copy_frame(from, to, err);
  if (!status) status = ci_array_copy(&from->source_attributions, &to->source_attributions, err);
  if (!status) status = ci_array_copy(&from->target_attributions, &to->target_attributions, err);
  if (!status)
    status = ci_named_arrays_copy(from->sequence_scores, from->sequence_scores_count, &to->sequence_scores,
                                  &to->sequence_scores_count, err);
  if (status) ci_sequence_free(to);
  return status;
}

ci_status ci_sequence_pipeline(const ci_sequence *sequence, const ci_aggregate_stage *stages, size_t count,
                               const json_t *arguments, ci_sequence *out, ci_error *err) {
  *out = (ci_sequence){0};
  if (count == 0) return copy_all(sequence, out, err);
  for (size_t i = 0; i < count; i++) {
    const ci_aggregator *aggregator = ci_aggregator_find(stages[i].aggregator);
    ci_sequence next = {0};
    ci_status status = aggregator ? aggregator->apply(i ? out : sequence, stages[i].function, arguments, &next, err)
                                  : ci_fail(err, CI_EINVAL, stages[i].aggregator, "is no aggregator");
    ci_sequence_free(out);
    if (status) return status;
    *out = next;
  }
  return CI_OK;
}

ci_status ci_sequence_aggregate(const ci_sequence *sequence, ci_sequence *out, ci_error *err) {
  enum { MOST = sizeof sequence->source_attributions.shape / sizeof *sequence->source_attributions.shape };
  *out = (ci_sequence){0};
  const ci_array *any =
      sequence->target_attributions.data ? &sequence->target_attributions : &sequence->source_attributions;
  const char *function = default_functions[sequence->kind];
  int wanted = sequence->kind == CI_MULTIDIMENSIONAL ? sequence->n_dimensions : 1;
  /* Two dimensions: was aggregated already. Inseq would take the norm over the generated tokens. */
  if (!function || !any->data || any->rank <= 2) wanted = 0;
  ci_aggregate_stage stages[MOST];
  size_t count = 0;
  while ((int)count < wanted && count < MOST) stages[count++] = (ci_aggregate_stage){"scores", function};
  if (any->data && any->rank - (int)count != 2)
    return ci_fail(err, CI_EINVAL, "scores", "attributions of %d dimensions have %zu left to aggregate, expected %d",
                   any->rank, count, any->rank - 2);
  return ci_sequence_pipeline(sequence, stages, count, NULL, out, err);
}
