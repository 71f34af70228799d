/* The heat tables as one HTML page (spec 4.4). Knows nothing of models. */
#ifndef CI_OUTPUT_HTML_H
#define CI_OUTPUT_HTML_H
#include "output/output.h"

/* ci_html_write appends a page that needs nothing else, no script and no other file: a section for each sequence, in it
 * the texts and a table for source and target attributions. Of the options colour and width mean nothing here. Errors:
 * CI_EINVAL for a sequence that ci_heat_table_check refuses. */

/* The style sheet of the page but for the colours of the scale (html_style.c). */
extern const char ci_html_style[];

#endif
