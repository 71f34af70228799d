/* Results that come from the caller: what bindings hand back when their user has changed one. */
#include "aggregate/result.h"
#include "api/c_locale.h"
#include "base/memory.h"
#include "output/output.h"
#include <string.h>

/* A text of the caller's is no file. */
static ci_status not_a_file(ci_status status, ci_error *err) {
  if (status != CI_EFILE) return status;
  if (err) err->code = CI_EINVAL;
  return CI_EINVAL;
}

int cinseq_result_parse(const char *text, cinseq_result **result, cinseq_error *err) {
  locale_t before = ci_locale_enter();
  ci_status status = ci_inseq_json_read("text", text, strlen(text), result, err);
  ci_locale_leave(before);
  return (int)not_a_file(status, err);
}

/* The array of that name among *arrays, a new one if there is none. NULL: memory is out. */
static ci_array *named(ci_named_array **arrays, size_t *count, const char *name) {
  for (size_t i = 0; i < *count; i++)
    if (strcmp((*arrays)[i].name, name) == 0) return &(*arrays)[i].values;
  ci_named_array *grown = ci_resize(*arrays, *count + 1, sizeof **arrays);
  if (!grown) return NULL;
  *arrays = grown;
  char *copy = ci_duplicate(name);
  if (!copy) return NULL;
  grown[*count] = (ci_named_array){.name = copy};
  return &grown[(*count)++].values;
}

/* "source_attributions", "target_attributions", "step_scores.NAME" or "sequence_scores.NAME". */
static ci_status find(ci_sequence *s, const char *member, ci_array **array, ci_error *err) {
  static const char step[] = "step_scores.", sequence[] = "sequence_scores.";
  if (strcmp(member, "source_attributions") == 0)
    *array = &s->source_attributions;
  else if (strcmp(member, "target_attributions") == 0)
    *array = &s->target_attributions;
  else if (ci_starts_with(member, step))
    *array = named(&s->step_scores, &s->step_scores_count, member + strlen(step));
  else if (ci_starts_with(member, sequence))
    *array = named(&s->sequence_scores, &s->sequence_scores_count, member + strlen(sequence));
  else
    return ci_fail(err, CI_EINVAL, member,
                   "is no member: expected source_attributions, target_attributions, step_scores.NAME or "
                   "sequence_scores.NAME");
  return *array ? CI_OK : ci_fail_memory(err);
}

int cinseq_result_set(cinseq_result *result, size_t index, const char *member, const cinseq_array *values,
                      cinseq_error *err) {
  if (index >= result->count)
    return (int)ci_fail(err, CI_EINVAL, member, "there is no sequence %zu: the result has %zu", index, result->count);
  ci_sequence *s = &result->sequences[index];
  ci_array made = {0}, *array = NULL;
  if (values->rank > sizeof values->shape / sizeof *values->shape)
    return (int)ci_fail(err, CI_EINVAL, member, "has %zu dimensions", values->rank);
  ci_status status = values->data ? ci_array_create(&made, (int)values->rank, values->shape, err) : CI_OK;
  if (!status) status = find(s, member, &array, err);
  if (status) {
    ci_array_free(&made);
    return (int)status;
  }
  if (made.data) memcpy(made.data, values->data, ci_array_size(&made) * sizeof *made.data);
  ci_array before = *array;
  *array = made;
  status = not_a_file(ci_sequence_check(s, NULL, member, err), err);
  if (status) *array = before, before = made; /* stays as it was */
  ci_array_free(&before);
  return (int)status;
}
