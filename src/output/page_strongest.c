/* What stands in for tables that are too large where no script runs, in a notebook that is not trusted: for each
 * generated token the attributed tokens that count most.
 *
 *   <details class="ci-plain"> <table> generated token, <td>12 ▁word 0.117</td> five times */
#include "output/view.h"
#include <math.h>
#include <string.h>

enum { STRONGEST = 5, MOST_LINES = 100 };

typedef struct {
  size_t row;
  float score;
} strong;

/* Of one side, scores[rows, columns]: all there is, or means over the further dimensions. */
static const float *means_of(const ci_array *scores, ci_arena *arena) {
  size_t cells = scores->shape[0] * scores->shape[1], inner = cells ? ci_array_size(scores) / cells : 0;
  if (scores->rank == 2) return scores->data;
  float *means = ci_arena_alloc(arena, cells ? cells : 1, sizeof *means);
  for (size_t cell = 0; cell < cells && means; cell++) {
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < inner; i++) {
      float score = scores->data[cell * inner + i];
      if (!isnan(score)) sum += score, count++;
    }
    means[cell] = count ? (float)(sum / (double)count) : NAN;
  }
  return means;
}

/* The strongest of a column, strongest first. Returns how many there are. */
static size_t find_strongest(const ci_heat_table *t, size_t column, strong found[STRONGEST]) {
  size_t count = 0;
  for (size_t row = 0; row < t->row_count; row++) {
    float score = t->scores[row * t->column_count + column];
    if (isnan(score) || score == 0) continue;
    size_t at = count;
    while (at > 0 && fabsf(found[at - 1].score) < fabsf(score)) at--;
    if (at == STRONGEST) continue;
    if (count < STRONGEST) count++;
    memmove(found + at + 1, found + at, (count - at - 1) * sizeof *found);
    found[at] = (strong){row, score};
  }
  return count;
}

static void add_line(ci_page *p, const ci_heat_table *t, size_t column, const ci_heat_limits *limits) {
  char number[32];
  strong found[STRONGEST];
  size_t count = find_strongest(t, column, found);
  bool clean = p->options->clean_tokens;
  ci_text_add_format(p->out, "<tr><th class=\"ci-i\">%zu</th><th class=\"ci-t\" scope=\"row\"><bdi>", column);
  ci_html_foreign(p->out, t->column_tokens[column].token, clean);
  ci_text_add(p->out, "</bdi></th>");
  for (size_t i = 0; i < STRONGEST; i++) {
    ci_text_add(p->out, "<td");
    if (i < count) {
      ci_html_color(p->out, found[i].score, limits);
      ci_text_add_format(p->out, ">%zu <bdi>", found[i].row);
      ci_html_foreign(p->out, t->row_tokens[found[i].row].token, clean);
      ci_score_format(found[i].score, false, number);
      ci_text_add_format(p->out, "</bdi> %s</td>", number);
    } else
      ci_text_add(p->out, "></td>");
  }
  ci_text_add(p->out, "</tr>\n");
}

static void add_side(ci_page *p, const ci_heat_table *t, const ci_heat_limits *limits) {
  size_t lines = t->column_count < MOST_LINES ? t->column_count : MOST_LINES;
  ci_text_add_format(p->out, "<figure>\n<figcaption>%s <span>the strongest for each", t->title);
  if (lines < t->column_count)
    ci_text_add_format(p->out, " of the first %zu of %zu generated tokens", lines, t->column_count);
  else
    ci_text_add(p->out, " generated token");
  ci_text_add_format(p->out,
                     "%s</span></figcaption>\n<div class=\"ci-scroll\" tabindex=\"0\" role=\"group\" "
                     "aria-label=\"%s\"><table>\n<thead>\n",
                     t->place, t->title);
  ci_text_add(p->out, "<tr><th class=\"ci-i\"> </th><th class=\"ci-t\"> </th>");
  for (int i = 1; i <= STRONGEST; i++) ci_text_add_format(p->out, "<th class=\"ci-n\" scope=\"col\">%d</th>", i);
  ci_text_add(p->out, "</tr>\n</thead>\n<tbody>\n");
  for (size_t column = 0; column < lines; column++) add_line(p, t, column, limits);
  ci_text_add(p->out, "</tbody>\n</table></div>\n</figure>\n");
}

ci_status ci_html_strongest(ci_page *p, const ci_sequence *s, ci_error *err) {
  ci_arena *arena = ci_arena_create();
  ci_status status = arena ? CI_OK : ci_fail_memory(err);
  size_t all = ci_array_size(&s->source_attributions) + ci_array_size(&s->target_attributions);
  ci_text_add_format(
      p->out,
      "<details class=\"ci-plain\" open=\"\"><summary>The strongest of %zu scores</summary>\n"
      "<p class=\"ci-for\">All of them are shown by a script, in a notebook once it is trusted; the view "
      "&quot;table&quot; needs none.</p>\n<div class=\"ci-tables\">\n",
      all);
  for (int side = 0; side < 2 && !status; side++) {
    const ci_array *scores;
    ci_heat_table table;
    if (!ci_heat_table_frame(s, side == 0, &table, &scores)) continue;
    table.scores = means_of(scores, arena);
    if (!table.scores) {
      status = ci_fail_memory(err);
      break;
    }
    if (scores->rank > 2) memcpy(table.place, ", means", sizeof ", means");
    ci_heat_limits limits = {0, 0};
    for (size_t i = 0; i < table.row_count * table.column_count; i++) {
      float size = fabsf(table.scores[i]);
      ci_heat_limits_include(&limits, &size, 1);
    }
    add_side(p, &table, &limits);
  }
  ci_text_add(p->out, "</div>\n</details>\n");
  if (arena) ci_arena_close(arena);
  return status;
}
