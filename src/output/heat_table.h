/* What all drawings of a heat table have in common: what may be drawn, its limits, how numbers and tokens are written.
 */
#ifndef CI_OUTPUT_HEAT_TABLE_H
#define CI_OUTPUT_HEAT_TABLE_H
#include "aggregate/result.h"
#include "base/text.h"
#include "output/heat_color.h"

/* One of the at most two tables of an aggregated sequence, over the sequence's memory. */
typedef struct {
  const char *title;      /* "Source attributions" or "Target attributions" */
  const ci_array *scores; /* [row_count, column_count]; NaN: not generated yet */
  const ci_token *row_tokens, *column_tokens;
  size_t row_count, column_count;
  const char *side; /* "source" or "target" */
} ci_heat_table;

/* Source (encoder-decoder) and target (decoder-only or attribute_target), of a sequence that was checked; *count is 0
 * to 2. */
void ci_heat_tables(const ci_sequence *sequence, ci_heat_table tables[2], size_t *count);

/* Whether shapes, positions and step scores of an aggregated (2-D) sequence agree: a loaded file may say anything.
 * Errors: CI_EINVAL with the member. */
ci_status ci_heat_table_check(const ci_sequence *sequence, ci_error *err);

/* The limits of both tables of a sequence: from its scores and symmetric about zero, unless max_val > 0 or min_val < 0
 * say otherwise. */
ci_heat_limits ci_heat_table_limits(const ci_sequence *sequence, double min_val, double max_val);

/* A score as tables show it, three decimals while there is room for them, never "-0.000". Returns its length. */
size_t ci_score_format(double score, char text[32]);

/* Appends a token as it is or, when `clean`, without its word markers U+2581 and U+0120, unless nothing would be left.
 */
void ci_token_text_add(ci_text *out, const char *token, bool clean);

/* Appends a token that can be shown in one line (ci_display_add) of at most `most` columns (0: no limit), cleaned as
 * above. Returns the columns it takes. */
size_t ci_token_label_add(ci_text *out, const char *token, bool clean, size_t most);

#endif
