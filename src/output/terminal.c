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
#include "output/view.h"
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
  ci_heat_table heat;
  ci_heat_limits limits;
  ci_arena *arena;
  label *rows;          /* [heat.row_count] */
  label *score_rows;    /* [step_scores_count] */
  bool *whole;          /* [step_count]: of the step scores, those that are counts */
  column *columns;      /* [heat.column_count] */
  char *title, *legend; /* what stands above */
  size_t index_width, side_width;
  size_t step_count; /* of the step scores that stand below */
} table;

/* Where a line is written: spaces wait until something follows, so that no line ends in them. */
typedef struct {
  ci_text *out;
  const char *color; /* NULL: none */
  size_t spaces;
} line;

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

static double score_at(const table *t, size_t row, size_t col) {
  return t->heat.scores[row * t->heat.column_count + col];
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
static void add_score(line *l, const column *c, double score, bool whole, const ci_heat_limits *limits) {
  char text[32] = "";
  size_t width = isnan(score) ? 0 : ci_score_format(score, whole, text);
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
    int n = snprintf(text, sizeof text, "%zu", t->heat.first_column + i);
    add_centred(l, t->columns[i].width, text, n > 0 ? (size_t)n : 0, true);
  }
  end_line(l);
  if (!t->heat.column_tokens) return;
  l->spaces += t->side_width;
  for (size_t i = first; i < end; i++)
    add_centred(l, t->columns[i].width, t->columns[i].label.text, t->columns[i].label.width, false);
  end_line(l);
}

static void add_row(line *l, const table *t, size_t row, size_t first, size_t end) {
  char text[32];
  snprintf(text, sizeof text, "%*zu", (int)t->index_width, t->heat.first_row + row);
  add_styled(l, 2, text);
  l->spaces++;
  add_text(l, t->rows[row].text);
  l->spaces += t->side_width - t->index_width - 1 - t->rows[row].width;
  for (size_t i = first; i < end; i++) add_score(l, &t->columns[i], score_at(t, row, i), false, &t->limits);
  end_line(l);
}

static void add_rule(line *l, size_t width) {
  if (l->color) ci_text_add(l->out, "\x1b[2m");
  for (size_t i = 0; i < width; i++) ci_text_add(l->out, "─");
  if (l->color) ci_text_add(l->out, "\x1b[0m");
  end_line(l);
}

static void add_step_scores(line *l, const table *t, size_t first, size_t end, size_t width) {
  if (!t->step_count) return;
  add_rule(l, width);
  for (size_t s = 0; s < t->step_count; s++) {
    add_text(l, t->score_rows[s].text);
    l->spaces += t->side_width - t->score_rows[s].width;
    const float *values = t->sequence->step_scores[s].values.data + t->heat.first_column;
    for (size_t i = first; i < end; i++) add_score(l, &t->columns[i], values[i], t->whole[s], NULL);
    end_line(l);
  }
}

static void add_table(ci_text *out, const table *t) {
  line l = {out, strcmp(t->options->color, "none") == 0 ? NULL : t->options->color, 0};
  size_t limit = t->options->width > 0 ? (size_t)t->options->width : SIZE_MAX;
  if (out->length) end_line(&l);
  add_styled(&l, 1, t->title);
  l.spaces = 2;
  add_styled(&l, 2, t->legend);
  end_line(&l);
  for (size_t first = 0, end; first < t->heat.column_count; first = end) {
    size_t width = t->side_width + t->columns[first].width;
    for (end = first + 1; end < t->heat.column_count && width + t->columns[end].width <= limit; end++)
      width += t->columns[end].width;
    if (first) end_line(&l);
    add_header(&l, t, first, end);
    for (size_t row = 0; row < t->heat.row_count; row++) add_row(&l, t, row, first, end);
    add_step_scores(&l, t, first, end, width);
  }
}

static ci_status make_label(const table *t, const char *text, bool clean, size_t most, label *made, ci_error *err) {
  ci_text safe = {0};
  size_t width = ci_token_label_add(&safe, text, clean, most);
  *made = (label){safe.failed ? NULL : ci_arena_text(t->arena, safe.data ? safe.data : ""), width};
  ci_text_free(&safe);
  return made->text ? CI_OK : ci_fail_memory(err);
}

