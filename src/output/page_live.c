/* Scores in a page, for a script:
 *
 *   <div class="ci-live" data-view="grid" data-result='{"title": "Source attributions", "names": ["Input Tokens", ...],
 * "members":
 *     ["token", ...], "shape": [3, 4], "first": [0, 0], "rows": ["▁a", ...], "columns": [...], "limits": [-1, 1],
 * "steps":
 *     [["probability", [0.5, ...]]]}' data-scores="P4AAPwAA...">
 *
 * data-scores is base64 of three bytes a number: the upper ones of a float32, most significant first, rounded to even.
 * That is four characters a number with an error of 1/131072 of it: four digits are right. Attributes need no other
 * escaping than that of text, and hold what comes from anywhere. */
#include "base/memory.h"
#include "output/blob.h"
#include "output/page.h"
#include "output/view.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { MOST_NUMBERS = 1 << 24, LONGEST_LABEL = 200 };

static void put_number(float number, uint8_t bytes[3]) {
  if (isfinite(number)) number = fmaxf(-0x1.fffep127f, fminf(number, 0x1.fffep127f)); /* what rounds to infinity */
  if (isnan(number)) number = NAN;
  uint32_t bits;
  memcpy(&bits, &number, sizeof bits);
  if (isfinite(number)) bits += 0x7f + (bits >> 8 & 1);
  for (int i = 0; i < 3; i++) bytes[i] = (uint8_t)(bits >> (24 - 8 * i));
}

static void add_numbers(ci_text *out, const float *numbers, size_t count) {
  enum { AT_ONCE = 4096 };
  uint8_t bytes[3 * AT_ONCE];
  for (size_t at = 0; at < count; at += AT_ONCE) {
    size_t some = count - at < AT_ONCE ? count - at : AT_ONCE;
    for (size_t i = 0; i < some; i++) put_number(numbers[at + i], bytes + 3 * i);
    ci_base64_add(out, bytes, 3 * some);
  }
}

/* What tokens are called, as array of texts; NULL: memory is out. */
static json_t *labels_of(const ci_token *tokens, size_t count, bool clean) {
  json_t *labels = json_array();
  for (size_t i = 0; i < count && labels; i++) {
    ci_text label = {0};
    ci_token_label_add(&label, tokens[i].token, clean, LONGEST_LABEL);
    if (label.failed || json_array_append_new(labels, json_string(label.data ? label.data : ""))) {
      json_decref(labels);
      labels = NULL;
    }
    ci_text_free(&label);
  }
  return labels;
}

/* JSON knows no NaN: null. */
static json_t *real(double value) {
  return isfinite(value) ? json_real(value) : json_null();
}

/* [[name, [values]], ...] of the columns of a table. */
static json_t *steps_of(const ci_sequence *s, size_t first, size_t count) {
  json_t *steps = json_array();
  for (size_t k = 0; k < s->step_scores_count && steps; k++) {
    ci_text name = {0};
    ci_token_label_add(&name, s->step_scores[k].name, false, LONGEST_LABEL);
    json_t *values = json_array();
    for (size_t i = 0; i < count && values; i++)
      json_array_append_new(values, real(s->step_scores[k].values.data[first + i]));
    json_array_append_new(steps, json_pack("[s, o]", name.data ? name.data : "", values));
    ci_text_free(&name);
  }
  return steps;
}

static json_t *describe(const ci_page *p, const ci_sequence *s, const ci_live *live) {
  bool clean = p->options->clean_tokens;
  json_t *shape = json_array(), *first = json_array(), *names = json_array(), *members = json_array();
  for (int i = 0; i < live->rank; i++) {
    json_array_append_new(shape, json_integer((json_int_t)live->shape[i]));
    json_array_append_new(first, json_integer((json_int_t)live->first[i]));
    json_array_append_new(names, json_string(ci_dimension_name(s, i)));
    json_array_append_new(members, json_string(ci_dimension_member(s, i)));
  }
  json_t *data =
      json_pack("{s:s, s:o, s:o, s:o, s:o, s:[o, o], s:o, s:o, s:o}", "title", live->title, "names", names, "members",
                members, "shape", shape, "first", first, "limits", real(live->limits.min), real(live->limits.max),
                "rows", labels_of(live->rows, live->shape[0], clean), "columns",
                labels_of(live->columns, live->shape[1], clean), "steps", steps_of(s, live->first[1], live->shape[1]));
  if (data && live->more && json_object_update(data, live->more)) {
    json_decref(data);
    data = NULL;
  }
  return data;
}

ci_status ci_html_live(ci_page *p, const ci_sequence *s, const ci_live *live, ci_error *err) {
  size_t count = 1;
  for (int i = 0; i < live->rank; i++) count *= live->shape[i];
  if (count > MOST_NUMBERS)
    return ci_fail(
        err, CI_EINVAL, "view",
        "\"%s\": %zu scores are too many for a page, %d at most: slice_dims or attribution_aggregators make them fewer",
        live->view, count, MOST_NUMBERS);
  json_t *data = describe(p, s, live);
  char *text = data ? ci_json_text(data, JSON_COMPACT | JSON_REAL_PRECISION(7)) : NULL;
  json_decref(data);
  if (!text) return ci_fail_memory(err);
  ci_text_add_format(p->out, "<div class=\"ci-live\" data-view=\"%s\" data-result=\"", live->view);
  ci_html_escaped(p->out, text);
  ci_text_add(p->out, "\" data-scores=\"");
  add_numbers(p->out, live->scores, count);
  ci_text_add(p->out, "\">\n");
  ci_free(text);
  return CI_OK;
}

/* All that a sequence has, in whatever dimensions. */
static size_t cells_of(const ci_sequence *s) {
  return ci_array_size(&s->source_attributions) + ci_array_size(&s->target_attributions);
}

ci_status ci_html_plain(ci_page *p, const ci_sequence *s, ci_error *err) {
  enum { MOST_CELLS = 4096 };
  ci_heat_tables tables;
  if (cells_of(s) > MOST_CELLS) return ci_html_strongest(p, s, err);
  ci_status status = ci_view_tables(s, p->options, &tables, err);
  if (status == CI_EINVAL)
    status = ci_html_strongest(p, s, err); /* more tables than text has room for */
  else if (!status) {
    ci_heat_limits limits = ci_heat_table_limits(s, p->options->min_val, p->options->max_val);
    ci_text_add(p->out,
                "<details class=\"ci-plain\" open=\"\"><summary>As tables</summary>\n<div class=\"ci-tables\">\n");
    for (size_t i = 0; i < tables.count; i++) ci_html_table(p, s, &tables.items[i], &limits);
    ci_text_add(p->out, "</div>\n</details>\n");
  }
  ci_heat_tables_close(&tables);
  return status;
}
