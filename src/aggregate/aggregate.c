/* The table of aggregators, pipelines of them, and Inseq's default pipeline for each kind of result. */
#include "aggregate/aggregator.h"
#include "base/memory.h"
#include "base/unknown.h"
#include <string.h>

static const ci_aggregator aggregators[] = {
#define CI_AGGREGATOR(id, help, options, apply) {id, help, options, apply},
#include "aggregate/aggregators.def"
#undef CI_AGGREGATOR
};

/* Inseq's defaults, by kind: the function of each stage of `scores`; NULL: none, the scores stay as they are. */
static const char *const default_functions[] = {
    [CI_PLAIN] = "mean", [CI_GRANULAR] = "vnorm", [CI_COARSE] = NULL, [CI_MULTIDIMENSIONAL] = "mean"};

enum { AGGREGATORS = sizeof aggregators / sizeof *aggregators };

const ci_aggregator *ci_aggregators(size_t *count) {
  *count = AGGREGATORS;
  return aggregators;
}

const ci_aggregator *ci_aggregator_find(const char *id) {
  for (size_t i = 0; i < AGGREGATORS; i++)
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

/* An aggregator by its id; a function stands for `scores` with it. */
static ci_status read_stage(const char *name, ci_aggregate_stage *stage, ci_error *err) {
  const char *names[64];
  size_t rows, count = 0;
  const ci_function *functions = ci_functions(&rows);
  *stage = ci_aggregator_find(name) ? (ci_aggregate_stage){name, NULL} : (ci_aggregate_stage){"scores", name};
  if (!stage->function || ci_function_find(name)) return CI_OK;
  for (size_t i = 0; i < AGGREGATORS; i++) names[count++] = aggregators[i].id;
  for (size_t i = 0; i < rows && count < sizeof names / sizeof *names; i++) names[count++] = functions[i].id;
  return ci_fail_unknown(err, "attribution_aggregators", "aggregator or function", name, names, count);
}

ci_status ci_aggregators_check(const json_t *names, ci_error *err) {
  size_t i;
  const json_t *name;
  ci_aggregate_stage stage;
  ci_status status = CI_OK;
  json_array_foreach(names, i, name) if (!status) status = read_stage(json_string_value(name), &stage, err);
  return status;
}

static const ci_array *attributions_of(const ci_sequence *sequence) {
  return sequence->target_attributions.data ? &sequence->target_attributions : &sequence->source_attributions;
}

static ci_status aggregate_by(const ci_sequence *sequence, const json_t *names, const json_t *arguments,
                              ci_sequence *out, ci_error *err) {
  size_t count = json_array_size(names);
  ci_aggregate_stage *stages = ci_alloc_zeroed(count, sizeof *stages);
  ci_status status = stages ? CI_OK : ci_fail_memory(err);
  for (size_t i = 0; i < count && !status; i++)
    status = read_stage(json_string_value(json_array_get(names, i)), &stages[i], err);
  if (!status) status = ci_sequence_pipeline(sequence, stages, count, arguments, out, err);
  ci_free(stages);
  if (status || !attributions_of(out)->data || attributions_of(out)->rank >= 2) return status;
  ci_sequence_free(out);
  return ci_fail(err, CI_EINVAL, "attribution_aggregators",
                 "attributions of %d dimensions have too few for this: two are tokens by tokens",
                 attributions_of(sequence)->rank);
}

ci_status ci_sequence_aggregate(const ci_sequence *sequence, const json_t *names, const json_t *arguments,
                                ci_sequence *out, ci_error *err) {
  enum { MOST = sizeof sequence->source_attributions.shape / sizeof *sequence->source_attributions.shape };
  *out = (ci_sequence){0};
  if (names) return aggregate_by(sequence, names, arguments, out, err);
  const ci_array *any = attributions_of(sequence);
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
  return ci_sequence_pipeline(sequence, stages, count, arguments, out, err);
}

/* Steps stay as they were, as Inseq leaves them. */
static ci_status copy_steps(const ci_result *from, ci_result *to, ci_error *err) {
  to->steps = ci_alloc_zeroed(from->step_count, sizeof *to->steps);
  ci_status status = to->steps ? CI_OK : ci_fail_memory(err);
  for (size_t i = 0; i < from->step_count && !status; i++)
    status = copy_all(&from->steps[i], &to->steps[to->step_count++], err);
  return status;
}

ci_status ci_result_aggregate(const ci_result *result, const json_t *names, const json_t *arguments, ci_result **out,
                              ci_error *err) {
  *out = ci_result_create(result->count);
  if (!*out) return ci_fail_memory(err);
  json_decref((*out)->info);
  (*out)->info = json_deep_copy(result->info); /* threads may share the result: not even its references are counted */
  ci_status status = (*out)->info ? CI_OK : ci_fail_memory(err);
  for (size_t i = 0; i < result->count && !status; i++)
    status = ci_sequence_aggregate(&result->sequences[i], names, arguments, &(*out)->sequences[i], err);
  if (!status) status = copy_steps(result, *out, err);
  if (!status) return CI_OK;
  ci_result_close(*out);
  *out = NULL;
  return status;
}
