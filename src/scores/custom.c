/* See custom.h. A row's options hold the caller's cinseq_score. */
#include "scores/custom.h"
#include "base/memory.h"
#include <string.h>

static const ci_option contrast_table[] = {CI_CONTRAST_OPTIONS, CI_OPTIONS_END};

static cinseq_prediction prediction(const ci_score_input *in) {
  return (cinseq_prediction){.logits = in->logits,
                             .vocabulary = in->vocabulary,
                             .target = in->target,
                             .position = in->position,
                             .text = in->text,
                             .source = in->source,
                             .source_count = in->source_count,
                             .ids = in->ids,
                             .id_count = in->id_count,
                             .contrast_logits = in->contrast.logits,
                             .contrast_target = in->contrast.target};
}

static double value(const ci_score_input *in, const void *options) {
  const cinseq_score *own = &((const ci_custom_options *)options)->own;
  const cinseq_prediction p = prediction(in);
  return own->value(own->context, &p);
}

static void gradient(const ci_score_input *in, const void *options, float *slope) {
  const cinseq_score *own = &((const ci_custom_options *)options)->own;
  const cinseq_prediction p = prediction(in);
  memset(slope, 0, in->vocabulary * sizeof *slope);
  own->gradient(own->context, &p, slope);
}

static ci_status check(const cinseq_score *own, size_t count, size_t number, ci_error *err) {
  const cinseq_score *s = &own[number];
  bool taken = false;
  if (!s->name || !*s->name) return ci_fail(err, CI_EINVAL, "scores", "score %zu has no name", number);
  if (!s->value) return ci_fail(err, CI_EINVAL, "scores", "\"%s\" has no function for its value", s->name);
  for (size_t i = 0; i < count && i < number; i++) taken = taken || strcmp(own[i].name, s->name) == 0;
  return taken ? ci_fail(err, CI_EINVAL, "scores", "there are two scores \"%s\"", s->name) : CI_OK;
}

ci_status ci_custom_scores_open(const cinseq_score *own, size_t count, ci_custom_score **scores, ci_error *err) {
  *scores = ci_alloc_zeroed(count, sizeof **scores);
  ci_status status = *scores ? CI_OK : ci_fail_memory(err);
  for (size_t i = 0; i < count && !status; i++) {
    status = check(own, count, i, err);
    if (status) break;
    ci_custom_score *row = &(*scores)[i];
    row->preset.own = own[i];
    row->score = (ci_score){.id = own[i].name,
                            .help = "",
                            .options = own[i].contrastive ? contrast_table : NULL,
                            .options_size = sizeof row->preset,
                            .preset = &row->preset,
                            .contrastive = own[i].contrastive != 0,
                            .value = value,
                            .gradient = own[i].gradient ? gradient : NULL};
  }
  return status;
}
