/* The heat table in a terminal (spec 4.4, console). Knows nothing of models. */
#ifndef CI_OUTPUT_TERMINAL_H
#define CI_OUTPUT_TERMINAL_H
#include "output/output.h"

/* Appends the tables of one aggregated (2-D) sequence: source (encoder-decoder) and target (decoder-only or
 * attribute_target), each followed by its step scores. */
ci_status ci_terminal_show(const ci_sequence *sequence, const ci_show_options *options, ci_text *out, ci_error *err);

#endif