static void measure_column(const table *t, size_t i) {
  column *c = &t->columns[i];
  char text[32];
  for (size_t row = 0; row < t->heat.row_count; row++) {
    double score = score_at(t, row, i);
    size_t width = isnan(score) ? 0 : ci_score_format(score, false, text);
    if (width > c->number_width) c->number_width = width;
  }
  for (size_t s = 0; s < t->step_count; s++) {
    double score = t->sequence->step_scores[s].values.data[t->heat.first_column + i];
    size_t width = isnan(score) ? 0 : ci_score_format(score, t->whole[s], text);
    if (width > c->number_width) c->number_width = width;
  }
  enum { NARROWEST = 5 }; /* 0.000: all cells look alike */
  c->width = c->label.width > c->number_width ? c->label.width : c->number_width;
  c->width = (c->width < NARROWEST ? NARROWEST : c->width) + 2;
}

static ci_status make_titles(table *t, ci_error *err) {
  ci_text title = {0}, legend = {0};
  ci_heat_table_title_add(&title, &t->heat, t->options->clean_tokens);
  ci_text_add_format(&legend, "→ %s, ↓ attributed", t->heat.across);
  bool failed = title.failed || legend.failed;
  t->title = failed ? NULL : ci_arena_text(t->arena, title.data);
  t->legend = failed ? NULL : ci_arena_text(t->arena, legend.data);
  ci_text_free(&title);
  ci_text_free(&legend);
  return t->title && t->legend ? CI_OK : ci_fail_memory(err);
}

static ci_status make_labels(table *t, ci_error *err) {
  ci_status status = make_titles(t, err);
  bool clean = t->options->clean_tokens;
  size_t most = t->options->width > 0 ? (size_t)t->options->width / 3 : 0, widest = 0;
  if (most && most < 8) most = 8;
  t->index_width =
      (size_t)snprintf(NULL, 0, "%zu", t->heat.first_row + (t->heat.row_count ? t->heat.row_count - 1 : 0));
  for (size_t i = 0; i < t->heat.row_count && !status; i++) {
    status = make_label(t, t->heat.row_tokens[i].token, clean, most, &t->rows[i], err);
    if (t->rows[i].width > widest) widest = t->rows[i].width;
  }
  t->side_width = t->index_width + 1 + widest;
  for (size_t i = 0; i < t->step_count && !status; i++) {
    status = make_label(t, t->sequence->step_scores[i].name, false, most, &t->score_rows[i], err);
    if (t->score_rows[i].width > t->side_width) t->side_width = t->score_rows[i].width;
  }
  t->side_width++;
  for (size_t i = 0; i < t->heat.column_count && !status; i++) {
    if (t->heat.column_tokens)
      status = make_label(t, t->heat.column_tokens[i].token, clean, most, &t->columns[i].label, err);
    measure_column(t, i);
  }
  return status;
}

static ci_status show_table(table *t, ci_text *out, ci_error *err) {
  t->arena = ci_arena_create();
  if (!t->arena) return ci_fail_memory(err);
  t->rows = ci_arena_alloc(t->arena, t->heat.row_count, sizeof *t->rows);
  t->columns = ci_arena_alloc(t->arena, t->heat.column_count, sizeof *t->columns);
  t->score_rows = ci_arena_alloc(t->arena, t->sequence->step_scores_count, sizeof *t->score_rows);
  t->whole = ci_arena_alloc(t->arena, t->step_count, sizeof *t->whole);
  for (size_t s = 0; s < t->step_count && t->whole; s++)
    t->whole[s] =
        ci_scores_are_whole(t->sequence->step_scores[s].values.data + t->heat.first_column, t->heat.column_count);
  ci_status status = t->rows && t->columns && t->score_rows && t->whole ? make_labels(t, err) : ci_fail_memory(err);
  if (!status) add_table(out, t);
  ci_arena_close(t->arena);
  return status ? status : out->failed ? ci_fail_memory(err) : CI_OK;
}

ci_status ci_terminal_show(const ci_sequence *sequence, const ci_show_options *options, ci_text *out, ci_error *err) {
  ci_heat_tables tables;
  ci_status status = ci_view_tables(sequence, options, &tables, err);
  for (size_t i = 0; i < tables.count && !status; i++) {
    table t = {.sequence = sequence,
               .options = options,
               .heat = tables.items[i],
               .step_count = tables.items[i].column_tokens ? sequence->step_scores_count : 0,
               .limits = ci_heat_table_limits(sequence, options->min_val, options->max_val)};
    status = show_table(&t, out, err);
  }
  ci_heat_tables_close(&tables);
  return status;
}

ci_status ci_terminal_write(const ci_result *result, const ci_show_options *options, ci_text *out, ci_error *err) {
  ci_status status = CI_OK;
  for (size_t i = 0; i < result->count && !status; i++)
    status = ci_terminal_show(&result->sequences[i], options, out, err);
  return status;
}
