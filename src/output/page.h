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

/* Input and output of a sequence of the page's result; the output of a decoder-only model goes on in the input's line.
 */
void ci_html_texts(ci_page *page, const ci_sequence *sequence);

/* A heat table (page_table.c) with step scores below where its columns are generated tokens. */
void ci_html_table(ci_page *page, const ci_sequence *sequence, const ci_heat_table *table,
                   const ci_heat_limits *limits);
/* The colour scale with its limits; only the half of it that occurs. */
void ci_html_bar(ci_page *page, const ci_sequence *sequence, const ci_heat_limits *limits);
/* The texts, all tables of the view, side by side where there is room, and the scale. */
ci_status ci_html_tables(ci_page *page, const ci_sequence *sequence, ci_error *err);

/* Scores for the script of a view (page_live.c), which finds them by the view's id. */
typedef struct {
  const char *view;
  const char *title;
  const ci_token *rows, *columns; /* tokens of the first two dimensions */
  int rank;
  size_t shape[4], first[4]; /* first: numbers of the first members */
  const float *scores;       /* [shape] */
  ci_heat_limits limits;
  json_t *more; /* further members of the script's data, borrowed; NULL: none */
} ci_live;

/* Starts an element with the scores, which the caller closes with </div>, and gives it the step scores of the columns.
 * Errors: CI_EINVAL for more numbers than a page can hold. */
ci_status ci_html_live(ci_page *page, const ci_sequence *sequence, const ci_live *live, ci_error *err);
/* What is there without scripts, and for whoever wants numbers: the tables, where they are not too large. */
ci_status ci_html_plain(ci_page *page, const ci_sequence *sequence, ci_error *err);
/* What that has in place of tables that are too large: for each generated token the strongest attributed ones. */
ci_status ci_html_strongest(ci_page *page, const ci_sequence *sequence, ci_error *err);
/* Whether a token begins a word as far as it is known, and is not the first. */
bool ci_html_spaced(const ci_token *tokens, size_t at);

/* The style sheets: of fragments and pages, and what a page has besides. */
extern const char ci_page_style[], ci_page_frame_style[];

#endif
