/* What is shown of a result, whatever it is turned into: one view = one file + one row in views.def. Outputs that draw
 * tables ask a view for them; a page asks it for more, where there is more than tables. */
#ifndef CI_OUTPUT_VIEW_H
#define CI_OUTPUT_VIEW_H
#include "output/embedded.h"
#include "output/heat_table.h"
#include "output/page.h"
#include "output/show_options.h"

/* A row of views.def.
 *   rank:    dimensions that attributions have there: 2 is tokens by tokens, 3 has one more; 0: as many as they have.
 *   sum:     gradients are summed over the embedding, which keeps their sign, in place of their length.
 *   shares:  of each column's sum of magnitudes, unless "normalize" is false or aggregators are named.
 *   options: keys of "show" that are the view's; NULL: none.
 *   tables:  what of a sequence, checked to have that rank, is drawn as text.
 *   html:    what a page has of it (page.h).
 *   script:  what the page needs for that; NULL: none. */
typedef struct {
  const char *id;
  const char *help;
  int rank;
  bool sum, shares;
  const ci_option *options;
  ci_status (*tables)(const ci_sequence *sequence, const ci_show_options *options, ci_heat_tables *tables,
                      ci_error *err);
  ci_status (*html)(ci_page *page, const ci_sequence *sequence, ci_error *err);
  const ci_embedded *script;
} ci_view;

const ci_view *ci_views(size_t *count);
/* NULL id: the first. An error with the nearest id when there is none. */
ci_status ci_view_named(const char *id, const ci_view **view, ci_error *err);
/* That of options that were read. */
const ci_view *ci_view_of(const ci_show_options *options);

/* A view's own options among those that were read. keep: what they borrow from, json_decref'd by the caller, also after
 * a failure. */
ci_status ci_view_options_read(const ci_option *table, const ci_show_options *options, void *own, json_t **keep,
                               ci_error *err);

/* The result as the view wants it: aggregated to its rank by the aggregators that the options name, or as suits the
 * method. *out is closed by the caller. Errors: CI_EINVAL for attributions that have too few dimensions. */
ci_status ci_view_prepare(const ci_view *view, const ci_result *result, const ci_show_options *options, ci_result **out,
                          ci_error *err);

/* The tables of a sequence, which is checked first. ci_heat_tables_close also after a failure. */
ci_status ci_view_tables(const ci_sequence *sequence, const ci_show_options *options, ci_heat_tables *tables,
                         ci_error *err);

/* Inseq's name of dimension i ("Input Tokens", "Generated Tokens", "Model Layer", ...), and what one of it is called.
 */
const char *ci_dimension_name(const ci_sequence *sequence, int i);
const char *ci_dimension_member(const ci_sequence *sequence, int i);

#define CI_VIEW(id, help, rank, sum, shares, options, tables, html, script)                                            \
  ci_status tables(const ci_sequence *sequence, const ci_show_options *show, ci_heat_tables *out, ci_error *err);      \
  ci_status html(ci_page *page, const ci_sequence *sequence, ci_error *err);
#include "output/views.def"
#undef CI_VIEW
/* What granular and layers have in a page: a map for each side, with these dimensions as rows and columns at first. */
ci_status ci_granular_maps_html(ci_page *page, const ci_sequence *sequence, const int axes[2], ci_error *err);
extern const ci_option ci_tokens_view_options[], ci_granular_view_options[];

#endif
