/* The numbers of a result, without JSON. */
#include "aggregate/result.h"
#include "output/output.h"
#include <string.h>

size_t cinseq_result_count(const cinseq_result *result) {
  return result->count;
}

const cinseq_sequence *cinseq_result_sequence(const cinseq_result *result, size_t index) {
  return index < result->count ? &result->sequences[index] : NULL;
}

size_t cinseq_sequence_token_count(const cinseq_sequence *s, cinseq_side side) {
  return side == CINSEQ_SOURCE ? s->source_count : s->target_count;
}

const char *cinseq_sequence_token(const cinseq_sequence *s, cinseq_side side, size_t index, int32_t *id) {
  if (index >= cinseq_sequence_token_count(s, side)) return NULL;
  const ci_token *token = &(side == CINSEQ_SOURCE ? s->source : s->target)[index];
  if (id) *id = token->id;
  return token->token;
}

void cinseq_sequence_range(const cinseq_sequence *s, size_t *start, size_t *end) {
  *start = s->attr_pos_start;
  *end = s->attr_pos_end;
}

static cinseq_array show(const ci_array *array) {
  cinseq_array shown = {.data = array->data};
  if (!array->data) return shown;
  shown.rank = (size_t)array->rank;
  memcpy(shown.shape, array->shape, shown.rank * sizeof *shown.shape);
  return shown;
}

cinseq_array cinseq_sequence_attributions(const cinseq_sequence *s, cinseq_side side) {
  return show(side == CINSEQ_SOURCE ? &s->source_attributions : &s->target_attributions);
}

const char *cinseq_sequence_score_name(const cinseq_sequence *s, size_t index) {
  return index < s->step_scores_count ? s->step_scores[index].name : NULL;
}

cinseq_array cinseq_sequence_scores(const cinseq_sequence *s, const char *name) {
  for (size_t i = 0; i < s->step_scores_count; i++)
    if (strcmp(s->step_scores[i].name, name) == 0) return show(&s->step_scores[i].values);
  return (cinseq_array){0};
}

const char *cinseq_sequence_matrix_name(const cinseq_sequence *s, size_t index) {
  return index < s->sequence_scores_count ? s->sequence_scores[index].name : NULL;
}

cinseq_array cinseq_sequence_matrix(const cinseq_sequence *s, const char *name) {
  for (size_t i = 0; i < s->sequence_scores_count; i++)
    if (strcmp(s->sequence_scores[i].name, name) == 0) return show(&s->sequence_scores[i].values);
  return (cinseq_array){0};
}

const char *cinseq_sequence_class(const cinseq_sequence *s) {
  return ci_inseq_sequence_classes[s->kind];
}

const cinseq_sequence *cinseq_result_step(const cinseq_result *result, size_t index) {
  return index < result->step_count ? &result->steps[index] : NULL;
}
