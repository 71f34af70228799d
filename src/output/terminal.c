/* The heat table of a terminal:
 *
 *   Source attributions  → generated, ↓ attributed
 *                   0      1      2
 *                  ▁I   ▁have  </s>
 *   0 ▁今天      0.117  0.138  0.102      (background: the scale of heat_color.h)
 *   1 </s>       0.883  0.862  0.898
 *   ─────────────────────────────────
 *   probability  0.610  0.203  0.988
 *
 * A score that is NaN was not generated yet: its cell stays blank and unpainted. A table wider than the terminal goes
 * on below, in blocks of columns. Colours are only set around cells, so that nothing leaks into what follows. */
#include "output/terminal.h"
#include "base/memory.h"
#include "output/display_width.h"
#include "output/heat_color.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  char *text; /* safe to print */
  size_t width;
} label;

typedef struct {
  label label;
  size_t number_width; /* of the widest score, so that decimal points stand below each other */
  size_t width;        /* with a space on either side */
} column;

typedef struct {
  const ci_sequence *sequence;
  const ci_show_options *options;
  const char *title;
  const ci_array *scores; /* [rows, columns] */
  const ci_token *row_tokens, *column_tokens;
  size_t row_count, column_count;
  ci_heat_limits limits;
  ci_arena *arena;
  label *rows;       /* [row_count] */
  label *score_rows; /* [step_scores_count] */
  column *columns;   /* [column_count] */
  size_t index_width, side_width;
} table;

/* Where a line is written: spaces wait until something follows, so that no line ends in them. */
typedef struct {
  ci_text *out;
  const char *color; /* NULL: none */
  size_t spaces;
} line;

#define AT(field) offsetof(ci_show_options, field)
const ci_option ci_show_option_table[] = {
    {"color", NULL, CI_WORD, AT(color), "\"none\"", 0, 0, "none|256|truecolor", "Colours that the terminal has."},
    {"width", NULL, CI_INT, AT(width), "0", 0, 1000000, NULL,
     "Columns of the terminal: wider tables are split; 0: no limit."},
    {"clean_tokens", NULL, CI_BOOL, AT(clean_tokens), "false", 0, 0, NULL,
     "Show tokens without their word markers (U+2581 and U+0120)."},
    {"min_val", NULL, CI_REAL, AT(min_val), "0", -1e300, 0, NULL,
     "The score that is all blue; 0: the negative of max_val."},
    {"max_val", NULL, CI_REAL, AT(max_val), "0", 0, 1e300, NULL, "The score that is all red; 0: the largest score."},
    CI_OPTIONS_END,
};
#undef AT

static void flush_spaces(line *l) {
  for (; l->spaces; l->spaces--) ci_text_add_n(l->out, " ", 1);
}

static void add_text(line *l, const char *text) {
  if (!*text) return;
  flush_spaces(l);
  ci_text_add(l->out, text);
}

/* style: the number of a text attribute (SGR): 1 bold, 2 faint. */
static void add_styled(line *l, int style, const char *text) {
  if (!*text) return;
  flush_spaces(l);
  if (l->color) ci_text_add_format(l->out, "\x1b[%dm", style);
  ci_text_add(l->out, text);
  if (l->color) ci_text_add(l->out, "\x1b[0m");
}

static void end_line(line *l) {
  ci_text_add_n(l->out, "\n", 1);
  l->spaces = 0;
}

/* Three decimals, as Inseq's tables, while there is room for them. Never "-0.000". */
static size_t format_score(double score, char text[32]) {
  if (fabs(score) < 0.0005) score = 0;
  const char *format = fabs(score) < 10000 ? "%.3f" : fabs(score) < 1e9 ? "%.0f" : "%.3g";
  int n = snprintf(text, 32, format, score);
  return n > 0 ? (size_t)n : 0;
}

static double score_at(const table *t, size_t row, size_t col) {
  return t->scores->data[row * t->column_count + col];
}

static void start_paint(line *l, double score, const ci_heat_limits *limits) {
  ci_color color;
  if (strcmp(l->color, "256") == 0) {
    int number = ci_heat_color_256(score, limits, &color);
    ci_text_add_format(l->out, "\x1b[38;5;%d;48;5;%dm", ci_color_wants_black(color) ? 16 : 231, number);
  } else {
    color = ci_heat_color(score, limits);
    int ink = ci_color_wants_black(color) ? 0 : 255;
    ci_text_add_format(l->out, "\x1b[38;2;%d;%d;%d;48;2;%d;%d;%dm", ink, ink, ink, color.red, color.green, color.blue);
  }
}

