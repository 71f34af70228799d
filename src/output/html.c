/* The heat tables as an HTML page of its own:
 *
 *   <section>            one a sequence
 *     <h2> input, <p> output
 *     <div class=tables> source and target, side by side where there is room
 *       <table> thead: indices, tokens; tbody: index, token, <td class="p37" title="0.1174321">0.117</td>...;
 *               tfoot: a row for each step score
 *     <div class=bar>    the colour scale with its limits
 *
 * No cell of the headers is empty or spans two: what a browser copies as plain text has a tab a cell only where there
 * is text before it. A cell's class is its place on the scale in hundredths of the limit: p37, n5. Only the classes
 * that occur get their two rules, on light and on dark paper, so that colours follow the reader's theme without a
 * script. Text comes from anywhere: everything that is not ours goes through add_escaped. */
#include "output/html.h"
#include "cinseq.h"
#include "output/heat_table.h"
#include "output/output.h"
#include "output/result_info.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STEPS = 100, LONGEST_TOKEN = 20 /* columns that always fit under the style */ };

typedef struct {
  const ci_result *result;
  const ci_show_options *options;
  ci_text *out;
  bool used[2 * STEPS + 1]; /* classes that occur: index STEPS is zero */
} page;

/* Text for an element or a quoted attribute. */
static void add_escaped(ci_text *out, const char *text) {
  static const struct {
    char byte;
    const char *entity;
  } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
  for (; *text; text++) {
    const char *entity = NULL;
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
      if (entities[i].byte == *text) entity = entities[i].entity;
    if (entity)
      ci_text_add(out, entity);
    else
      ci_text_add_n(out, text, 1);
  }
}

/* Text of a file or a vocabulary: ill-formed UTF-8 and invisible characters are shown as such. Returns its columns. */
static size_t add_foreign(ci_text *out, const char *text, bool clean) {
  ci_text label = {0};
  size_t width = ci_token_label_add(&label, text, clean, 0);
  if (label.failed) out->failed = true;
  if (label.data) add_escaped(out, label.data);
  ci_text_free(&label);
  return width;
}

/* The same, but lines stay lines. */
static void add_lines(ci_text *out, const char *text) {
  for (size_t length; *text; text += length) {
    ci_text line = {0};
    length = strcspn(text, "\n");
    ci_text_add_n(&line, text, length);
    if (line.failed) out->failed = true;
    if (line.data) add_foreign(out, line.data, false);
    ci_text_free(&line);
    if (text[length]) ci_text_add_n(out, &text[length++], 1);
  }
}

/* ---- tables ---- */

