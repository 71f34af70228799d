/* The aggregator `spans`, and what it shares with subwords and split. See spans.h. */
#include "aggregate/spans.h"
#include "base/memory.h"
#include "scores/score.h"
#include <string.h>

const ci_option ci_spans_options[] = {
    {"source_spans", NULL, CI_JSON, offsetof(ci_given_spans, source), "null", 0, 0, NULL,
     "Spans of source tokens, [start, end] (half-open) or an array of these."},
    {"target_spans", NULL, CI_JSON, offsetof(ci_given_spans, target), "null", 0, 0, NULL, "The same of target tokens."},
    CI_OPTIONS_END};

/* ---- lists of spans ---- */

void ci_token_spans_free(ci_token_spans *spans) {
  ci_free(spans->items);
  *spans = (ci_token_spans){0};
}

ci_status ci_token_spans_add(ci_token_spans *spans, size_t start, size_t end, ci_error *err) {
  if (ci_reserve((void **)&spans->items, &spans->capacity, spans->count + 1, sizeof *spans->items))
    return ci_fail_memory(err);
  spans->items[spans->count++] = (ci_token_span){start, end};
  return CI_OK;
}

static ci_status read_span(const json_t *value, const char *name, size_t length, ci_token_spans *spans, ci_error *err) {
  int64_t start, end;
  size_t number = spans->count, before = number ? spans->items[number - 1].end : 0;
  if (json_array_size(value) != 2 || !ci_json_as_int(json_array_get(value, 0), &start) ||
      !ci_json_as_int(json_array_get(value, 1), &end))
    return ci_fail(err, CI_EINVAL, name, "span %zu is not [start, end]", number);
  if (start < 0 || end > (int64_t)length)
    return ci_fail(err, CI_EINVAL, name, "span %zu, %lld to %lld, lies outside of the text's %zu tokens", number,
                   (long long)start, (long long)end, length);
  if (start >= end)
    return ci_fail(err, CI_EINVAL, name, "span %zu, %lld to %lld, is empty", number, (long long)start, (long long)end);
  if ((size_t)start < before)
    return ci_fail(
        err, CI_EINVAL, name,
        "span %zu begins at %lld, before the end of the last one at %zu: expected ascending spans that do not overlap",
        number, (long long)start, before);
  return ci_token_spans_add(spans, (size_t)start, (size_t)end, err);
}

ci_status ci_token_spans_read(const json_t *value, const char *name, size_t length, ci_token_spans *spans,
                              ci_error *err) {
  *spans = (ci_token_spans){0};
  if (!value || json_is_null(value)) return CI_OK;
  if (!json_is_array(value)) return ci_fail(err, CI_EINVAL, name, "expected [start, end] or an array of these");
  if (json_is_number(json_array_get(value, 0))) return read_span(value, name, length, spans, err);
  ci_status status = CI_OK;
  for (size_t i = 0; i < json_array_size(value) && !status; i++)
    status = read_span(json_array_get(value, i), name, length, spans, err);
  return status;
}

/* The spans as they lie along an axis of `length` that begins at token `start`: what is outside is cut off. */
static ci_status clip(const ci_token_spans *spans, size_t start, size_t length, ci_token_spans *out, ci_error *err) {
  ci_status status = CI_OK;
  *out = (ci_token_spans){0};
  for (size_t i = 0; i < spans->count && !status; i++) {
    const ci_token_span *s = &spans->items[i];
    if (s->end <= start) continue;
    size_t first = s->start > start ? s->start - start : 0, last = s->end - start < length ? s->end - start : length;
    if (first < last) status = ci_token_spans_add(out, first, last, err);
  }
  return status;
}

/* By how many members an axis shrinks. */
static size_t merged(const ci_token_spans *spans) {
  size_t n = 0;
  for (size_t i = 0; i < spans->count; i++) n += spans->items[i].end - spans->items[i].start - 1;
  return n;
}

/* ---- arrays ---- */

/* One axis of an array, as [outer, length, inner]. */
typedef struct {
  size_t outer, length, inner;
} axis_shape;

static axis_shape shape_along(const ci_array *array, int axis) {
  axis_shape s = {1, array->shape[axis], 1};
  for (int i = 0; i < axis; i++) s.outer *= array->shape[i];
  for (int i = axis + 1; i < array->rank; i++) s.inner *= array->shape[i];
  return s;
}