/* One cell; limits NULL: not painted. NaN: blank. */
static void add_score(line *l, const column *c, double score, const ci_heat_limits *limits) {
  char text[32] = "";
  size_t width = isnan(score) ? 0 : format_score(score, text);
  if (isnan(score)) {
    l->spaces += c->width;
    return;
  }
  size_t box = c->number_width > width ? c->number_width : width;
  size_t left = (c->width - box) / 2 + box - width;
  if (limits && l->color) {
    flush_spaces(l);
    start_paint(l, score, limits);
    ci_text_add_format(l->out, "%*s%s%*s", (int)left, "", text, (int)(c->width - left - width), "");
    ci_text_add(l->out, "\x1b[0m");
    return;
  }
  l->spaces += left;
  add_text(l, text);
  l->spaces += c->width - left - width;
}

static void add_centred(line *l, size_t room, const char *text, size_t width, bool faint) {
  size_t left = (room - width) / 2;
  l->spaces += left;
  if (faint)
    add_styled(l, 2, text);
  else
    add_text(l, text);
  l->spaces += room - left - width;
}

/* The indices and the tokens of columns first..end-1. */
static void add_header(line *l, const table *t, size_t first, size_t end) {
  char text[32];
  l->spaces += t->side_width;
  for (size_t i = first; i < end; i++) {
    int n = snprintf(text, sizeof text, "%zu", i);
    add_centred(l, t->columns[i].width, text, n > 0 ? (size_t)n : 0, true);
  }
  end_line(l);
  l->spaces += t->side_width;
  for (size_t i = first; i < end; i++)
    add_centred(l, t->columns[i].width, t->columns[i].label.text, t->columns[i].label.width, false);
  end_line(l);
}

static void add_row(line *l, const table *t, size_t row, size_t first, size_t end) {
  char text[32];
  snprintf(text, sizeof text, "%*zu", (int)t->index_width, row);
  add_styled(l, 2, text);
  l->spaces++;
  add_text(l, t->rows[row].text);
  l->spaces += t->side_width - t->index_width - 1 - t->rows[row].width;
  for (size_t i = first; i < end; i++) add_score(l, &t->columns[i], score_at(t, row, i), &t->limits);
  end_line(l);
}

static void add_rule(line *l, size_t width) {
  if (l->color) ci_text_add(l->out, "\x1b[2m");
  for (size_t i = 0; i < width; i++) ci_text_add(l->out, "─");
  if (l->color) ci_text_add(l->out, "\x1b[0m");
  end_line(l);
}

static void add_step_scores(line *l, const table *t, size_t first, size_t end, size_t width) {
  if (!t->sequence->step_scores_count) return;
  add_rule(l, width);
  for (size_t s = 0; s < t->sequence->step_scores_count; s++) {
    add_text(l, t->score_rows[s].text);
    l->spaces += t->side_width - t->score_rows[s].width;
    const float *values = t->sequence->step_scores[s].values.data;
    for (size_t i = first; i < end; i++) add_score(l, &t->columns[i], values[i], NULL);
    end_line(l);
  }
}

static void add_table(ci_text *out, const table *t) {
  line l = {out, strcmp(t->options->color, "none") == 0 ? NULL : t->options->color, 0};
  size_t limit = t->options->width > 0 ? (size_t)t->options->width : SIZE_MAX;
  if (out->length) end_line(&l);
  add_styled(&l, 1, t->title);
  l.spaces = 2;
  add_styled(&l, 2, "→ generated, ↓ attributed");
  end_line(&l);
  for (size_t first = 0, end; first < t->column_count; first = end) {
    size_t width = t->side_width + t->columns[first].width;
    for (end = first + 1; end < t->column_count && width + t->columns[end].width <= limit; end++)
      width += t->columns[end].width;
    if (first) end_line(&l);
    add_header(&l, t, first, end);
    for (size_t row = 0; row < t->row_count; row++) add_row(&l, t, row, first, end);
    add_step_scores(&l, t, first, end, width);
  }
}

/* Removes U+2581 and U+0120, unless nothing would be left. */
static void add_clean(ci_text *out, const char *token) {
  size_t start = out->length;
  for (const char *at = token; *at;) {
    if (ci_starts_with(at, "▁"))
      at += strlen("▁");
    else if (ci_starts_with(at, "Ġ"))
      at += strlen("Ġ");
    else
      ci_text_add_n(out, at++, 1);
  }
  if (out->length == start) ci_text_add(out, token);
}

static ci_status make_label(const table *t, const char *text, bool clean, size_t most, label *made, ci_error *err) {
  ci_text cleaned = {0}, safe = {0};
  if (clean) add_clean(&cleaned, text);
  size_t width = ci_display_add(&safe, cleaned.data ? cleaned.data : text, most);
  bool failed = cleaned.failed || safe.failed;
  *made = (label){failed ? NULL : ci_arena_text(t->arena, safe.data ? safe.data : ""), width};
  ci_text_free(&cleaned);
  ci_text_free(&safe);
  return made->text ? CI_OK : ci_fail_memory(err);
}

