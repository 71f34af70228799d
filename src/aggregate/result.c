/* Making, copying and freeing results. See result.h. */
#include "aggregate/result.h"
#include "aggregate/aggregator.h"
#include "base/memory.h"
#include <string.h>

ci_result *ci_result_create(size_t sequences) {
  ci_result *result = ci_alloc_zeroed(1, sizeof *result);
  if (!result) return NULL;
  result->info = json_object();
  result->sequences = ci_alloc_zeroed(sequences, sizeof *result->sequences);
  result->count = result->sequences ? sequences : 0;
  if (result->info && result->sequences) return result;
  ci_result_close(result);
  return NULL;
}

void ci_result_close(ci_result *result) {
  if (!result) return;
  for (size_t i = 0; i < result->count; i++) ci_sequence_free(&result->sequences[i]);
  ci_free(result->sequences);
  for (size_t i = 0; i < result->step_count; i++) ci_sequence_free(&result->steps[i]);
  ci_free(result->steps);
  json_decref(result->info);
  json_decref(result->statistics);
  ci_free(result);
}

/* False when the product does not fit. */
static bool measure(int rank, const size_t *shape, size_t *size) {
  *size = 1;
  for (int i = 0; i < rank; i++)
    if (__builtin_mul_overflow(*size, shape[i], size)) return false;
  return true;
}

ci_status ci_array_create(ci_array *array, int rank, const size_t *shape, ci_error *err) {
  enum { MOST = sizeof array->shape / sizeof *array->shape };
  *array = (ci_array){0};
  if (rank < 0 || rank > MOST)
    return ci_fail(err, CI_EINVAL, NULL, "an array of a result has %d dimensions, expected at most %d", rank, MOST);
  size_t size;
  float *data = measure(rank, shape, &size) ? ci_alloc_zeroed(size, sizeof *data) : NULL;
  if (!data) return ci_fail_memory(err);
  array->rank = rank;
  array->data = data;
  for (int i = 0; i < rank; i++) array->shape[i] = shape[i];
  return CI_OK;
}

void ci_array_free(ci_array *array) {
  ci_free(array->data);
  *array = (ci_array){0};
}

size_t ci_array_size(const ci_array *array) {
  size_t size;
  return array->data && measure(array->rank, array->shape, &size) ? size : 0;
}

ci_status ci_array_copy(const ci_array *from, ci_array *to, ci_error *err) {
  *to = (ci_array){0};
  if (!from->data) return CI_OK;
  ci_status status = ci_array_create(to, from->rank, from->shape, err);
  if (status) return status;
  memcpy(to->data, from->data, ci_array_size(from) * sizeof *from->data);
  to->integers = from->integers;
  return CI_OK;
}

static void free_tokens(ci_token *tokens, size_t count) {
  for (size_t i = 0; i < count; i++) ci_free(tokens[i].token);
  ci_free(tokens);
}

static void free_named(ci_named_array *arrays, size_t count) {
  for (size_t i = 0; i < count; i++) {
    ci_free(arrays[i].name);
    ci_array_free(&arrays[i].values);
  }
  ci_free(arrays);
}

void ci_sequence_free(ci_sequence *sequence) {
  free_tokens(sequence->source, sequence->source_count);
  free_tokens(sequence->target, sequence->target_count);
  ci_array_free(&sequence->source_attributions);
  ci_array_free(&sequence->target_attributions);
  free_named(sequence->step_scores, sequence->step_scores_count);
  free_named(sequence->sequence_scores, sequence->sequence_scores_count);
  *sequence = (ci_sequence){0};
}

ci_status ci_tokens_copy(const ci_token *from, size_t count, ci_token **to, size_t *to_count, ci_error *err) {
  *to = ci_alloc_zeroed(count, sizeof **to);
  if (!*to) return ci_fail_memory(err);
  for (*to_count = 0; *to_count < count; ++*to_count) {
    ci_token *token = &(*to)[*to_count];
    token->id = from[*to_count].id;
    token->word = from[*to_count].word;
    token->token = ci_duplicate(from[*to_count].token);
    if (!token->token) return ci_fail_memory(err);
  }
  return CI_OK;
}

ci_status ci_named_arrays_copy(const ci_named_array *from, size_t count, ci_named_array **to, size_t *to_count,
                               ci_error *err) {
  *to_count = 0;
  *to = ci_alloc_zeroed(count, sizeof **to);
  if (!*to) return ci_fail_memory(err);
  *to_count = count; /* members not filled yet are zero: freeing them is nothing */
  for (size_t i = 0; i < count; i++) {
    (*to)[i].name = ci_duplicate(from[i].name);
    if (!(*to)[i].name) return ci_fail_memory(err);
    ci_status status = ci_array_copy(&from[i].values, &(*to)[i].values, err);
    if (status) return status;
  }
  return CI_OK;
}

ci_status ci_sequence_copy_frame(const ci_sequence *from, ci_sequence *to, ci_error *err) {
  *to = (ci_sequence){.kind = from->kind,
                      .n_dimensions = from->n_dimensions,
                      .attr_pos_start = from->attr_pos_start,
                      .attr_pos_end = from->attr_pos_end};
  ci_status status = ci_tokens_copy(from->source, from->source_count, &to->source, &to->source_count, err);
  if (!status) status = ci_tokens_copy(from->target, from->target_count, &to->target, &to->target_count, err);
  if (!status)
    status =
        ci_named_arrays_copy(from->step_scores, from->step_scores_count, &to->step_scores, &to->step_scores_count, err);
  if (status) ci_sequence_free(to);
  return status;
}
