/* The view `contrast`: for each generated token that differs from its contrast ("this → that"), the attributed tokens
 * as text, red where they speak for that, blue where they speak for this, and the strongest of both. No script. */
#include "base/memory.h"
#include "output/view.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char ARROW[] = " → ";
static const char ONE_SIDED[] =
    "<div class=\"ci-for\">All scores have the same sign: a method such as saliency or attention says how much a token counts, "
    "not for which side. Scores of input_x_gradient have a sign.</div>\n";

/* A token's score in one column. */
typedef struct {
  const ci_token *token;
  double score;
} part;

/* The first text is what positive scores speak for. */
typedef struct {
  char *sides[2];
} opponents;

/* Scores of contrast_prob and its like are the contrast's own; of differences they are the token's less the contrast's,
 * and of pairs the second result's less the first's. */
static bool positive_is_left(const json_t *info) {
  const char *name = json_string_value(json_object_get(info, "attributed_fn"));
  return name && ci_starts_with(name, "contrast_") && !strstr(name, "_diff");
}

static ci_status split(const char *token, const char *arrow, bool left, opponents *o, ci_error *err) {
  o->sides[left ? 0 : 1] = ci_duplicate_n(token, (size_t)(arrow - token));
  o->sides[left ? 1 : 0] = ci_duplicate(arrow + strlen(ARROW));
  return o->sides[0] && o->sides[1] ? CI_OK : ci_fail_memory(err);
}

static void add_heading(ci_page *p, const char *token, const opponents *o, size_t column) {
  bool clean = p->options->clean_tokens;
  ci_text_add_format(p->out, "<div class=\"ci-name\">%zu <bdi>", column);
  ci_html_foreign(p->out, token, clean);
  ci_text_add(p->out, "</bdi> <span>red: for <bdi>");
  ci_html_foreign(p->out, o->sides[0], clean);
  ci_text_add(p->out, "</bdi>, blue: for <bdi>");
  ci_html_foreign(p->out, o->sides[1], clean);
  ci_text_add(p->out, "</bdi></span></div>\n");
}

static int by_score(const void *a, const void *b) {
  double x = ((const part *)a)->score, y = ((const part *)b)->score;
  return x < y ? 1 : x > y ? -1 : 0;
}

/* The strongest of one sign. parts: sorted. */
static void add_strongest(ci_page *p, const char *side, const part *parts, size_t count, bool positive) {
  enum { MOST = 5 };
  char text[32];
  ci_text_add(p->out, "<div class=\"ci-for\">for <bdi>");
  ci_html_foreign(p->out, side, p->options->clean_tokens);
  ci_text_add(p->out, "</bdi>:");
  size_t shown = 0;
  for (; shown < count && shown < MOST; shown++) {
    const part *at = &parts[positive ? shown : count - 1 - shown];
    ci_score_format(at->score, false, text);
    if ((positive ? at->score <= 0 : at->score >= 0) || strcmp(text, "0.000") == 0) break;
    ci_text_add(p->out, shown ? ", <bdi>" : " <bdi>");
    ci_html_foreign(p->out, at->token->token, p->options->clean_tokens);
    ci_text_add_format(p->out, "</bdi> %s", text);
  }
  ci_text_add(p->out, shown ? "</div>\n" : " nothing</div>\n");
}

/* The tokens of a table that have a score in the column, as coloured text; appends them to parts. */
static void add_strip(ci_page *p, const ci_heat_table *t, size_t column, const ci_heat_limits *limits, part *parts,
                      size_t *count) {
  ci_text_add_format(p->out, "<p class=\"ci-text\" dir=\"auto\" aria-label=\"%s\">", t->title);
  for (size_t row = 0; row < t->row_count; row++) {
    double score = t->scores[row * t->column_count + column];
    if (isnan(score)) continue;
    if (ci_html_spaced(t->row_tokens, row)) ci_text_add(p->out, " ");
    ci_text_add(p->out, "<span");
    ci_html_color(p->out, score, limits);
    ci_text_add_format(p->out, " title=\"%.4g\"><bdi>", score);
    ci_html_foreign(p->out, t->row_tokens[row].token, true);
    ci_text_add(p->out, "</bdi></span>");
    parts[(*count)++] = (part){&t->row_tokens[row], score};
  }
  ci_text_add(p->out, "</p>\n");
}

