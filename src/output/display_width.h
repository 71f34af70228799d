/* Text as a terminal shows it: how many columns it takes, and a form that cannot steer the terminal. */
#ifndef CI_OUTPUT_DISPLAY_WIDTH_H
#define CI_OUTPUT_DISPLAY_WIDTH_H
#include "base/text.h"

/* Columns that `text` takes (UTF-8; what is ill-formed counts as U+FFFD): 2 for East Asian wide characters and for an
 * emoji with all that is joined to it, 0 for combining characters. Text must be free of control characters. */
size_t ci_display_width(const char *text);

/* Appends `text` so that it is safe in any cell: control characters and invisible formatting as \n, \t, \x1b, \u202e;
 * ill-formed UTF-8 as U+FFFD; a combining character without a base on a dotted circle. What is wider than `most`
 * columns (0: no limit) is cut and ends in an ellipsis. Returns the columns that were added. */
size_t ci_display_add(ci_text *out, const char *text, size_t most);

#endif
