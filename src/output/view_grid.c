/* The view `grid`: each table of a sequence as a map that scripts/grid.js draws. */
#include "output/view.h"

static ci_status add_map(ci_page *p, const ci_sequence *s, const ci_heat_table *t, const ci_heat_limits *limits,
                         ci_error *err) {
  ci_live live = {.view = "grid",
                  .title = t->title,
                  .rows = t->row_tokens,
                  .columns = t->column_tokens,
                  .rank = 2,
                  .shape = {t->row_count, t->column_count},
                  .scores = t->scores,
                  .limits = *limits};
  ci_status status = ci_html_live(p, s, &live, err);
  if (status) return status;
  ci_text_add_format(p->out, "<div class=\"ci-name\">%s <span>→ %s, ↓ attributed</span></div>\n</div>\n", t->title,
                     t->across);
  return CI_OK;
}

ci_status ci_grid_view_html(ci_page *p, const ci_sequence *s, ci_error *err) {
  ci_heat_tables tables;
  ci_heat_limits limits = ci_heat_table_limits(s, p->options->min_val, p->options->max_val);
  ci_status status = ci_view_tables(s, p->options, &tables, err);
  if (!status) ci_html_texts(p, s);
  for (size_t i = 0; i < tables.count && !status; i++) status = add_map(p, s, &tables.items[i], &limits, err);
  if (!status && tables.count) ci_html_bar(p, s, &limits);
  if (!status) status = ci_html_plain(p, s, err);
  ci_heat_tables_close(&tables);
  return status;
}
