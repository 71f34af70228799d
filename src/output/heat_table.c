/* See heat_table.h. The number format follows Inseq's tables (spec 4.4). */
#include "output/heat_table.h"
#include "output/display_width.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

ci_status ci_heat_tables_open(ci_heat_tables *tables, size_t count, ci_error *err) {
  *tables = (ci_heat_tables){.arena = ci_arena_create()};
  if (tables->arena) tables->items = ci_arena_alloc(tables->arena, count ? count : 1, sizeof *tables->items);
  return tables->items ? CI_OK : ci_fail_memory(err);
}

void ci_heat_tables_close(ci_heat_tables *tables) {
  if (tables->arena) ci_arena_close(tables->arena);
  *tables = (ci_heat_tables){0};
}

static ci_heat_table frame(const ci_sequence *s, bool source, const char *title, size_t row_count) {
  return (ci_heat_table){.title = title,
                         .side = source ? "source" : "target",
                         .across = "generated",
                         .row_tokens = source ? s->source : s->target,
                         .column_tokens = s->target ? s->target + s->attr_pos_start : NULL,
                         .row_count = row_count,
                         .column_count = s->attr_pos_end - s->attr_pos_start};
}

bool ci_heat_table_frame(const ci_sequence *s, bool source, ci_heat_table *table, const ci_array **scores) {
  *scores = source ? &s->source_attributions : &s->target_attributions;
  if (!(*scores)->data) return false;
  *table = frame(s, source, source ? "Source attributions" : "Target attributions", (*scores)->shape[0]);
  return true;
}

ci_status ci_heat_tables_of(const ci_sequence *s, ci_heat_tables *tables, ci_error *err) {
  ci_status status = ci_heat_tables_open(tables, 2, err);
  for (int side = 0; side < 2 && !status; side++) {
    const ci_array *scores;
    ci_heat_table *table = &tables->items[tables->count];
    if (!ci_heat_table_frame(s, side == 0, table, &scores)) continue;
    table->scores = scores->data;
    tables->count++;
  }
  if (!status && !tables->count && s->step_scores_count)
    tables->items[tables->count++] = frame(s, false, "Step scores", 0);
  return status;
}

void ci_heat_table_title_add(ci_text *out, const ci_heat_table *table, bool clean) {
  ci_text_add(out, table->title);
  if (table->of) {
    ci_text_add_format(out, " of %zu ", table->of_index);
    ci_token_label_add(out, table->of->token, clean, 0);
  }
  if (*table->place) ci_text_add_format(out, ", %s", table->place);
}

static ci_status check_scores(const char *what, const ci_array *scores, int rank, size_t most_rows, size_t columns,
                              ci_error *err) {
  if (rank == 2 && scores->rank != 2)
    return ci_fail(err, CI_EINVAL, what, "has %d dimensions, expected 2: an aggregated result", scores->rank);
  if (scores->rank < 2 || (rank && scores->rank != rank))
    return ci_fail(err, CI_EINVAL, what, "has %d dimensions, expected %d%s", scores->rank, rank ? rank : 2,
                   rank ? "" : " at least");
  if (scores->shape[0] > most_rows || scores->shape[1] != columns)
    return ci_fail(err, CI_EINVAL, what, "is %zu x %zu, expected at most %zu attributed by %zu generated tokens",
                   scores->shape[0], scores->shape[1], most_rows, columns);
  return CI_OK;
}

ci_status ci_heat_table_check(const ci_sequence *s, int rank, ci_error *err) {
  if (s->attr_pos_start > s->attr_pos_end || s->attr_pos_end > s->target_count)
    return ci_fail(err, CI_EINVAL, "attr_pos_end", "positions %zu to %zu of %zu target tokens", s->attr_pos_start,
                   s->attr_pos_end, s->target_count);
  size_t columns = s->attr_pos_end - s->attr_pos_start;
  ci_status status = CI_OK;
  if (s->source_attributions.data)
    status = check_scores("source_attributions", &s->source_attributions, rank, s->source_count, columns, err);
  if (!status && s->target_attributions.data)
    status = check_scores("target_attributions", &s->target_attributions, rank, s->target_count, columns, err);
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

bool ci_scores_are_whole(const float *scores, size_t count) {
  bool whole = true, any = false;
  for (size_t i = 0; i < count && whole; i++) {
    if (isnan(scores[i])) continue;
    any = true;
    whole = isfinite(scores[i]) && scores[i] == rintf(scores[i]);
  }
  return whole && any;
}

size_t ci_score_format(double score, bool whole, char text[32]) {
  if (fabs(score) < 0.0005) score = 0;
  const char *format = fabs(score) >= 1e9 ? "%.3g" : whole || fabs(score) >= 10000 ? "%.0f" : "%.3f";
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
