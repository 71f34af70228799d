/* What drawings of a result have to choose from: the keys of the request "show". */
#ifndef CI_OUTPUT_SHOW_OPTIONS_H
#define CI_OUTPUT_SHOW_OPTIONS_H
#include "base/options.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct {
  const char *color;       /* "none", "256", "truecolor"; of the terminal */
  int64_t width;           /* columns of the terminal; 0: no limit */
  const char *view;        /* id of a row of views.def; NULL: the first */
  bool fragment;           /* no page of its own */
  bool clean_tokens;       /* strip word markers as the notebook does */
  double min_val, max_val; /* min_val <= 0 <= max_val; 0 or NaN: from the scores, symmetric about zero */
  json_t *aggregators;     /* array of ids of aggregators and functions; NULL: the default of the result's kind */
  json_t *functions;       /* array of ids of functions, one for each aggregator; NULL */
  json_t *selectors;       /* array of indices, one for each aggregator; NULL */
  json_t *score_functions; /* object: ids of functions by names of step scores */
  const json_t *arguments; /* object with the options of aggregators among others, or NULL */
  json_t *owner;           /* of all that the members point to */
} ci_show_options;

/* Of a drawing's own options; those of every aggregator are keys of the request too. */
extern const ci_option ci_show_option_table[];

/* Reads a JSON object (NULL: all defaults). ci_show_options_free also after a failure. Errors: CI_EINVAL for unknown
 * keys, wrong values and names of aggregators that there are not. */
ci_status ci_show_options_read(const char *json, ci_show_options *options, ci_error *err);
void ci_show_options_free(ci_show_options *options);

#endif
