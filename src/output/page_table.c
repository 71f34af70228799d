/* A heat table in HTML:
 *
 *   <figure>
 *     <table> thead: indices, tokens; tbody: index, token, <td style="background:#b2182b1e"
 * title="0.1174321">0.117</td>...; tfoot: a row for each step score
 *
 * Of a large table browsers lay out only the rows in sight (class ci-large). That needs rows that do not depend on each
 * other, so its columns have widths that are known beforehand: --t of tokens, --c of scores, --w of a row.
 *
 * No cell of the headers is empty or spans two: what a browser copies as plain text has a tab a cell only where there
 * is text before it, and pandas.read_html finds two rows and two columns of headers. */
#include "output/view.h"
#include <math.h>
#include <string.h>

enum {
  LONGEST_TOKEN = 20,  /* columns that always fit under the style */
  LONGEST_COLUMN = 10, /* the same, above a column of a large table */
  SHORTEST = 6,        /* columns of a score */
  MOST_CELLS = 4096    /* more are a large table; its cells do not show all digits on hover */
};

static bool is_large(const ci_heat_table *t) {
  return t->row_count > MOST_CELLS / (t->column_count ? t->column_count : 1);
}

/* A token of a header; one that the style cuts is whole on hover. */
static void add_token(ci_page *p, const char *token, size_t longest) {
  ci_text text = {0};
  bool cut = ci_html_foreign(&text, token, p->options->clean_tokens) > longest;
  if (text.failed) p->out->failed = true;
  const char *escaped = text.data ? text.data : "";
  ci_text_add(p->out, "<bdi");
  if (cut) {
    ci_text_add(p->out, " title=\"");
    ci_text_add(p->out, escaped);
    ci_text_add(p->out, "\"");
  }
  ci_text_add(p->out, ">");
  ci_text_add(p->out, escaped);
  ci_text_add(p->out, "</bdi></th>");
  ci_text_free(&text);
}

static void add_index_row(ci_page *p, const ci_heat_table *t) {
  ci_text_add(p->out, "<tr><th class=\"ci-i\"> </th><th class=\"ci-t\"> </th>");
  for (size_t i = 0; i < t->column_count; i++)
    ci_text_add_format(p->out, "<th class=\"ci-n\">%zu</th>", t->first_column + i);
  ci_text_add(p->out, "</tr>\n");
}

static void add_token_row(ci_page *p, const ci_heat_table *t) {
  ci_text_add(p->out, "<tr><th class=\"ci-i\"> </th><th class=\"ci-t\"> </th>");
  for (size_t i = 0; i < t->column_count; i++) {
    ci_text_add(p->out, "<th scope=\"col\">");
    add_token(p, t->column_tokens[i].token, is_large(t) ? LONGEST_COLUMN : LONGEST_TOKEN);
  }
  ci_text_add(p->out, "</tr>\n");
}

/* limits NULL: not painted. NaN: a blank cell. */
static void add_score(ci_page *p, double score, bool whole, const ci_heat_limits *limits, bool titled) {
  char text[32];
  if (isnan(score)) {
    ci_text_add(p->out, "<td></td>");
    return;
  }
  ci_text_add(p->out, "<td");
  ci_html_color(p->out, score, limits);
  ci_score_format(score, whole, text);
  if (titled) ci_text_add_format(p->out, " title=\"%.7g\"", score);
  ci_text_add(p->out, ">");
  ci_text_add(p->out, text);
  ci_text_add(p->out, "</td>");
}

static void add_row(ci_page *p, const ci_heat_table *t, size_t row, const ci_heat_limits *limits) {
  bool titled = !is_large(t);
  ci_text_add_format(p->out, "<tr><th class=\"ci-i\">%zu</th><th class=\"ci-t\" scope=\"row\">", t->first_row + row);
  add_token(p, t->row_tokens[row].token, LONGEST_TOKEN);
  for (size_t i = 0; i < t->column_count; i++)
    add_score(p, t->scores[row * t->column_count + i], false, limits, titled);
  ci_text_add(p->out, "</tr>\n");
}

static void add_step_scores(ci_page *p, const ci_sequence *s, const ci_heat_table *t) {
  if (!s->step_scores_count || !t->column_tokens) return;
  ci_text_add(p->out, "<tfoot>\n");
  for (size_t k = 0; k < s->step_scores_count; k++) {
    ci_text_add(p->out, "<tr><th class=\"ci-i\"> </th><th class=\"ci-t\" scope=\"row\">");
    ci_html_foreign(p->out, s->step_scores[k].name, false);
    ci_text_add(p->out, "</th>");
    const float *values = s->step_scores[k].values.data + t->first_column;
    bool whole = ci_scores_are_whole(values, t->column_count);
    for (size_t i = 0; i < t->column_count; i++) add_score(p, values[i], whole, NULL, true);
    ci_text_add(p->out, "</tr>\n");
  }
  ci_text_add(p->out, "</tfoot>\n");
}

