/* The heat table in a terminal (spec 4.4, console). Knows nothing of models. */
#ifndef CI_OUTPUT_TERMINAL_H
#define CI_OUTPUT_TERMINAL_H
#include "aggregate/result.h"
#include "base/options.h"

typedef struct {
  const char *color;       /* "none", "256", "truecolor" */
  int64_t width;           /* columns of the terminal; 0: no limit */
  bool clean_tokens;       /* strip word markers as the notebook does */
  double min_val, max_val; /* min_val <= 0 <= max_val; 0 or NaN: from the scores, symmetric about zero */
} ci_show_options;
extern const ci_option ci_show_option_table[];

/* Appends the tables of one aggregated (2-D) sequence: source (encoder-decoder) and target (decoder-only or
 * attribute_target), each followed by its step scores. */
ci_status ci_terminal_show(const ci_sequence *sequence, const ci_show_options *options, ci_text *out, ci_error *err);

#endif
