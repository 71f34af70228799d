/* See heat_table.h. The number format follows Inseq's tables (spec 4.4). */
#include "output/heat_table.h"
#include "output/display_width.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

void ci_heat_tables(const ci_sequence *s, ci_heat_table tables[2], size_t *count) {
  ci_heat_table both[2] = {{"Source attributions", &s->source_attributions, s->source, NULL, 0, 0, "source"},
                           {"Target attributions", &s->target_attributions, s->target, NULL, 0, 0, "target"}};
  *count = 0;
  for (size_t i = 0; i < 2; i++) {
    if (!both[i].scores->data) continue;
    both[i].row_count = both[i].scores->shape[0];
    both[i].column_count = s->attr_pos_end - s->attr_pos_start;
    both[i].column_tokens = s->target ? s->target + s->attr_pos_start : NULL;
    tables[(*count)++] = both[i];
  }
}

static ci_status check_scores(const char *what, const ci_array *scores, size_t most_rows, size_t columns,
                              ci_error *err) {
  if (scores->rank != 2)
    return ci_fail(err, CI_EINVAL, what, "has %d dimensions, expected 2: an aggregated result", scores->rank);
  if (scores->shape[0] > most_rows || scores->shape[1] != columns)
    return ci_fail(err, CI_EINVAL, what, "is %zu x %zu, expected at most %zu attributed by %zu generated tokens",
                   scores->shape[0], scores->shape[1], most_rows, columns);
  return CI_OK;
}

ci_status ci_heat_table_check(const ci_sequence *s, ci_error *err) {
  if (s->attr_pos_start > s->attr_pos_end || s->attr_pos_end > s->target_count)
    return ci_fail(err, CI_EINVAL, "attr_pos_end", "positions %zu to %zu of %zu target tokens", s->attr_pos_start,
                   s->attr_pos_end, s->target_count);
  size_t columns = s->attr_pos_end - s->attr_pos_start;
  ci_status status = CI_OK;
  if (s->source_attributions.data)
    status = check_scores("source_attributions", &s->source_attributions, s->source_count, columns, err);
  if (!status && s->target_attributions.data)
    status = check_scores("target_attributions", &s->target_attributions, s->target_count, columns, err);
  for (size_t i = 0; i < s->step_scores_count && !status; i++)
    if (!s->step_scores[i].values.data || ci_array_size(&s->step_scores[i].values) != columns)
      status = ci_fail(err, CI_EINVAL, s->step_scores[i].name, "has %zu values, expected one for each of %zu tokens",
                       ci_array_size(&s->step_scores[i].values), columns);
  return status;
}

ci_heat_limits ci_heat_table_limits(const ci_sequence *s, double min_val, double max_val) {
  ci_heat_limits limits = {0, 0};
  ci_heat_limits_include(&limits, s->source_attributions.data, ci_array_size(&s->source_attributions));
  ci_heat_limits_include(&limits, s->target_attributions.data, ci_array_size(&s->target_attributions));
  if (max_val > 0) limits = (ci_heat_limits){-max_val, max_val};
  if (min_val < 0) limits.min = min_val;
  return limits;
}

size_t ci_score_format(double score, char text[32]) {
  if (fabs(score) < 0.0005) score = 0;
  const char *format = fabs(score) < 10000 ? "%.3f" : fabs(score) < 1e9 ? "%.0f" : "%.3g";
  int n = snprintf(text, 32, format, score);
  return n > 0 ? (size_t)n : 0;
}

void ci_token_text_add(ci_text *out, const char *token, bool clean) {
  size_t start = out->length;
  for (const char *at = token; *at && clean;) {
    if (ci_starts_with(at, "▁"))
      at += strlen("▁");
    else if (ci_starts_with(at, "Ġ"))
      at += strlen("Ġ");
    else
      ci_text_add_n(out, at++, 1);
  }
  if (out->length == start) ci_text_add(out, token);
}

size_t ci_token_label_add(ci_text *out, const char *token, bool clean, size_t most) {
  ci_text text = {0};
  ci_token_text_add(&text, token, clean);
  size_t width = ci_display_add(out, text.data ? text.data : "", most);
  if (text.failed) out->failed = true;
  ci_text_free(&text);
  return width;
}