/* Each contrast has its own limits: a token that both agree on would hide what decides elsewhere. */
static ci_heat_limits limits_of(const ci_page *p, const ci_heat_tables *tables, size_t column) {
  ci_heat_limits limits = {0};
  for (size_t i = 0; i < tables->count; i++)
    for (size_t row = 0; row < tables->items[i].row_count; row++) {
      float score = tables->items[i].scores[row * tables->items[i].column_count + column];
      float magnitude = fabsf(score);
      ci_heat_limits_include(&limits, &magnitude, 1);
    }
  if (p->options->max_val > 0) limits = (ci_heat_limits){-p->options->max_val, p->options->max_val};
  if (p->options->min_val < 0) limits.min = p->options->min_val;
  return limits;
}

static ci_status add_column(ci_page *p, const ci_heat_tables *tables, size_t column, ci_error *err) {
  const char *token = tables->items[0].column_tokens[column].token, *arrow = strstr(token, ARROW);
  if (!arrow) return CI_OK;
  opponents o = {{NULL, NULL}};
  size_t rows = 0, count = 0;
  for (size_t i = 0; i < tables->count; i++) rows += tables->items[i].row_count;
  part *parts = ci_alloc(rows, sizeof *parts);
  ci_status status = parts ? split(token, arrow, positive_is_left(p->result->info), &o, err) : ci_fail_memory(err);
  if (!status) {
    ci_heat_limits limits = limits_of(p, tables, column);
    ci_text_add(p->out, "<div class=\"ci-contrast\">\n");
    add_heading(p, token, &o, column);
    for (size_t i = 0; i < tables->count; i++) add_strip(p, &tables->items[i], column, &limits, parts, &count);
    qsort(parts, count, sizeof *parts, by_score);
    for (int side = 0; side < 2; side++) add_strongest(p, o.sides[side], parts, count, side == 0);
    ci_text_add(p->out, "</div>\n");
  }
  ci_free(parts);
  for (int side = 0; side < 2; side++) ci_free(o.sides[side]);
  return status;
}

static bool has_contrasts(const ci_heat_tables *tables) {
  for (size_t i = 0; tables->count && i < tables->items[0].column_count; i++)
    if (strstr(tables->items[0].column_tokens[i].token, ARROW)) return true;
  return false;
}

/* Whether no token speaks for one of the sides, as when a method's scores have no sign. */
static bool is_one_sided(const ci_heat_tables *tables) {
  bool positive = false, negative = false;
  for (size_t i = 0; i < tables->count; i++) {
    const ci_heat_table *t = &tables->items[i];
    for (size_t k = 0; k < t->row_count * t->column_count; k++) {
      if (!strstr(t->column_tokens[k % t->column_count].token, ARROW)) continue;
      positive = positive || t->scores[k] > 0;
      negative = negative || t->scores[k] < 0;
    }
  }
  return !positive || !negative;
}

ci_status ci_contrast_view_html(ci_page *p, const ci_sequence *s, ci_error *err) {
  ci_heat_tables tables;
  ci_status status = ci_view_tables(s, p->options, &tables, err);
  if (!status && !has_contrasts(&tables))
    status =
        ci_fail(err, CI_EINVAL, "view",
                "\"contrast\": no token of the result has a contrast: attribute with attributed_fn contrast_prob_diff and "
                "attribution_kwargs {\"contrast_targets\": \"another output\"}, or take the aggregator pair");
  if (!status) ci_html_texts(p, s);
  for (size_t i = 0; !status && i < tables.items[0].column_count; i++) status = add_column(p, &tables, i, err);
  if (!status && is_one_sided(&tables)) ci_text_add(p->out, ONE_SIDED);
  ci_heat_tables_close(&tables);
  return status;
}
