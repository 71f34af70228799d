/* What all drawings of a heat table have in common: what may be drawn, its limits, how numbers and tokens are written.
 */
#ifndef CI_OUTPUT_HEAT_TABLE_H
#define CI_OUTPUT_HEAT_TABLE_H
#include "aggregate/result.h"
#include "base/memory.h"
#include "base/text.h"
#include "output/heat_color.h"

/* Tokens of one side by something, over the memory of the sequence or of the list that holds it. */
typedef struct {
  const char *title;   /* "Source attributions", "Target attributions", or "Step scores" where there are no others */
  const char *side;    /* "source" or "target" */
  const char *across;  /* what a column is: "generated", or a further dimension: "layer" */
  const ci_token *of;  /* the generated token that all of the table is about; NULL: every column is one */
  size_t of_index;     /* which of the generated tokens that is */
  char place[64];      /* where in further dimensions: "layer 3, head 5"; empty: there are none */
  const float *scores; /* [row_count, column_count]; NaN: not generated yet */
  const ci_token *row_tokens;
  const ci_token *column_tokens; /* NULL: columns are only numbered */
  size_t row_count, column_count;
  size_t first_row, first_column; /* the numbers of the first ones */
} ci_heat_table;

/* The tables of a sequence. */
typedef struct {
  ci_heat_table *items;
  size_t count;
  ci_arena *arena; /* of the items, and of scores that were put together for them */
} ci_heat_tables;

/* Room for `count` tables. ci_heat_tables_close also after a failure. */
ci_status ci_heat_tables_open(ci_heat_tables *tables, size_t count, ci_error *err);
void ci_heat_tables_close(ci_heat_tables *tables);

/* Source (encoder-decoder) and target (decoder-only or attribute_target) by generated tokens, of a sequence that was
 * checked: 0 to 2 tables. Without either step scores have one, without rows. */
ci_status ci_heat_tables_of(const ci_sequence *sequence, ci_heat_tables *tables, ci_error *err);

/* The attributions of a side that has any, as a table without scores: titles, tokens, counts. False: it has none. */
bool ci_heat_table_frame(const ci_sequence *sequence, bool source, ci_heat_table *table, const ci_array **scores);

/* What stands above a table: title, " of TOKEN" and its place, cleaned as the options of a drawing say. */
void ci_heat_table_title_add(ci_text *out, const ci_heat_table *table, bool clean);

/* Whether shapes, positions and step scores of a sequence agree, and attributions have `rank` dimensions (0: two or
 * more): a loaded file may say anything. Errors: CI_EINVAL with the member. */
ci_status ci_heat_table_check(const ci_sequence *sequence, int rank, ci_error *err);

/* The limits of both tables of a sequence: from its scores and symmetric about zero, unless max_val > 0 or min_val < 0
 * say otherwise. */
ci_heat_limits ci_heat_table_limits(const ci_sequence *sequence, double min_val, double max_val);

/* A score as tables show it, three decimals while there is room for them, never "-0.000"; whole: of whole numbers,
 * which need none. Returns its length. */
size_t ci_score_format(double score, bool whole, char text[32]);

/* Whether the step scores of a row are counts, such as n_steps: whole numbers all of them, but for those that are NaN.
 */
bool ci_scores_are_whole(const float *scores, size_t count);

/* Appends a token as it is or, when `clean`, without its word markers U+2581 and U+0120, unless nothing would be left.
 */
void ci_token_text_add(ci_text *out, const char *token, bool clean);

/* Appends a token that can be shown in one line (ci_display_add) of at most `most` columns (0: no limit), cleaned as
 * above. Returns the columns it takes. */
size_t ci_token_label_add(ci_text *out, const char *token, bool clean, size_t most);

#endif
