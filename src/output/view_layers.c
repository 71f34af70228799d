/* The view `layers`: for each generated token a table of the attributed tokens by layers, scores[token, step, layer] of
 * one step. A token that was not generated yet has no row there. */
#include "output/view.h"

/* The table of one step out of scores [tokens, steps, layers]. */
static ci_status take_step(const ci_sequence *s, const ci_array *scores, size_t step, ci_heat_tables *tables,
                           ci_heat_table *t, ci_error *err) {
  size_t layers = scores->shape[2];
  float *data = ci_arena_alloc(tables->arena, t->row_count, layers * sizeof *data);
  if (!data) return ci_fail_memory(err);
  for (size_t row = 0; row < t->row_count; row++)
    for (size_t layer = 0; layer < layers; layer++)
      data[row * layers + layer] = scores->data[(row * scores->shape[1] + step) * layers + layer];
  t->across = "layer";
  t->of = &s->target[s->attr_pos_start + step];
  t->of_index = step;
  t->scores = data;
  t->column_tokens = NULL;
  t->column_count = layers;
  return CI_OK;
}

ci_status ci_layers_view_tables(const ci_sequence *s, const ci_show_options *options, ci_heat_tables *tables,
                                ci_error *err) {
  (void)options;
  size_t steps = s->attr_pos_end - s->attr_pos_start;
  ci_status status = ci_heat_tables_open(tables, 2 * steps, err);
  for (size_t step = 0; step < steps && !status; step++)
    for (int side = 0; side < 2 && !status; side++) {
      const ci_array *scores;
      ci_heat_table *table = &tables->items[tables->count];
      if (!ci_heat_table_frame(s, side == 0, table, &scores)) continue;
      if (side == 1 && s->attr_pos_start + step < table->row_count) table->row_count = s->attr_pos_start + step;
      status = take_step(s, scores, step, tables, table, err);
      tables->count++;
    }
  return status;
}

ci_status ci_layers_view_html(ci_page *p, const ci_sequence *s, ci_error *err) {
  static const int axes[] = {0, 2};
  return ci_granular_maps_html(p, s, axes, err);
}
