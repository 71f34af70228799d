/* See completeness.h. */
#include "attribute/completeness.h"
#include <math.h>

void ci_values_at_text(ci_attribution *a, double *out) {
  const ci_subject *s = &a->subject;
  for (size_t t = 0; t < s->target_count; t++)
    out[t] = a->objective.value(a->objective.context, ci_run_logits(s->run, s->output_rows[t]), t, a->scratch);
}

typedef struct {
  const ci_attribution *a;
  const ci_leaves *leaves;
  const double *at;
  const float *baseline[CI_SPACES], *text[CI_SPACES];
} line;

static size_t move(void *context, size_t point, ci_intervention *moves) {
  const line *l = context;
  size_t count = 0;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++)
    if (l->leaves->nodes[space] >= 0)
      moves[count++] = (ci_intervention){.kind = CI_INTERPOLATE,
                                         .node = l->leaves->nodes[space],
                                         .count = ci_subject_rows(&l->a->subject, space),
                                         .values = l->baseline[space],
                                         .origin = l->text[space],
                                         .alpha = (float)l->at[point]};
  return count;
}

ci_status ci_values_on_line(ci_attribution *a, ci_leaves *leaves, const double *at, size_t count, double *out,
                            ci_error *err) {
  line l = {.a = a, .leaves = leaves, .at = at};
  ci_walk walk = {.points = count, .move = move, .context = &l};
  ci_status status = CI_OK;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++) {
    if (leaves->nodes[space] < 0) continue;
    status = ci_leaf_values(a, leaves, space, true, &l.baseline[space], err);
    if (!status) status = ci_leaf_values(a, leaves, space, false, &l.text[space], err);
  }
  return status ? status : ci_subject_values(&a->subject, &walk, &a->objective, out, err);
}

ci_status ci_values_at_baseline(ci_attribution *a, ci_leaves *leaves, double *out, ci_error *err) {
  return ci_values_on_line(a, leaves, &(double){0}, 1, out, err);
}

void ci_attribution_sums(const ci_attribution *a, double *out) {
  const ci_array *arrays[] = {&a->out->source_attributions, &a->out->target_attributions};
  size_t targets = a->subject.target_count;
  for (size_t t = 0; t < targets; t++) out[t] = 0;
  for (size_t i = 0; i < 2; i++) {
    size_t cells = arrays[i]->data ? ci_array_size(arrays[i]) : 0,
           width = cells ? cells / arrays[i]->shape[0] / targets : 1;
    for (size_t c = 0; c < cells; c++)
      if (!isnan(arrays[i]->data[c])) out[c / width % targets] += (double)arrays[i]->data[c];
  }
}

ci_status ci_add_step_score(ci_attribution *a, const char *name, const double *values, ci_error *err) {
  ci_sequence *out = a->out;
  const size_t shape[] = {a->subject.target_count};
  ci_named_array *grown = ci_resize(out->step_scores, out->step_scores_count + 1, sizeof *grown);
  if (!grown) return ci_fail_memory(err);
  out->step_scores = grown;
  ci_named_array *score = &grown[out->step_scores_count];
  *score = (ci_named_array){.name = ci_duplicate(name)};
  if (!score->name) return ci_fail_memory(err);
  out->step_scores_count++;
  ci_status status = ci_array_create(&score->values, 1, shape, err);
  for (size_t t = 0; t < shape[0] && !status; t++) score->values.data[t] = (float)values[t];
  return status;
}

ci_status ci_add_deltas(ci_attribution *a, ci_leaves *leaves, ci_error *err) {
  size_t targets = a->subject.target_count;
  double *room = ci_alloc(3 * targets, sizeof *room);
  if (!room) return ci_fail_memory(err);
  double *deltas = room, *text = room + targets, *baseline = room + 2 * targets;
  ci_values_at_text(a, text);
  ci_status status = ci_values_at_baseline(a, leaves, baseline, err);
  ci_attribution_sums(a, deltas);
  for (size_t t = 0; t < targets; t++) deltas[t] -= text[t] - baseline[t];
  if (!status) status = ci_add_step_score(a, "deltas", deltas, err);
  ci_free(room);
  return status;
}
