/* What each step gave (Inseq's output_step_attributions): the columns of the sequences, one by one. */
#include "aggregate/aggregator.h"
#include "base/memory.h"
#include <string.h>

/* to[r, 0, ...] = from[r, column, ...] for the first `rows` rows */
static ci_status copy_column(const ci_array *from, size_t column, size_t rows, ci_array *to, ci_error *err) {
  if (!from->data) return CI_OK;
  size_t shape[4] = {rows, 1}, cell = 1;
  for (int i = 2; i < from->rank; i++) {
    shape[i] = from->shape[i];
    cell *= shape[i];
  }
  ci_status status = ci_array_create(to, from->rank, shape, err);
  for (size_t r = 0; r < rows && !status; r++)
    memcpy(to->data + r * cell, from->data + (r * from->shape[1] + column) * cell, cell * sizeof *to->data);
  return status;
}

static ci_status copy_scores(const ci_sequence *from, size_t column, ci_sequence *to, ci_error *err) {
  to->step_scores = ci_alloc_zeroed(from->step_scores_count, sizeof *to->step_scores);
  if (!to->step_scores) return ci_fail_memory(err);
  for (size_t i = 0; i < from->step_scores_count; i++) {
    ci_named_array *score = &to->step_scores[to->step_scores_count++];
    score->name = ci_duplicate(from->step_scores[i].name);
    ci_status status = score->name ? ci_array_create(&score->values, 1, (const size_t[]){1}, err) : ci_fail_memory(err);
    if (status) return status;
    score->values.data[0] = from->step_scores[i].values.data[column];
  }
  return CI_OK;
}

/* Whether the source is a text of its own, and not the prompt with which a decoder-only model's target begins: dummy's
 * results have no attributions that would say it. */
static bool has_source(const ci_sequence *s) {
  if (s->source_attributions.data || s->target_attributions.data) return s->source_attributions.data;
  bool prompt = s->source_count <= s->target_count;
  for (size_t i = 0; i < s->source_count && prompt; i++) prompt = s->source[i].id == s->target[i].id;
  return !prompt;
}

static ci_status make_step(const ci_sequence *from, size_t column, ci_sequence *to, ci_error *err) {
  size_t prefix = from->attr_pos_start + column;
  *to = (ci_sequence){
      .kind = from->kind, .n_dimensions = from->n_dimensions, .attr_pos_start = prefix, .attr_pos_end = prefix + 1};
  size_t sources = has_source(from) ? from->source_count : 0;
  ci_status status = ci_tokens_copy(from->source, sources, &to->source, &to->source_count, err);
  if (!status) status = ci_tokens_copy(from->target, prefix + 1, &to->target, &to->target_count, err);
  if (!status)
    status = copy_column(&from->source_attributions, column, from->source_count, &to->source_attributions, err);
  if (!status) status = copy_column(&from->target_attributions, column, prefix, &to->target_attributions, err);
  if (!status) status = copy_scores(from, column, to, err);
  if (!status && column == 0)
    status = ci_named_arrays_copy(from->sequence_scores, from->sequence_scores_count, &to->sequence_scores,
                                  &to->sequence_scores_count, err);
  return status;
}

ci_status ci_result_add_steps(ci_result *result, ci_error *err) {
  size_t count = 0;
  for (size_t i = 0; i < result->count; i++)
    count += result->sequences[i].attr_pos_end - result->sequences[i].attr_pos_start;
  result->steps = ci_alloc_zeroed(count, sizeof *result->steps);
  if (!result->steps) return ci_fail_memory(err);
  ci_status status = CI_OK;
  for (size_t i = 0; i < result->count && !status; i++) {
    const ci_sequence *s = &result->sequences[i];
    for (size_t t = 0; t < s->attr_pos_end - s->attr_pos_start && !status; t++)
      status = make_step(s, t, &result->steps[result->step_count++], err);
  }
  return status;
}