/* Reduces the spans of one outer index: in [length, inner], out [length - merged, inner]. */
static void reduce_spans(const float *in, const axis_shape *s, const ci_token_spans *spans, const ci_function *f,
                         float *values, float *out) {
  size_t at = 0, next = 0;
  for (size_t row = 0; at < s->length; row++) {
    bool in_span = next < spans->count && spans->items[next].start == at;
    size_t n = in_span ? spans->items[next++].end - at : 1;
    for (size_t k = 0; k < s->inner; k++) {
      for (size_t i = 0; i < n; i++) values[i] = in[(at + i) * s->inner + k];
      out[row * s->inner + k] = in_span ? (float)f->reduce(values, n, 2) : values[0];
    }
    at += n;
  }
}

/* *out = `in` with spans of an axis, which begins at token `start`, reduced. `in` may be `*out`'s. */
static ci_status reduce_axis(const ci_array *in, int axis, const ci_token_spans *spans, size_t start,
                             const ci_function *f, ci_array *out, ci_error *err) {
  *out = (ci_array){0};
  if (!in->data) return CI_OK;
  if (axis >= in->rank) return ci_array_copy(in, out, err);
  ci_token_spans own;
  axis_shape s = shape_along(in, axis);
  ci_status status = clip(spans, start, s.length, &own, err);
  size_t shape[4] = {0};
  for (int i = 0; i < in->rank; i++) shape[i] = in->shape[i];
  shape[axis] -= merged(&own);
  if (!status) status = ci_array_create(out, in->rank, shape, err);
  float *values = ci_alloc(s.length ? s.length : 1, sizeof *values);
  if (!status && !values) status = ci_fail_memory(err);
  for (size_t o = 0; o < s.outer && !status; o++)
    reduce_spans(in->data + o * s.length * s.inner, &s, &own, f, values, out->data + o * shape[axis] * s.inner);
  if (!status) out->integers = in->integers && strcmp(f->id, "mean") != 0;
  ci_free(values);
  ci_token_spans_free(&own);
  return status;
}

/* Along the columns (which begin at `column`), then along the rows. */
static ci_status reduce_both(const ci_array *in, const ci_token_spans *rows, const ci_token_spans *columns,
                             size_t column, const ci_function *f, ci_array *out, ci_error *err) {
  ci_array half;
  ci_status status = reduce_axis(in, 1, columns, column, f, &half, err);
  if (!status) status = reduce_axis(&half, 0, rows, 0, f, out, err);
  ci_array_free(&half);
  return status;
}

/* ---- sequences ---- */

static ci_status merge_tokens(const ci_token *from, size_t count, const ci_token_spans *spans, ci_token **to,
                              size_t *to_count, ci_error *err) {
  *to = ci_alloc_zeroed(count ? count : 1, sizeof **to);
  if (!*to) return ci_fail_memory(err);
  for (size_t at = 0, next = 0; at < count; ++*to_count) {
    bool in_span = next < spans->count && spans->items[next].start == at;
    size_t n = in_span ? spans->items[next++].end - at : 1;
    ci_text joined = {0};
    for (size_t i = 0; i < n; i++) ci_text_add(&joined, from[at + i].token);
    ci_text_add(&joined, "");
    char *text = ci_text_take(&joined);
    if (!text) return ci_text_free(&joined), ci_fail_memory(err);
    (*to)[*to_count] = (ci_token){n > 1 ? -1 : from[at].id, text, from[at].word};
    at += n;
  }
  return CI_OK;
}

/* What spans of a step score are reduced with, unless a function is asked for. */
static const char *function_of_score(const char *name, const json_t *arguments) {
  const ci_score *score;
  const char *given = json_string_value(json_object_get(json_object_get(arguments, "step_score_functions"), name));
  if (given && ci_function_find(given)) return given;
  for (size_t i = 0; (score = ci_score_at(i)); i++)
    if (strcmp(score->id, name) == 0 && score->span_function) return score->span_function;
  return "absmax";
}

static ci_status merge_scores(const ci_sequence *sequence, const ci_token_spans *target, const char *function,
                              const json_t *arguments, ci_sequence *out, ci_error *err) {
  ci_status status = CI_OK;
  out->step_scores = ci_alloc_zeroed(sequence->step_scores_count, sizeof *out->step_scores);
  if (!out->step_scores) return ci_fail_memory(err);
  for (size_t i = 0; i < sequence->step_scores_count && !status; i++) {
    const ci_named_array *from = &sequence->step_scores[i];
    ci_named_array *to = &out->step_scores[out->step_scores_count++];
    to->name = ci_duplicate(from->name);
    if (!to->name) return ci_fail_memory(err);
    const ci_function *f = ci_function_find(function ? function : function_of_score(from->name, arguments));
    status = reduce_axis(&from->values, 0, target, sequence->attr_pos_start, f, &to->values, err);
  }
  return status;
}

