/* The heat tables as one HTML page (spec 4.4). Knows nothing of models. */
#ifndef CI_OUTPUT_HTML_H
#define CI_OUTPUT_HTML_H
#include "output/output.h"

/* ci_html_write appends a page that needs no other file and no network, or a fragment of one: a section for each
 * sequence, in it the texts and what the view shows. Of the options colour and width mean nothing here. Errors:
 * CI_EINVAL for a sequence that ci_heat_table_check refuses, and what views refuse. */

#endif
