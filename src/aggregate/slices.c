/* The aggregator `slices`: only the tokens of some spans, one behind the other. Generated tokens stay: a span that
 * reaches into them reaches to their end, and without such a span they follow. Spans of a decoder-only model's target
 * are cut out of its prompt too. */
#include "aggregate/spans.h"
#include "base/memory.h"
#include <string.h>

static ci_status slice_tokens(const ci_token *from, size_t count, const ci_token_spans *spans, ci_token **to,
                              size_t *to_count, ci_error *err) {
  *to = ci_alloc_zeroed(count ? count : 1, sizeof **to);
  if (!*to) return ci_fail_memory(err);
  for (size_t i = 0; i < spans->count; i++)
    for (size_t at = spans->items[i].start; at < spans->items[i].end && at < count; at++) {
      ci_token *token = &(*to)[(*to_count)++];
      *token = (ci_token){from[at].id, ci_duplicate(from[at].token), from[at].word};
      if (!token->token) return ci_fail_memory(err);
    }
  return CI_OK;
}

/* How many of `length` members the spans hold. */
static size_t held(const ci_token_spans *spans, size_t length) {
  size_t n = 0;
  for (size_t i = 0; i < spans->count; i++)
    for (size_t at = spans->items[i].start; at < spans->items[i].end && at < length; at++) n++;
  return n;
}

/* The members of one axis that the spans hold. */
static ci_status slice_axis(const ci_array *in, int axis, const ci_token_spans *spans, ci_array *out, ci_error *err) {
  *out = (ci_array){0};
  if (!in->data) return CI_OK;
  if (axis >= in->rank) return ci_array_copy(in, out, err);
  size_t shape[4] = {0}, outer = 1, inner = 1, length = in->shape[axis];
  for (int i = 0; i < in->rank; i++) {
    shape[i] = in->shape[i];
    if (i < axis) outer *= shape[i];
    if (i > axis) inner *= shape[i];
  }
  shape[axis] = held(spans, length);
  ci_status status = ci_array_create(out, in->rank, shape, err);
  if (status) return status;
  float *to = out->data;
  for (size_t o = 0; o < outer; o++)
    for (size_t i = 0; i < spans->count; i++)
      for (size_t at = spans->items[i].start; at < spans->items[i].end && at < length; at++, to += inner)
        memcpy(to, in->data + (o * length + at) * inner, inner * sizeof *to);
  return CI_OK;
}

/* encoder*: source by source; decoder*: rows are the target's; others: rows are the source's. */
static ci_status slice_matrices(const ci_sequence *sequence, const ci_token_spans *source, const ci_token_spans *target,
                                ci_sequence *out, ci_error *err) {
  ci_status status = CI_OK;
  out->sequence_scores = ci_alloc_zeroed(sequence->sequence_scores_count, sizeof *out->sequence_scores);
  if (!out->sequence_scores) return ci_fail_memory(err);
  for (size_t i = 0; i < sequence->sequence_scores_count && !status; i++) {
    const ci_named_array *from = &sequence->sequence_scores[i];
    ci_named_array *to = &out->sequence_scores[out->sequence_scores_count++];
    ci_array half = {0};
    to->name = ci_duplicate(from->name);
    if (!to->name) return ci_fail_memory(err);
    status = slice_axis(&from->values, 0, strncmp(from->name, "decoder", 7) == 0 ? target : source, &half, err);
    if (!status && strncmp(from->name, "encoder", 7) == 0)
      status = slice_axis(&half, 1, source, &to->values, err);
    else if (!status)
      status = ci_array_copy(&half, &to->values, err);
    ci_array_free(&half);
  }
  return status;
}

static ci_status with_generated(const ci_sequence *sequence, const ci_token_spans *given, ci_token_spans *target,
                                ci_error *err) {
  size_t start = sequence->attr_pos_start;
  ci_status status = CI_OK;
  bool added = false;
  for (size_t i = 0; i < given->count && !status && !added; i++) {
    ci_token_span s = given->items[i];
    added = s.end > start;
    status = ci_token_spans_add(target, added && s.start > start ? start : s.start,
                                added ? sequence->attr_pos_end : s.end, err);
  }
  return status || added ? status : ci_token_spans_add(target, start, sequence->attr_pos_end, err);
}

/* The spans as far as they lie in the prompt. */
static ci_status of_prompt(const ci_token_spans *given, size_t start, ci_token_spans *source, ci_error *err) {
  ci_status status = CI_OK;
  for (size_t i = 0; i < given->count && !status; i++)
    if (given->items[i].start < start)
      status = ci_token_spans_add(source, given->items[i].start,
                                  given->items[i].end < start ? given->items[i].end : start, err);
  return status;
}

static ci_status whole(size_t count, ci_token_spans *spans, ci_error *err) {
  return ci_token_spans_add(spans, 0, count, err);
}

static ci_status read_spans(const ci_sequence *sequence, const ci_given_spans *options, ci_token_spans *source,
                            ci_token_spans *target, ci_error *err) {
  bool both = sequence->source_attributions.data || !sequence->target_attributions.data;
  bool has_target = options->target && !json_is_null(options->target),
       has_source = options->source && !json_is_null(options->source);
  ci_token_spans given = {0};
  if (!has_target && !(has_source && both))
    return ci_fail(err, CI_EINVAL, "slices",
                   both ? "neither source_spans nor target_spans are given"
                        : "target_spans are needed: there is no other source than the prompt");
  ci_status status = ci_token_spans_read(options->target, "target_spans", sequence->target_count, &given, err);
  if (!status) status = with_generated(sequence, &given, target, err);
  if (!status && !both) status = of_prompt(&given, sequence->attr_pos_start, source, err);
  if (!status && both && has_source)
    status = ci_token_spans_read(options->source, "source_spans", sequence->source_count, source, err);
  if (!status && both && !has_source) status = whole(sequence->source_count, source, err);
  ci_token_spans_free(&given);
  return status;
}

ci_status ci_slices_aggregate(const ci_sequence *sequence, const ci_sequence *paired, const char *function,
                              const json_t *arguments, ci_sequence *out, ci_error *err) {
  (void)paired, (void)function;
  ci_given_spans options;
  json_t *keep;
  ci_token_spans source = {0}, target = {0};
  *out = (ci_sequence){.kind = sequence->kind, .n_dimensions = sequence->n_dimensions};
  ci_status status = ci_aggregator_options("slices", ci_spans_options, arguments, &options, &keep, err);
  if (!status) status = read_spans(sequence, &options, &source, &target, err);
  if (!status)
    status = slice_tokens(sequence->source, sequence->source_count, &source, &out->source, &out->source_count, err);
  if (!status)
    status = slice_tokens(sequence->target, sequence->target_count, &target, &out->target, &out->target_count, err);
  if (!status) status = slice_axis(&sequence->source_attributions, 0, &source, &out->source_attributions, err);
  if (!status) status = slice_axis(&sequence->target_attributions, 0, &target, &out->target_attributions, err);
  if (!status)
    status = ci_named_arrays_copy(sequence->step_scores, sequence->step_scores_count, &out->step_scores,
                                  &out->step_scores_count, err);
  if (!status) status = slice_matrices(sequence, &source, &target, out, err);
  if (!status) {
    out->attr_pos_start = held(&target, sequence->attr_pos_start);
    out->attr_pos_end = out->attr_pos_start + sequence->attr_pos_end - sequence->attr_pos_start;
  }
  ci_token_spans_free(&source);
  ci_token_spans_free(&target);
  json_decref(keep);
  if (status) ci_sequence_free(out);
  return status;
}