/* encoder*: source by source; decoder*: prefix by generated; others as source attributions. */
static ci_status merge_matrices(const ci_sequence *sequence, const ci_token_spans *source, const ci_token_spans *target,
                                const ci_function *f, ci_sequence *out, ci_error *err) {
  ci_status status = CI_OK;
  out->sequence_scores = ci_alloc_zeroed(sequence->sequence_scores_count, sizeof *out->sequence_scores);
  if (!out->sequence_scores) return ci_fail_memory(err);
  for (size_t i = 0; i < sequence->sequence_scores_count && !status; i++) {
    const ci_named_array *from = &sequence->sequence_scores[i];
    ci_named_array *to = &out->sequence_scores[out->sequence_scores_count++];
    bool encoder = strncmp(from->name, "encoder", 7) == 0, decoder = strncmp(from->name, "decoder", 7) == 0;
    to->name = ci_duplicate(from->name);
    if (!to->name) return ci_fail_memory(err);
    status = reduce_both(&from->values, decoder ? target : source, encoder ? source : target,
                         encoder ? 0 : sequence->attr_pos_start, f, &to->values, err);
  }
  return status;
}

/* Inseq's new attr_pos_start: fewer tokens before it, and a span over it begins where it begins. */
static void move_positions(const ci_sequence *sequence, const ci_token_spans *target, size_t columns_merged,
                           ci_sequence *out) {
  size_t start = sequence->attr_pos_start, columns = sequence->attr_pos_end - start;
  out->attr_pos_start = start;
  for (size_t i = 0; i < target->count; i++) {
    const ci_token_span *s = &target->items[i];
    if (s->end <= start)
      out->attr_pos_start -= s->end - s->start - 1;
    else if (s->start < start)
      out->attr_pos_start -= start - s->start;
  }
  out->attr_pos_end = out->attr_pos_start + columns - columns_merged;
}

ci_status ci_sequence_merge(const ci_sequence *sequence, const ci_token_spans *source, const ci_token_spans *target,
                            const char *function, const json_t *arguments, ci_sequence *out, ci_error *err) {
  size_t start = sequence->attr_pos_start;
  const ci_function *f = ci_function_find(function ? function : "absmax");
  ci_token_spans columns;
  *out = (ci_sequence){.kind = sequence->kind, .n_dimensions = sequence->n_dimensions};
  if (!f) return ci_fail(err, CI_EINVAL, "spans", "unknown aggregation function \"%s\"", function);
  ci_status status = clip(target, start, sequence->attr_pos_end - start, &columns, err);
  if (!status)
    status = merge_tokens(sequence->source, sequence->source_count, source, &out->source, &out->source_count, err);
  if (!status)
    status = merge_tokens(sequence->target, sequence->target_count, target, &out->target, &out->target_count, err);
  if (!status)
    status = reduce_both(&sequence->source_attributions, source, target, start, f, &out->source_attributions, err);
  if (!status)
    status = reduce_both(&sequence->target_attributions, target, target, start, f, &out->target_attributions, err);
  if (!status) status = merge_scores(sequence, target, function, arguments, out, err);
  if (!status) status = merge_matrices(sequence, source, target, f, out, err);
  if (!status) move_positions(sequence, target, merged(&columns), out);
  ci_token_spans_free(&columns);
  if (status) ci_sequence_free(out);
  return status;
}

ci_status ci_spans_aggregate(const ci_sequence *sequence, const ci_sequence *paired, const char *function,
                             const json_t *arguments, ci_sequence *out, ci_error *err) {
  (void)paired;
  ci_given_spans options;
  json_t *keep;
  ci_token_spans source = {0}, target = {0};
  *out = (ci_sequence){0};
  ci_status status = ci_aggregator_options("spans", ci_spans_options, arguments, &options, &keep, err);
  if (!status) status = ci_token_spans_read(options.source, "source_spans", sequence->source_count, &source, err);
  if (!status) status = ci_token_spans_read(options.target, "target_spans", sequence->target_count, &target, err);
  if (!status && !source.count && !target.count)
    status = ci_fail(err, CI_EINVAL, "spans", "neither source_spans nor target_spans are given");
  if (!status) status = ci_sequence_merge(sequence, &source, &target, function, arguments, out, err);
  ci_token_spans_free(&source);
  ci_token_spans_free(&target);
  json_decref(keep);
  return status;
}
