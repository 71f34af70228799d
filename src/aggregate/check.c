/* Whether a sequence that came from outside is one. See result.h. */
#include "aggregate/result.h"

ci_status ci_sequence_check(ci_sequence *s, const char *where, const char *what, ci_error *err) {
  const ci_array *source = &s->source_attributions, *target = &s->target_attributions;
  size_t columns = s->attr_pos_end - s->attr_pos_start;
  const struct {
    const char *name;
    const ci_array *array;
    size_t least, most;
  } sides[] = {{"source_attributions", source, s->source_count, s->source_count},
               {"target_attributions", target, s->attr_pos_end, s->target_count}};
  for (int i = 0; i < 2; i++) {
    const ci_array *a = sides[i].array;
    if (!a->data) continue;
    if (a->rank < 2)
      return ci_fail(err, CI_EFILE, where, "%s: %s has %d dimensions, expected 2 to 4", what, sides[i].name, a->rank);
    if (a->shape[0] < sides[i].least || a->shape[0] > sides[i].most || a->shape[1] != columns)
      return ci_fail(err, CI_EFILE, where, "%s: %s has %zu rows and %zu columns, expected %zu and %zu", what,
                     sides[i].name, a->shape[0], a->shape[1], sides[i].least, columns);
  }
  bool same = !source->data || !target->data || source->rank == target->rank;
  for (int d = 1; same && source->data && target->data && d < source->rank; d++)
    same = source->shape[d] == target->shape[d];
  if (!same)
    return ci_fail(err, CI_EFILE, where, "%s: source_attributions and target_attributions differ in more than rows",
                   what);
  for (size_t i = 0; i < s->step_scores_count; i++) {
    const ci_array *a = &s->step_scores[i].values;
    if (a->rank != 1 || a->shape[0] != columns)
      return ci_fail(err, CI_EFILE, where, "%s: step_scores.%s has %d dimensions and %zu values, expected 1 and %zu",
                     what, s->step_scores[i].name, a->rank, ci_array_size(a), columns);
  }
  /* A file does not say how many there are; Inseq takes none and then cannot aggregate. */
  const ci_array *any = source->data ? source : target;
  if (s->kind == CI_MULTIDIMENSIONAL) s->n_dimensions = any->data ? any->rank - 2 : 0;
  return CI_OK;
}
