/* The aggregator `scores`: one function over the last dimension of the attributions, then L1 normalisation by column,
 * over source and target together, NaN taken as 0 in the sum and kept as NaN:
 *
 *   x[r,g,...] / max(sum over rows r of source and target |x[r,g,...]|, 1e-12)
 *
 * Sequence scores are reduced with the same function and never normalised; step scores stay. */
#include "aggregate/aggregator.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

typedef struct {
  bool normalize;
} scores_options;

const ci_option ci_scores_options[] = {
    {"normalize", "--normalize_attributions", CI_BOOL, offsetof(scores_options, normalize), "true", 0, 0, NULL,
     "Divide each column by the sum of its magnitudes, over source and target together."},
    CI_OPTIONS_END};

/* out[...] = function(in[..., :]) */
static ci_status reduce_last(const ci_array *in, const ci_function *function, ci_array *out, ci_error *err) {
  *out = (ci_array){0};
  if (!in->data) return CI_OK;
  size_t length = in->rank > 0 ? in->shape[in->rank - 1] : 0;
  if (length == 0) return ci_fail(err, CI_EINVAL, "scores", "there is nothing to reduce: the last dimension is empty");
  ci_status status = ci_array_create(out, in->rank - 1, in->shape, err);
  if (status) return status;
  size_t size = ci_array_size(out);
  for (size_t i = 0; i < size; i++) out->data[i] = (float)function->reduce(in->data + i * length, length);
  return CI_OK;
}

/* The number of columns: all dimensions but the first. */
static size_t columns_of(const ci_array *array) {
  size_t columns = 1;
  for (int i = 1; i < array->rank; i++) columns *= array->shape[i];
  return columns;
}

static void add_magnitudes(const ci_array *array, size_t columns, double *sums) {
  size_t size = ci_array_size(array);
  for (size_t i = 0; i < size; i++)
    if (!isnan(array->data[i])) sums[i % columns] += fabs((double)array->data[i]);
}

static void divide(ci_array *array, size_t columns, const double *sums) {
  size_t size = ci_array_size(array);
  for (size_t i = 0; i < size; i++) array->data[i] = (float)(array->data[i] / fmax(sums[i % columns], 1e-12));
}

static bool same_columns(const ci_array *a, const ci_array *b) {
  if (a->rank != b->rank) return false;
  for (int i = 1; i < a->rank; i++)
    if (a->shape[i] != b->shape[i]) return false;
  return true;
}

static ci_status normalize(ci_array *source, ci_array *target, ci_error *err) {
  const ci_array *any = source->data ? source : target;
  if (source->data && target->data && !same_columns(source, target))
    return ci_fail(err, CI_EINVAL, "scores", "source and target attributions differ in their columns");
  if (ci_array_size(source) == 0 && ci_array_size(target) == 0) return CI_OK;
  size_t columns = columns_of(any);
  double *sums = ci_alloc_zeroed(columns, sizeof *sums);
  if (!sums) return ci_fail_memory(err);
  add_magnitudes(source, columns, sums);
  add_magnitudes(target, columns, sums);
  divide(source, columns, sums);
  divide(target, columns, sums);
  ci_free(sums);
  return CI_OK;
}

/* Sequence scores without a dimension to spare (already reduced) are kept. */
static ci_status reduce_sequence_scores(const ci_sequence *sequence, const ci_function *function, ci_sequence *out,
                                        ci_error *err) {
  size_t count = sequence->sequence_scores_count;
  out->sequence_scores = ci_alloc_zeroed(count, sizeof *out->sequence_scores);
  if (!out->sequence_scores) return ci_fail_memory(err);
  out->sequence_scores_count = count;
  for (size_t i = 0; i < count; i++) {
    const ci_named_array *from = &sequence->sequence_scores[i];
    ci_named_array *to = &out->sequence_scores[i];
    to->name = ci_duplicate(from->name);
    if (!to->name) return ci_fail_memory(err);
    ci_status status = from->values.rank > 2 ? reduce_last(&from->values, function, &to->values, err)
                                             : ci_array_copy(&from->values, &to->values, err);
    if (status) return status;
  }
  return CI_OK;
}

ci_status ci_scores_aggregate(const ci_sequence *sequence, const char *function, const json_t *arguments,
                              ci_sequence *out, ci_error *err) {
  *out = (ci_sequence){0};
  const ci_function *reduce = ci_function_find(function ? function : "mean");
  if (!reduce) return ci_fail(err, CI_EINVAL, "scores", "unknown aggregation function \"%s\"", function);
  scores_options options;
  json_t *keep = json_array(), *unknown = json_array();
  ci_status status = keep && unknown
                         ? ci_options_parse(ci_scores_options, "scores", arguments, &options, keep, unknown, err)
                         : ci_fail_memory(err);
  json_decref(keep);
  json_decref(unknown);
  if (!status) status = ci_sequence_copy_frame(sequence, out, err);
  if (!status) status = reduce_last(&sequence->source_attributions, reduce, &out->source_attributions, err);
  if (!status) status = reduce_last(&sequence->target_attributions, reduce, &out->target_attributions, err);
  if (!status) status = reduce_sequence_scores(sequence, reduce, out, err);
  if (!status && options.normalize) status = normalize(&out->source_attributions, &out->target_attributions, err);
  if (status) ci_sequence_free(out);
  return status;
}
