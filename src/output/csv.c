/* The tables of a view as comma-separated values (RFC 4180: one header line, as many fields in every line, CRLF):
 *
 *   text,table,index,token,0,1,...
 *   1,generated,,,▁I,▁have,...            the tokens that head the columns
 *   1,source,0,▁今天,0.117432103,...      a line for each attributed token; also "target"
 *   1,step_scores,,probability,0.44,...
 *
 * Where a table is about one generated token, or one place in further dimensions, lines say so behind the table's name:
 *
 *   text,table,step,generated,place,index,token,0,1,...
 *   1,source,3,▁lot,,0,▁今天,0.0661,...    view "layers": columns are layers
 *
 * Scores have the nine digits that give a float32 back; NaN, and columns that a shorter text does not have, are blank.
 */
#include "output/output.h"
#include "output/view.h"
#include <math.h>
#include <string.h>

typedef struct {
  const ci_show_options *options;
  ci_text *out;
  size_t text;    /* counted from 1 */
  size_t columns; /* of the widest table */
  bool detailed;  /* lines say what their table is about */
} sheet;

/* A field in quotes where its text needs them. */
static void add_field(ci_text *out, const char *text) {
  if (!strpbrk(text, "\",\r\n")) {
    ci_text_add_utf8_lossy(out, text, strlen(text));
    return;
  }
  ci_text_add(out, "\"");
  for (size_t n; *text; text += n) {
    n = strcspn(text, "\"");
    ci_text_add_utf8_lossy(out, text, n);
    if (text[n]) ci_text_add(out, "\"\"");
    n += text[n] != 0;
  }
  ci_text_add(out, "\"");
}

static void add_token(const sheet *s, const char *token) {
  ci_text text = {0};
  ci_token_text_add(&text, token, s->options->clean_tokens);
  if (text.failed) s->out->failed = true;
  if (text.data) add_field(s->out, text.data);
  ci_text_free(&text);
}

/* The fields before the columns; about: the table that says what it is about, or NULL; index < 0: blank; token NULL:
 * blank. */
static void start_line(const sheet *s, const char *table, const ci_heat_table *about, long index, const char *token) {
  ci_text_add_format(s->out, "%zu,%s,", s->text, table);
  if (s->detailed && about && about->of) {
    ci_text_add_format(s->out, "%zu,", about->of_index);
    add_token(s, about->of->token);
    ci_text_add(s->out, ",");
  } else if (s->detailed)
    ci_text_add(s->out, ",,");
  if (s->detailed && about) add_field(s->out, about->place);
  if (s->detailed) ci_text_add(s->out, ",");
  if (index >= 0) ci_text_add_format(s->out, "%ld", index);
  ci_text_add(s->out, ",");
  if (token) add_token(s, token);
}

static void end_line(const sheet *s, size_t used) {
  for (; used < s->columns; used++) ci_text_add(s->out, ",");
  ci_text_add(s->out, "\r\n");
}

static void add_scores(const sheet *s, const float *scores, size_t count) {
  for (size_t i = 0; i < count; i++) {
    ci_text_add(s->out, ",");
    if (!isnan(scores[i])) ci_text_add_format(s->out, "%.9g", (double)scores[i]);
  }
  end_line(s, count);
}

static void add_generated(const sheet *s, const ci_sequence *sequence) {
  start_line(s, "generated", NULL, -1, NULL);
  for (size_t i = sequence->attr_pos_start; i < sequence->attr_pos_end; i++) {
    ci_text_add(s->out, ",");
    add_token(s, sequence->target[i].token);
  }
  end_line(s, sequence->attr_pos_end - sequence->attr_pos_start);
}

static void add_table(const sheet *s, const ci_heat_table *t) {
  for (size_t row = 0; row < t->row_count; row++) {
    start_line(s, t->side, t, (long)(t->first_row + row), t->row_tokens[row].token);
    add_scores(s, t->scores + row * t->column_count, t->column_count);
  }
}

/* tables: of each text. */
static void add_sequence(const sheet *s, const ci_sequence *sequence, const ci_heat_tables *tables) {
  add_generated(s, sequence);
  for (size_t i = 0; i < tables->count; i++) add_table(s, &tables->items[i]);
  for (size_t i = 0; i < sequence->step_scores_count; i++) {
    start_line(s, "step_scores", NULL, -1, NULL);
    add_field(s->out, sequence->step_scores[i].name);
    add_scores(s, sequence->step_scores[i].values.data, sequence->attr_pos_end - sequence->attr_pos_start);
  }
}

/* Room for all columns, and what lines say. */
static void measure(sheet *s, const ci_sequence *sequence, const ci_heat_tables *tables) {
  size_t columns = sequence->attr_pos_end - sequence->attr_pos_start;
  if (columns > s->columns) s->columns = columns;
  for (size_t i = 0; i < tables->count; i++) {
    const ci_heat_table *t = &tables->items[i];
    if (t->column_count > s->columns) s->columns = t->column_count;
    if (t->of || *t->place) s->detailed = true;
  }
}

static void add_sheet(sheet *s, const ci_result *result, const ci_heat_tables *tables) {
  ci_text_add(s->out, s->detailed ? "text,table,step,generated,place,index,token" : "text,table,index,token");
  for (size_t i = 0; i < s->columns; i++) ci_text_add_format(s->out, ",%zu", i);
  ci_text_add(s->out, "\r\n");
  for (s->text = 1; s->text <= result->count; s->text++)
    add_sequence(s, &result->sequences[s->text - 1], &tables[s->text - 1]);
}

ci_status ci_csv_write(const ci_result *result, const ci_show_options *options, ci_text *out, ci_error *err) {
  sheet s = {.options = options, .out = out};
  ci_heat_tables *tables = ci_alloc_zeroed(result->count, sizeof *tables);
  ci_status status = tables ? CI_OK : ci_fail_memory(err);
  for (size_t i = 0; i < result->count && !status; i++) {
    status = ci_view_tables(&result->sequences[i], options, &tables[i], err);
    if (!status) measure(&s, &result->sequences[i], &tables[i]);
  }
  if (!status) add_sheet(&s, result, tables);
  for (size_t i = 0; tables && i < result->count; i++) ci_heat_tables_close(&tables[i]);
  ci_free(tables);
  return status ? status : out->failed ? ci_fail_memory(err) : CI_OK;
}
