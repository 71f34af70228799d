/* The parts of an HTML page, or of a fragment for a page of others (a notebook's cell): what views write into it. Text
 * comes from anywhere: everything that is not ours goes through one of the functions here. Nothing has an id and every
 * rule of the style sheet begins with .cinseq, so fragments in one page leave each other and the page alone. */
#ifndef CI_OUTPUT_PAGE_H
#define CI_OUTPUT_PAGE_H
#include "output/heat_table.h"
#include "output/show_options.h"

typedef struct {
  const ci_result *result;
  const ci_show_options *options;
  ci_text *out;
} ci_page;

/* Text for an element or a quoted attribute. */
void ci_html_escaped(ci_text *out, const char *text);
/* Text of a file or a vocabulary: ill-formed UTF-8 and invisible characters are shown as such. Returns its columns. */
size_t ci_html_foreign(ci_text *out, const char *text, bool clean);
/* The same, but lines stay lines. */
void ci_html_lines(ci_text *out, const char *text);

/* The style attribute of what has a score: blue or red, the more opaque the larger, and white ink where that reads
 * better; none for zero. It reads on light and on dark paper, and without a style sheet. limits NULL or NaN: none. */
void ci_html_color(ci_text *out, double score, const ci_heat_limits *limits);

/* A heat table (page_table.c) with step scores below where its columns are generated tokens. */
void ci_html_table(ci_page *page, const ci_sequence *sequence, const ci_heat_table *table,
                   const ci_heat_limits *limits);
/* The colour scale with its limits; only the half of it that occurs. */
void ci_html_bar(ci_page *page, const ci_sequence *sequence, const ci_heat_limits *limits);
/* All tables of the view, side by side where there is room, and the scale. */
ci_status ci_html_tables(ci_page *page, const ci_sequence *sequence, ci_error *err);

/* The style sheets: of fragments and pages, and what a page has besides. */
extern const char ci_page_style[], ci_page_frame_style[];

#endif
