/* The view `tokens`: input and output as text. scripts/tokens.js colours what a generated token came from while that
 * token is pointed at or focused, and the other way round.
 *
 *   <div class="ci-live" data-view="tokens" ...>        rows: the tokens of all sides that have scores, [rows,
 * generated] <p class="ci-text"><span data-row="0">tok</span> ...</p> <p class="ci-text"><span
 * data-row="8">prompt</span> <button data-row="9" data-column="0">generated</button> ...</p> */
#include "base/memory.h"
#include "base/unknown.h"
#include "output/view.h"
#include <math.h>
#include <string.h>

typedef struct {
  const char *highlight;
  json_t *wrap;
} tokens_options;

const ci_option ci_tokens_view_options[] = {
    {"step_score_highlight", NULL, CI_WORD, offsetof(tokens_options, highlight), "null", 0, 0, NULL,
     "View \"tokens\": a step score that underlines the generated tokens in green, the more the larger."},
    {"wrap_after", NULL, CI_JSON, offsetof(tokens_options, wrap), "null", 0, 0, NULL,
     "View \"tokens\": a line ends after every so many tokens (a number), or after this token or these."},
    CI_OPTIONS_END};

/* Where rows of scores lie: source, then target. */
typedef struct {
  const ci_sequence *sequence;
  const ci_named_array *highlight;
  size_t source_rows, target_rows;
  double largest; /* of the highlighted scores */
  const json_t *wrap;
} job;

/* Whether a line ends after token `at`, which is shown as `label`. */
static bool ends_line(const job *j, const char *token, const char *label, size_t at) {
  int64_t every;
  size_t i;
  const json_t *word;
  if (strchr(token, '\n') || strstr(token, "Ċ")) return true;
  if (ci_json_as_int(j->wrap, &every)) return every > 0 && (int64_t)(at + 1) % every == 0;
  if (json_is_string(j->wrap)) return strcmp(json_string_value(j->wrap), label) == 0;
  json_array_foreach((json_t *)j->wrap, i,
                     word) if (json_is_string(word) && strcmp(json_string_value(word), label) == 0) return true;
  return false;
}

static void add_underline(ci_page *p, const job *j, size_t column) {
  double score = j->highlight ? fabs(j->highlight->values.data[column]) : 0;
  if (!(score > 0)) return;
  ci_text_add_format(p->out, " style=\"box-shadow:inset 0 -3px #006d2c%02x\"",
                     (int)lround(255 * fmin(1, score / j->largest)));
}

/* row: of the scores, -1: none. column: a generated token's, -1: none. */
static void add_token(ci_page *p, const job *j, const ci_token *tokens, size_t at, long row, long column) {
  const char *tag = column < 0 ? "span" : "button";
  if (ci_html_spaced(tokens, at)) ci_text_add(p->out, " ");
  ci_text_add_format(p->out, "<%s", tag);
  if (column >= 0) ci_text_add_format(p->out, " type=\"button\" data-column=\"%ld\"", column);
  if (row >= 0) ci_text_add_format(p->out, " data-row=\"%ld\"", row);
  if (column >= 0) add_underline(p, j, (size_t)column);
  ci_text label = {0};
  ci_token_label_add(&label, tokens[at].token, true, 0);
  if (label.failed) p->out->failed = true;
  ci_text_add(p->out, "><bdi>");
  ci_html_escaped(p->out, label.data ? label.data : "");
  ci_text_add_format(p->out, "</bdi></%s>", tag);
  if (ends_line(j, tokens[at].token, label.data ? label.data : "", at)) ci_text_add(p->out, "<br>");
  ci_text_free(&label);
}

static void add_source(ci_page *p, const job *j) {
  const ci_sequence *s = j->sequence;
  if (!j->source_rows) return;
  ci_text_add(p->out, "<p class=\"ci-text\">");
  for (size_t i = 0; i < s->source_count; i++) add_token(p, j, s->source, i, i < j->source_rows ? (long)i : -1, -1);
  ci_text_add(p->out, "</p>\n");
}