static void measure_column(const table *t, size_t i) {
  column *c = &t->columns[i];
  char text[32];
  for (size_t row = 0; row < t->row_count; row++) {
    double score = score_at(t, row, i);
    size_t width = isnan(score) ? 0 : format_score(score, text);
    if (width > c->number_width) c->number_width = width;
  }
  for (size_t s = 0; s < t->sequence->step_scores_count; s++) {
    double score = t->sequence->step_scores[s].values.data[i];
    size_t width = isnan(score) ? 0 : format_score(score, text);
    if (width > c->number_width) c->number_width = width;
  }
  enum { NARROWEST = 5 }; /* 0.000: all cells look alike */
  c->width = c->label.width > c->number_width ? c->label.width : c->number_width;
  c->width = (c->width < NARROWEST ? NARROWEST : c->width) + 2;
}

static ci_status make_labels(table *t, ci_error *err) {
  ci_status status = CI_OK;
  bool clean = t->options->clean_tokens;
  size_t most = t->options->width > 0 ? (size_t)t->options->width / 3 : 0, widest = 0;
  if (most && most < 8) most = 8;
  t->index_width = (size_t)snprintf(NULL, 0, "%zu", t->row_count ? t->row_count - 1 : 0);
  for (size_t i = 0; i < t->row_count && !status; i++) {
    status = make_label(t, t->row_tokens[i].token, clean, most, &t->rows[i], err);
    if (t->rows[i].width > widest) widest = t->rows[i].width;
  }
  t->side_width = t->index_width + 1 + widest;
  for (size_t i = 0; i < t->sequence->step_scores_count && !status; i++) {
    status = make_label(t, t->sequence->step_scores[i].name, false, most, &t->score_rows[i], err);
    if (t->score_rows[i].width > t->side_width) t->side_width = t->score_rows[i].width;
  }
  t->side_width++;
  for (size_t i = 0; i < t->column_count && !status; i++) {
    status = make_label(t, t->column_tokens[i].token, clean, most, &t->columns[i].label, err);
    measure_column(t, i);
  }
  return status;
}

static ci_status show_table(table *t, ci_text *out, ci_error *err) {
  t->arena = ci_arena_create();
  if (!t->arena) return ci_fail_memory(err);
  t->rows = ci_arena_alloc(t->arena, t->row_count, sizeof *t->rows);
  t->columns = ci_arena_alloc(t->arena, t->column_count, sizeof *t->columns);
  t->score_rows = ci_arena_alloc(t->arena, t->sequence->step_scores_count, sizeof *t->score_rows);
  ci_status status = t->rows && t->columns && t->score_rows ? make_labels(t, err) : ci_fail_memory(err);
  if (!status) add_table(out, t);
  ci_arena_close(t->arena);
  return status ? status : out->failed ? ci_fail_memory(err) : CI_OK;
}

/* Whether scores are [at most most_rows, columns]: a loaded file may say anything. */
static ci_status check_scores(const char *what, const ci_array *scores, size_t most_rows, size_t columns,
                              ci_error *err) {
  if (scores->rank != 2)
    return ci_fail(err, CI_EINVAL, what, "has %d dimensions, expected 2: an aggregated result", scores->rank);
  if (scores->shape[0] > most_rows || scores->shape[1] != columns)
    return ci_fail(err, CI_EINVAL, what, "is %zu x %zu, expected at most %zu attributed by %zu generated tokens",
                   scores->shape[0], scores->shape[1], most_rows, columns);
  return CI_OK;
}

static ci_status check_sequence(const ci_sequence *s, ci_error *err) {
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

static ci_heat_limits find_limits(const ci_sequence *s, const ci_show_options *options) {
  ci_heat_limits limits = {0, 0};
  ci_heat_limits_include(&limits, s->source_attributions.data, ci_array_size(&s->source_attributions));
  ci_heat_limits_include(&limits, s->target_attributions.data, ci_array_size(&s->target_attributions));
  if (options->max_val > 0) limits = (ci_heat_limits){-options->max_val, options->max_val};
  if (options->min_val < 0) limits.min = options->min_val;
  return limits;
}

ci_status ci_terminal_show(const ci_sequence *sequence, const ci_show_options *options, ci_text *out, ci_error *err) {
  ci_status status = check_sequence(sequence, err);
  if (status) return status;
  table t = {.sequence = sequence,
             .options = options,
             .column_tokens = sequence->target ? sequence->target + sequence->attr_pos_start : NULL,
             .column_count = sequence->attr_pos_end - sequence->attr_pos_start,
             .limits = find_limits(sequence, options)};
  if (sequence->source_attributions.data) {
    t.title = "Source attributions";
    t.scores = &sequence->source_attributions;
    t.row_tokens = sequence->source;
    t.row_count = t.scores->shape[0];
    status = show_table(&t, out, err);
  }
  if (!status && sequence->target_attributions.data) {
    t.title = "Target attributions";
    t.scores = &sequence->target_attributions;
    t.row_tokens = sequence->target;
    t.row_count = t.scores->shape[0];
    status = show_table(&t, out, err);
  }
  return status;
}
