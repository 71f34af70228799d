/* |f(x) - f(x with one token's embedding replaced by its baseline's)| (Zeiler & Fergus 2014). A source token is a branch of
 * both sides; a decoder token at position i is a branch that starts there and shares all rows before. A token that is its own
 * baseline changes nothing: score 0 without a forward. */
#include "attribute/attribution.h"
#include <math.h>

/* The perturbations of one space that change something; positions[i] is what perturbation i occludes. */
static ci_status list(ci_attribution *a, ci_space_id space, ci_perturbation *out, size_t *count, ci_error *err) {
  const float *baseline;
  ci_status status = ci_attribution_baseline(a, space, &baseline, err);
  size_t rows = ci_subject_rows(&a->subject, space), width = ci_attribution_width(a, space);
  int32_t *ids = ci_alloc(rows, sizeof *ids);
  if (!status && !ids) status = ci_fail_memory(err);
  if (!status) ci_attribution_baseline_ids(a, space, ids);
  const int32_t *own = space == CI_ENCODER ? a->source.items : a->target.items;
  for (size_t i = 0; i < rows && !status; i++)
    if (ids[i] != own[i]) out[(*count)++] = (ci_perturbation){space, i, 1, baseline + i * width};
  ci_free(ids);
  return status;
}

static ci_status store(ci_attribution *a, ci_space_id space, const ci_perturbation *p, size_t count, const double *values,
                       const double *clean, ci_error *err) {
  size_t targets = a->subject.target_count, rows = ci_subject_rows(&a->subject, space);
  ci_array *array;
  ci_status status = ci_attribution_array(a, space, 2, 1, 1, &array, err);
  if (status) return status;
  for (size_t r = 0; r < rows; r++)
    for (size_t t = 0; t < targets; t++)
      if (space == CI_ENCODER || r < a->start + t) array->data[r * targets + t] = 0;
  for (size_t i = 0; i < count; i++)
    for (size_t t = 0; t < targets; t++)
      if (p[i].space == space && !isnan(values[i * targets + t]))
        array->data[p[i].first * targets + t] = (float)fabs(clean[t] - values[i * targets + t]);
  return CI_OK;
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  (void)options;
  ci_subject *s = &a->subject;
  size_t most = s->source_count + s->row_count, count = 0;
  ci_perturbation *p = ci_alloc(most, sizeof *p);
  double *values = ci_alloc(most * s->target_count, sizeof *values), *clean = ci_alloc(s->target_count, sizeof *clean);
  ci_status status = p && values && clean ? CI_OK : ci_fail_memory(err);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++)
    if (a->wants[space]) status = list(a, space, p, &count, err);
  for (size_t t = 0; t < s->target_count && !status; t++)
    clean[t] = a->objective.value(a->objective.context, ci_run_logits(s->run, s->output_rows[t]), t, a->scratch);
  if (!status) status = ci_subject_perturb(s, p, count, &a->objective, values, err);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++)
    if (a->wants[space]) status = store(a, space, p, count, values, clean, err);
  ci_free(p);
  ci_free(values);
  ci_free(clean);
  return status;
}

extern const ci_method ci_method_occlusion;
const ci_method ci_method_occlusion = {.id = "occlusion",
                                       .help = "Change of the attributed function when a token's embedding is replaced.",
                                       .paper = "Zeiler & Fergus 2014, arXiv:1311.2901",
                                       .kind = CI_COARSE,
                                       .keep = CI_KEEP_KEYS,
                                       .deterministic = true,
                                       .attribute = attribute};