/* A token of a header; one that the style cuts is whole on hover. */
static void add_token(page *p, const char *token) {
  ci_text text = {0};
  bool cut = add_foreign(&text, token, p->options->clean_tokens) > LONGEST_TOKEN;
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

static void add_index_row(page *p, const ci_heat_table *t) {
  ci_text_add(p->out, "<tr><th class=\"i\"> </th><th class=\"t\"> </th>");
  for (size_t i = 0; i < t->column_count; i++) ci_text_add_format(p->out, "<th class=\"n\">%zu</th>", i);
  ci_text_add(p->out, "</tr>\n");
}

static void add_token_row(page *p, const ci_heat_table *t) {
  ci_text_add(p->out, "<tr><th class=\"i\"> </th><th class=\"t\"> </th>");
  for (size_t i = 0; i < t->column_count; i++) {
    ci_text_add(p->out, "<th scope=\"col\">");
    add_token(p, t->column_tokens[i].token);
  }
  ci_text_add(p->out, "</tr>\n");
}

/* limits NULL: not painted. NaN: a blank cell. */
static void add_score(page *p, double score, const ci_heat_limits *limits) {
  char text[32];
  if (isnan(score)) {
    ci_text_add(p->out, "<td></td>");
    return;
  }
  ci_text_add(p->out, "<td");
  if (limits) {
    int step = (int)lround(ci_heat_share(score, limits) * STEPS);
    p->used[STEPS + step] = true;
    ci_text_add_format(p->out, " class=\"%c%d\"", step < 0 ? 'n' : 'p', step < 0 ? -step : step);
  }
  ci_score_format(score, text);
  ci_text_add_format(p->out, " title=\"%.7g\">%s</td>", score, text);
}

static void add_table_row(page *p, const ci_heat_table *t, size_t row, const ci_heat_limits *limits) {
  ci_text_add_format(p->out, "<tr><th class=\"i\">%zu</th><th class=\"t\" scope=\"row\">", row);
  add_token(p, t->row_tokens[row].token);
  for (size_t i = 0; i < t->column_count; i++) add_score(p, t->scores->data[row * t->column_count + i], limits);
  ci_text_add(p->out, "</tr>\n");
}

static void add_step_scores(page *p, const ci_sequence *s, size_t columns) {
  if (!s->step_scores_count) return;
  ci_text_add(p->out, "<tfoot>\n");
  for (size_t k = 0; k < s->step_scores_count; k++) {
    ci_text_add(p->out, "<tr><th class=\"i\"> </th><th class=\"t\" scope=\"row\">");
    add_foreign(p->out, s->step_scores[k].name, false);
    ci_text_add(p->out, "</th>");
    for (size_t i = 0; i < columns; i++) add_score(p, s->step_scores[k].values.data[i], NULL);
    ci_text_add(p->out, "</tr>\n");
  }
  ci_text_add(p->out, "</tfoot>\n");
}

static void add_table(page *p, const ci_sequence *s, const ci_heat_table *t, const ci_heat_limits *limits) {
  ci_text_add_format(p->out,
                     "<figure>\n<figcaption>%s<span>→ generated, ↓ attributed</span></figcaption>\n"
                     "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead>\n",
                     t->title);
  add_index_row(p, t);
  add_token_row(p, t);
  ci_text_add(p->out, "</thead>\n<tbody>\n");
  for (size_t row = 0; row < t->row_count; row++) add_table_row(p, t, row, limits);
  ci_text_add(p->out, "</tbody>\n");
  add_step_scores(p, s, t->column_count);
  ci_text_add(p->out, "</table></div>\n</figure>\n");
}

/* ---- sections ---- */

/* Input and output as headings; the output of a decoder-only model goes on in the input's line. */
static void add_texts(page *p, size_t at) {
  const char *input = ci_info_text(p->result->info, "input_texts", at),
             *output = ci_info_text(p->result->info, "generated_texts", at);
  if (!input && !output) {
    ci_text_add_format(p->out, "<h2>Text %zu</h2>\n", at + 1);
    return;
  }
  bool goes_on = input && output && ci_starts_with(output, input);
  ci_text_add(p->out, "<h2 dir=\"auto\">");
  if (input) add_lines(p->out, input);
  if (goes_on) {
    ci_text_add(p->out, "<span class=\"out\">");
    add_lines(p->out, output + strlen(input));
    ci_text_add(p->out, "</span>");
  }
  ci_text_add(p->out, "</h2>\n");
  if (!output || goes_on) return;
  ci_text_add(p->out, "<p class=\"out\" dir=\"auto\">");
  add_lines(p->out, output);
  ci_text_add(p->out, "</p>\n");
}

static bool has_negative(const ci_array *scores) {
  for (size_t i = 0; i < ci_array_size(scores); i++)
    if (scores->data[i] < 0) return true;
  return false;
}

/* Without a score below zero only the half of the scale that occurs. */
static void add_bar(page *p, const ci_sequence *s, const ci_heat_limits *limits) {
  char low[32], high[32];
  bool both = has_negative(&s->source_attributions) || has_negative(&s->target_attributions);
  ci_score_format(both ? limits->min : 0, low);
  ci_score_format(limits->max, high);
  double zero = limits->max > limits->min ? 100 * limits->min / (limits->min - limits->max) : 50;
  ci_text_add_format(p->out,
                     "<div class=\"bar %s\" style=\"--zero:%.2f%%\"><span>%s</span><i></i><span>%s</span></div>\n",
                     both ? "both" : "positive", zero, low, high);
}

static ci_status add_section(page *p, size_t at, ci_error *err) {
  const ci_sequence *s = &p->result->sequences[at];
  ci_heat_table tables[2];
  size_t count = 0;
  ci_status status = ci_heat_table_check(s, err);
  if (status) return status;
  ci_heat_limits limits = ci_heat_table_limits(s, p->options->min_val, p->options->max_val);
  ci_text_add(p->out, "<section>\n");
  add_texts(p, at);
  ci_text_add(p->out, "<div class=\"tables\">\n");
  ci_heat_tables(s, tables, &count);
  for (size_t i = 0; i < count; i++) add_table(p, s, &tables[i], &limits);
  ci_text_add(p->out, "</div>\n");
  if (count) add_bar(p, s, &limits);
  ci_text_add(p->out, "</section>\n");
  return CI_OK;
}

/* ---- the page ---- */

/* "probability_fn" is the score "probability". */
static void add_score_name(ci_text *out, const char *name) {
  size_t length = strlen(name) - (ci_ends_with(name, "_fn") ? strlen("_fn") : 0);
  ci_text_add_n(out, name, length);
}

static void add_meta(ci_text *out, const char *title, const char *value) {
  if (!value || !*value) return;
  ci_text_add_format(out, "<div><dt>%s</dt><dd>", title);
  add_foreign(out, value, false);
  ci_text_add(out, "</dd></div>\n");
}

/* A score or several, as Inseq's info has them. */
static void add_meta_scores(ci_text *out, const char *title, const json_t *value) {
  ci_text names = {0};
  size_t i;
  const json_t *name;
  if (json_is_string(value)) add_score_name(&names, json_string_value(value));
  json_array_foreach(value, i, name) {
    if (i) ci_text_add(&names, ", ");
    if (json_is_string(name)) add_score_name(&names, json_string_value(name));
  }
  if (names.failed) out->failed = true;
  add_meta(out, title, names.data);
  ci_text_free(&names);
}

static void add_header(ci_text *out, const json_t *info, const char *method) {
  ci_text_add(out, "<header>\n<h1>");
  add_foreign(out, method ? method : "Attributions", false);
  ci_text_add(out, "</h1>\n<dl class=\"meta\">\n");
  add_meta(out, "Model", ci_info_model(info));
  add_meta_scores(out, "Attributed", json_object_get(info, "attributed_fn"));
  add_meta_scores(out, "Step scores", json_object_get(info, "step_scores"));
  if (json_is_true(json_object_get(info, "constrained_decoding"))) add_meta(out, "Output", "given, not generated");
  ci_text_add(out, "</dl>\n</header>\n");
}

static void add_color(ci_text *out, ci_color color) {
  ci_text_add_format(out, "#%02x%02x%02x", color.red, color.green, color.blue);
}

/* The scale's ends as variables, and a rule for each class that occurs. */
static void add_rules(ci_text *out, const bool *used, const ci_heat_palette *palette) {
  ci_text_add(out, ":root{--low:");
  add_color(out, palette->negative);
  ci_text_add(out, ";--high:");
  add_color(out, palette->positive);
  ci_text_add(out, "}\n");
  for (int step = -STEPS; step <= STEPS; step++) {
    if (!used[STEPS + step]) continue;
    ci_color color = ci_heat_palette_color(palette, (double)step / STEPS);
    ci_text_add_format(out, ".%c%d{background:", step < 0 ? 'n' : 'p', step < 0 ? -step : step);
    add_color(out, color);
    ci_text_add(out, ci_color_wants_black(color) ? ";color:#000}\n" : ";color:#fff}\n");
  }
}

static void add_head(ci_text *out, const page *p, const char *method) {
  const char *model = ci_info_model(p->result->info);
  ci_text_add(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
  add_foreign(out, method ? method : "Attributions", false);
  if (model) ci_text_add(out, " · ");
  if (model) add_foreign(out, model, false);
  ci_text_add(out, "</title>\n<style>\n");
  ci_text_add(out, ci_html_style);
  add_rules(out, p->used, &ci_heat_on_white);
  ci_text_add(out, "@media screen and (prefers-color-scheme:dark){\n");
  add_rules(out, p->used, &ci_heat_on_dark);
  ci_text_add(out, "}\n</style>\n</head>\n");
}

ci_status ci_html_write(const ci_result *result, const ci_show_options *options, ci_text *out, ci_error *err) {
  ci_text sections = {0}; /* first, since the head says which colours they use */
  page p = {.result = result, .options = options, .out = &sections};
  const char *method = ci_info_method(result->info);
  ci_status status = CI_OK;
  for (size_t i = 0; i < result->count && !status; i++) status = add_section(&p, i, err);
  if (!status) {
    add_head(out, &p, method);
    ci_text_add(out, "<body>\n");
    add_header(out, result->info, method);
    ci_text_add_n(out, sections.data ? sections.data : "", sections.length);
    ci_text_add_format(out, "<footer>cinseq %s</footer>\n</body>\n</html>\n", cinseq_version());
    if (out->failed || sections.failed) status = ci_fail_memory(err);
  }
  ci_text_free(&sections);
  return status;
}
