/* The view `table`: source and target attributions by generated tokens. */
#include "output/view.h"

ci_status ci_table_view_tables(const ci_sequence *sequence, const ci_show_options *options, ci_heat_tables *tables,
                               ci_error *err) {
  (void)options;
  return ci_heat_tables_of(sequence, tables, err);
}
