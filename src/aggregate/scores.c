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
  bool normalize, rescale;
  json_t *select; /* an integer or an array of integers */
  double order;
} scores_options;

const ci_option ci_scores_options[] = {
    {"normalize", "--normalize_attributions", CI_BOOL, offsetof(scores_options, normalize), "true", 0, 0, NULL,
     "Divide each column by the sum of its magnitudes, over source and target together."},
    {"rescale", "--rescale_attributions", CI_BOOL, offsetof(scores_options, rescale), "false", 0, 0, NULL,
     "In place of normalising: divide all by the largest magnitude of source and target."},
    {"select_idx", NULL, CI_JSON, offsetof(scores_options, select), "null", 0, 0, NULL,
     "Indices of the last dimension (negative: from the end): one is taken as it is, an array is all that is reduced."},
    {"vnorm_ord", NULL, CI_REAL, offsetof(scores_options, order), "2", 1e-3, 1e6, NULL, "Order of the norm of vnorm."},
    CI_OPTIONS_END};

/* What of the last dimension is reduced, and with what. */
typedef struct {
  const ci_function *function;
  double order;
  const json_t *select; /* NULL: all of it */
} reduction;

/* Member `number` of the selection (an integer: the only one) as an index of `length`. */
static ci_status read_index(const json_t *select, size_t number, size_t length, size_t *index, ci_error *err) {
  int64_t given = 0;
  const json_t *member = json_is_array(select) ? json_array_get(select, number) : select;
  if (!ci_json_as_int(member, &given)) return ci_fail(err, CI_EINVAL, "select_idx", "expected an index or an array of indices");
  int64_t from_start = given < 0 ? given + (int64_t)length : given;
  if (from_start < 0 || from_start >= (int64_t)length)
    return ci_fail(err, CI_EINVAL, "select_idx", "index %lld is outside of the last dimension's %zu", (long long)given, length);
  *index = (size_t)from_start;
  return CI_OK;
}

/* out[...] = function(in[..., selected]), or in[..., selected] itself where one index is selected. */
static ci_status reduce_selected(const ci_array *in, const reduction *r, ci_array *out, ci_error *err) {
  size_t length = in->shape[in->rank - 1], count = json_is_array(r->select) ? json_array_size(r->select) : 1, size = ci_array_size(out);
  if (!count) return ci_fail(err, CI_EINVAL, "select_idx", "holds no index");
  size_t *indices = ci_alloc(count, sizeof *indices);
  float *values = ci_alloc(count, sizeof *values);
  ci_status status = indices && values ? CI_OK : ci_fail_memory(err);
  for (size_t k = 0; k < count && !status; k++) status = read_index(r->select, k, length, &indices[k], err);
  for (size_t i = 0; i < size && !status; i++) {
    for (size_t k = 0; k < count; k++) values[k] = in->data[i * length + indices[k]];
    out->data[i] = json_is_array(r->select) && count > 1 ? (float)r->function->reduce(values, count, r->order) : values[0];
  }
  ci_free(indices);
  ci_free(values);
  return status;
}

/* out[...] = function(in[..., :]) */
static ci_status reduce_last(const ci_array *in, const reduction *r, ci_array *out, ci_error *err) {
  *out = (ci_array){0};
  if (!in->data) return CI_OK;
  size_t length = in->rank > 0 ? in->shape[in->rank - 1] : 0;
  if (length == 0) return ci_fail(err, CI_EINVAL, "scores", "there is nothing to reduce: the last dimension is empty");
  ci_status status = ci_array_create(out, in->rank - 1, in->shape, err);
  if (status) return status;
  if (r->select) return reduce_selected(in, r, out, err);
  size_t size = ci_array_size(out);
  for (size_t i = 0; i < size; i++) out->data[i] = (float)r->function->reduce(in->data + i * length, length, r->order);
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

ci_status ci_scores_normalize(ci_sequence *sequence, ci_error *err) {
  return normalize(&sequence->source_attributions, &sequence->target_attributions, err);
}

/* Divides by the largest magnitude of both; where all is zero it stays so. */
static void rescale(ci_array *source, ci_array *target) {
  ci_array *both[] = {source, target};
  double largest = 0;
  for (int k = 0; k < 2; k++)
    for (size_t i = 0; i < ci_array_size(both[k]); i++) largest = fmax(largest, fabs((double)both[k]->data[i])); /* passes over NaN */
  for (int k = 0; k < 2 && largest > 0; k++)
    for (size_t i = 0; i < ci_array_size(both[k]); i++) both[k]->data[i] = (float)(both[k]->data[i] / largest);
}

/* Sequence scores without a dimension to spare (already reduced) are kept. */
static ci_status reduce_sequence_scores(const ci_sequence *sequence, const reduction *r, ci_sequence *out, ci_error *err) {
  size_t count = sequence->sequence_scores_count;
  out->sequence_scores = ci_alloc_zeroed(count, sizeof *out->sequence_scores);
  if (!out->sequence_scores) return ci_fail_memory(err);
  out->sequence_scores_count = count;
  for (size_t i = 0; i < count; i++) {
    const ci_named_array *from = &sequence->sequence_scores[i];
    ci_named_array *to = &out->sequence_scores[i];
    to->name = ci_duplicate(from->name);
    if (!to->name) return ci_fail_memory(err);
    ci_status status = from->values.rank > 2 ? reduce_last(&from->values, r, &to->values, err)
                                             : ci_array_copy(&from->values, &to->values, err);
    if (status) return status;
  }
  return CI_OK;
}

/* Inseq's defaults: normalised, unless rescaled instead. */
static ci_status choose_scale(const json_t *arguments, scores_options *options, ci_error *err) {
  const json_t *given = json_object_get(arguments, "normalize");
  if (!options->rescale) return CI_OK;
  if (given && options->normalize)
    return ci_fail(err, CI_EINVAL, "rescale", "is given together with normalize, expected one of them");
  options->normalize = false;
  return CI_OK;
}

ci_status ci_scores_aggregate(const ci_sequence *sequence, const ci_sequence *paired, const char *function, const json_t *arguments,
                              ci_sequence *out, ci_error *err) {
  (void)paired;
  *out = (ci_sequence){0};
  reduction r = {.function = ci_function_find(function ? function : ci_scores_function(sequence->kind))};
  if (!r.function) return ci_fail(err, CI_EINVAL, "scores", "unknown aggregation function \"%s\"", function);
  scores_options options;
  json_t *keep;
  ci_status status = ci_aggregator_options("scores", ci_scores_options, arguments, &options, &keep, err);
  if (!status) status = choose_scale(arguments, &options, err);
  if (!status) r = (reduction){r.function, options.order, options.select};
  if (!status) status = ci_sequence_copy_frame(sequence, out, err);
  if (!status) status = reduce_last(&sequence->source_attributions, &r, &out->source_attributions, err);
  if (!status) status = reduce_last(&sequence->target_attributions, &r, &out->target_attributions, err);
  if (!status) status = reduce_sequence_scores(sequence, &r, out, err);
  if (!status && options.normalize) status = normalize(&out->source_attributions, &out->target_attributions, err);
  if (!status && options.rescale) rescale(&out->source_attributions, &out->target_attributions);
  json_decref(keep);
  if (status) ci_sequence_free(out);
  return status;
}