static void add_target(ci_page *p, const job *j) {
  const ci_sequence *s = j->sequence;
  ci_text_add(p->out, "<p class=\"ci-text\">");
  for (size_t i = j->target_rows ? 0 : s->attr_pos_start; i < s->target_count; i++) {
    bool generated = i >= s->attr_pos_start && i < s->attr_pos_end;
    long row = i < j->target_rows ? (long)(j->source_rows + i) : -1;
    add_token(p, j, s->target, i, row, generated ? (long)(i - s->attr_pos_start) : -1);
  }
  ci_text_add(p->out, "</p>\n");
}

static ci_status find_highlight(job *j, const char *name, ci_error *err) {
  const ci_sequence *s = j->sequence;
  const char *names[64];
  size_t count = 0;
  for (size_t i = 0; i < s->step_scores_count && name; i++) {
    if (strcmp(s->step_scores[i].name, name) == 0) j->highlight = &s->step_scores[i];
    if (count < sizeof names / sizeof *names) names[count++] = s->step_scores[i].name;
  }
  if (name && !j->highlight && !count)
    return ci_fail(err, CI_EINVAL, "step_score_highlight", "\"%s\": the result has no step scores", name);
  if (name && !j->highlight) return ci_fail_unknown(err, "step_score_highlight", "step score", name, names, count);
  for (size_t i = 0; j->highlight && i < ci_array_size(&j->highlight->values); i++)
    if (isfinite(j->highlight->values.data[i])) j->largest = fmax(j->largest, fabs(j->highlight->values.data[i]));
  return CI_OK;
}

/* The scores and tokens of both sides below each other: a copy only where there are two. */
static ci_status stack(ci_page *p, const job *j, ci_arena *arena, ci_live *live, ci_error *err) {
  const ci_sequence *s = j->sequence;
  size_t rows = j->source_rows + j->target_rows, columns = live->shape[1], above = j->source_rows * columns;
  ci_token *tokens = ci_arena_alloc(arena, rows, sizeof *tokens);
  float *scores = ci_arena_alloc(arena, rows, columns * sizeof *scores);
  if (!tokens || !scores) return ci_fail_memory(err);
  if (j->source_rows) {
    memcpy(tokens, s->source, j->source_rows * sizeof *tokens);
    memcpy(scores, s->source_attributions.data, above * sizeof *scores);
  }
  if (j->target_rows) {
    memcpy(tokens + j->source_rows, s->target, j->target_rows * sizeof *tokens);
    memcpy(scores + above, s->target_attributions.data, j->target_rows * columns * sizeof *scores);
  }
  live->rows = tokens;
  live->scores = scores;
  return ci_html_live(p, s, live, err);
}

static ci_status add_texts(ci_page *p, job *j, ci_error *err) {
  const ci_sequence *s = j->sequence;
  ci_live live = {.view = "tokens",
                  .title = "Attributions",
                  .columns = s->target + s->attr_pos_start,
                  .rank = 2,
                  .shape = {j->source_rows + j->target_rows, s->attr_pos_end - s->attr_pos_start},
                  .limits = ci_heat_table_limits(s, p->options->min_val, p->options->max_val)};
  ci_arena *arena = ci_arena_create();
  ci_status status = arena ? stack(p, j, arena, &live, err) : ci_fail_memory(err);
  if (!status) {
    add_source(p, j);
    add_target(p, j);
    ci_text_add(p->out, "</div>\n");
    ci_html_bar(p, s, &live.limits);
  }
  if (arena) ci_arena_close(arena);
  return status;
}

ci_status ci_tokens_view_html(ci_page *p, const ci_sequence *s, ci_error *err) {
  tokens_options options;
  json_t *keep;
  job j = {.sequence = s,
           .source_rows = s->source_attributions.data ? s->source_attributions.shape[0] : 0,
           .target_rows = s->target_attributions.data ? s->target_attributions.shape[0] : 0};
  ci_status status = ci_view_options_read(ci_tokens_view_options, p->options, &options, &keep, err);
  j.wrap = options.wrap;
  if (!status) status = find_highlight(&j, options.highlight, err);
  if (!status) status = add_texts(p, &j, err);
  json_decref(keep);
  return status ? status : ci_html_plain(p, s, err);
}