/* Columns of the widest token, `longest` at most. */
static size_t widest(ci_page *p, const ci_token *tokens, size_t count, size_t longest) {
  size_t columns = SHORTEST;
  ci_text label = {0};
  for (size_t i = 0; tokens && i < count && columns < longest; i++) {
    size_t width = ci_token_label_add(&label, tokens[i].token, p->options->clean_tokens, longest);
    if (width > columns) columns = width;
    label.length = 0;
  }
  if (label.failed) p->out->failed = true;
  ci_text_free(&label);
  return columns;
}

/* Pixels, as letters of 12 pixels need them. */
static void add_widths(ci_page *p, const ci_sequence *s, const ci_heat_table *t) {
  enum { COLUMN = 8, PADDING = 12, INDICES = 38 };
  size_t names = widest(p, t->row_tokens, t->row_count, LONGEST_TOKEN);
  for (size_t k = 0; k < s->step_scores_count; k++)
    if (strlen(s->step_scores[k].name) > names) names = strlen(s->step_scores[k].name);
  if (names > LONGEST_TOKEN) names = LONGEST_TOKEN;
  size_t token = COLUMN * names + PADDING,
         cell = COLUMN * widest(p, t->column_tokens, t->column_count, LONGEST_COLUMN) + PADDING;
  ci_text_add_format(p->out, " class=\"ci-large\" style=\"--t:%zupx;--c:%zupx;--w:%zupx\"", token, cell,
                     INDICES + token + 1 + t->column_count * (cell + 1));
}

void ci_html_table(ci_page *p, const ci_sequence *s, const ci_heat_table *t, const ci_heat_limits *limits) {
  ci_text title = {0};
  ci_heat_table_title_add(&title, t, p->options->clean_tokens);
  if (title.failed) p->out->failed = true;
  ci_text_add(p->out, "<figure>\n<figcaption>");
  ci_html_escaped(p->out, title.data ? title.data : "");
  ci_text_add_format(p->out,
                     " <span>→ %s, ↓ attributed</span></figcaption>\n<div class=\"ci-scroll\" tabindex=\"0\" "
                     "role=\"group\" aria-label=\"",
                     t->across);
  ci_html_escaped(p->out, title.data ? title.data : "");
  ci_text_add(p->out, "\"><table");
  ci_text_free(&title);
  if (is_large(t)) add_widths(p, s, t);
  ci_text_add(p->out, ">\n<thead>\n");
  ci_text_free(&title);
  add_index_row(p, t);
  if (t->column_tokens) add_token_row(p, t);
  ci_text_add(p->out, "</thead>\n<tbody>\n");
  for (size_t row = 0; row < t->row_count; row++) add_row(p, t, row, limits);
  ci_text_add(p->out, "</tbody>\n");
  add_step_scores(p, s, t);
  ci_text_add(p->out, "</table></div>\n</figure>\n");
}

static bool has_negative(const ci_array *scores) {
  for (size_t i = 0; i < ci_array_size(scores); i++)
    if (scores->data[i] < 0) return true;
  return false;
}

void ci_html_bar(ci_page *p, const ci_sequence *s, const ci_heat_limits *limits) {
  char low[32], high[32];
  bool both = has_negative(&s->source_attributions) || has_negative(&s->target_attributions);
  ci_score_format(both ? limits->min : 0, false, low);
  ci_score_format(limits->max, false, high);
  double zero = !both ? 0 : limits->max > limits->min ? 100 * limits->min / (limits->min - limits->max) : 50;
  ci_color blue = ci_heat_on_white.negative, red = ci_heat_on_white.positive;
  ci_text_add_format(
      p->out,
      "<div class=\"ci-bar\"><span>%s</span> <i style=\"background:linear-gradient(to right,#%02x%02x%02x,"
      "#%02x%02x%02x00 %.2f%%,#%02x%02x%02x00 %.2f%%,#%02x%02x%02x) border-box\"></i> <span>%s</span></div>\n",
      low, blue.red, blue.green, blue.blue, blue.red, blue.green, blue.blue, zero, red.red, red.green, red.blue, zero,
      red.red, red.green, red.blue, high);
}

ci_status ci_html_tables(ci_page *p, const ci_sequence *s, ci_error *err) {
  ci_heat_tables tables;
  ci_status status = ci_view_tables(s, p->options, &tables, err);
  if (!status) {
    ci_heat_limits limits = ci_heat_table_limits(s, p->options->min_val, p->options->max_val);
    ci_html_texts(p, s);
    ci_text_add(p->out, "<div class=\"ci-tables\">\n");
    for (size_t i = 0; i < tables.count; i++) ci_html_table(p, s, &tables.items[i], &limits);
    ci_text_add(p->out, "</div>\n");
    if (tables.count) ci_html_bar(p, s, &limits);
  }
  ci_heat_tables_close(&tables);
  return status;
}
