/* The table of views; what a view asks of a result; `layers` as text, CSV and page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "aggregate/aggregator.h"
#include "base/memory.h"
#include "output/blob.h"
#include "output/output.h"
#include "output/view.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *render(const ci_result *result, const char *output, const char *options_json, ci_error *err) {
  ci_show_options options;
  ci_text text = {0};
  ci_status status = ci_show_options_read(options_json, &options, err);
  if (!status) status = ci_output_render(ci_output_find(output), result, &options, &text, err);
  ci_show_options_free(&options);
  if (!status) return ci_text_take(&text);
  ci_text_free(&text);
  return NULL;
}

/* Two source tokens, two generated tokens, three layers (rank 3) and two heads (rank 4). */
static ci_result *make(int rank, ci_result_kind kind) {
  static const char *const texts[] = {"a", "b<", "<s>", "c", "d"};
  ci_error err;
  ci_result *result = ci_result_create(1);
  assert_non_null(result);
  ci_sequence *s = &result->sequences[0];
  ci_token tokens[5];
  size_t count;
  for (int i = 0; i < 5; i++) tokens[i] = (ci_token){.id = i, .token = (char *)texts[i]};
  *s = (ci_sequence){.kind = kind, .n_dimensions = rank - 2, .attr_pos_start = 1, .attr_pos_end = 3};
  assert_int_equal(ci_tokens_copy(tokens, 2, &s->source, &s->source_count, &err), CI_OK);
  assert_int_equal(ci_tokens_copy(tokens + 2, 3, &s->target, &count, &err), CI_OK);
  s->target_count = count;
  assert_int_equal(ci_array_create(&s->source_attributions, rank, (size_t[]){2, 2, 3, 2}, &err), CI_OK);
  for (size_t i = 0; i < ci_array_size(&s->source_attributions); i++) s->source_attributions.data[i] = (float)(i + 1);
  return result;
}

static void rows_are_found_by_id(void **state) {
  (void)state;
  size_t count;
  const ci_view *rows = ci_views(&count), *view;
  ci_error err = {0};
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(ci_view_named(rows[i].id, &view, &err), CI_OK);
    assert_ptr_equal(view, &rows[i]);
  }
  assert_int_equal(ci_view_named(NULL, &view, &err), CI_OK);
  assert_string_equal(view->id, "table");
  assert_int_equal(ci_view_named("tabel", &view, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "did you mean \"table\""));
}

static void layers_are_a_table_for_each_step(void **state) {
  (void)state;
  ci_error err = {0};
  ci_result *result = make(3, CI_MULTIDIMENSIONAL);
  char *text = render(result, "terminal", "{\"view\": \"layers\"}", &err);
  /* scores are 1, 2, 3 | 4, 5, 6 of the first token and 7, 8, 9 | 10, 11, 12 of the second: shares of 1 + 7, ... */
  assert_string_equal(text, "Source attributions of 0 c  → layer, ↓ attributed\n"
                            "        0      1      2\n"
                            "0 a   0.125  0.200  0.250\n"
                            "1 b<  0.875  0.800  0.750\n"
                            "\n"
                            "Source attributions of 1 d  → layer, ↓ attributed\n"
                            "        0      1      2\n"
                            "0 a   0.286  0.312  0.333\n"
                            "1 b<  0.714  0.688  0.667\n");
  free(text);
  text = render(result, "csv", "{\"view\": \"layers\", \"normalize\": false}", &err);
  assert_string_equal(text, "text,table,step,generated,place,index,token,0,1,2\r\n"
                            "1,generated,,,,,,c,d,\r\n"
                            "1,source,0,c,,0,a,1,2,3\r\n1,source,0,c,,1,b<,7,8,9\r\n"
                            "1,source,1,d,,0,a,4,5,6\r\n1,source,1,d,,1,b<,10,11,12\r\n");
  free(text);
  text = render(result, "html", "{\"view\": \"layers\", \"attribution_aggregators\": []}", &err);
  assert_non_null(
      strstr(text, "<figcaption>Source attributions of 1 d <span>→ layer, ↓ attributed</span></figcaption>"));
  assert_non_null(strstr(text, " title=\"12\">12.000</td>"));
  free(text);
  text = render(result, "latex", "{\"view\": \"layers\"}", &err);
  assert_non_null(
      strstr(text, "\\textbf{Source attributions of 1 d}\\quad $\\rightarrow$ layer, $\\downarrow$ attributed"));
  free(text);
  ci_result_close(result);
}

static void heads_are_reduced(void **state) {
  (void)state;
  ci_error err = {0};
  ci_result *result = make(4, CI_MULTIDIMENSIONAL);
  char *text = render(result, "csv", "{\"view\": \"layers\"}", &err);
  assert_non_null(strstr(text, "1,source,0,c,,0,a,0.1")); /* means 1.5 of 1.5 + 13.5 */
  free(text);
  text = render(result, "csv", "{\"view\": \"layers\", \"attribution_selectors\": [1], \"normalize\": false}", &err);
  assert_non_null(strstr(text, "1,source,0,c,,0,a,2,4,6\r\n"));
  free(text);
  ci_result_close(result);
}

static void what_has_no_layers_is_refused(void **state) {
  (void)state;
  ci_error err = {0};
  ci_result *result = make(3, CI_GRANULAR);
  assert_null(render(result, "terminal", "{\"view\": \"layers\"}", &err));
  assert_non_null(strstr(err.message, "embedding"));
  ci_result_close(result);
  result = make(2, CI_COARSE);
  assert_null(render(result, "html", "{\"view\": \"layers\"}", &err));
  assert_non_null(strstr(err.message, "3 dimensions"));
  ci_result_close(result);
  result = ci_result_create(0);
  free(render(result, "html", "{\"view\": \"layers\"}", &err));
  ci_result_close(result);
}

/* ---- pages ---- */

static size_t count_of(const char *text, const char *piece) {
  size_t count = 0;
  for (const char *at = text; (at = strstr(at, piece)); at += strlen(piece)) count++;
  return count;
}

/* The value of attribute `name` behind `at`, in new memory; entities become characters again. */
static char *attribute_of(const char *at, const char *name) {
  static const struct {
    const char *entity, *text;
  } entities[] = {{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&#39;", "'"}};
  ci_text value = {0};
  char start[32];
  snprintf(start, sizeof start, " %s=\"", name);
  at = strstr(at, start);
  assert_non_null(at);
  for (at += strlen(start); *at != '"';) {
    size_t i = 0;
    while (i < 5 && !ci_starts_with(at, entities[i].entity)) i++;
    if (i < 5)
      ci_text_add(&value, entities[i].text);
    else
      ci_text_add_n(&value, at, 1);
    at += i < 5 ? strlen(entities[i].entity) : 1;
  }
  return ci_text_take(&value);
}

/* What a script gets of the first element of a page: its description, and the scores, [*count]. */
static json_t *live_of(const char *page, float **scores, size_t *count) {
  const char *at = strstr(page, "<div class=\"ci-live\"");
  assert_non_null(at);
  char *described = attribute_of(at, "data-result"), *encoded = attribute_of(at, "data-scores");
  uint8_t *bytes = ci_alloc(strlen(encoded) + 1, 1);
  size_t length;
  assert_true(ci_base64_decode(encoded, strlen(encoded), bytes, &length));
  *count = length / 3;
  *scores = ci_alloc(*count, sizeof **scores);
  for (size_t i = 0; i < *count; i++) {
    uint32_t bits = (uint32_t)bytes[3 * i] << 24 | (uint32_t)bytes[3 * i + 1] << 16 | (uint32_t)bytes[3 * i + 2] << 8;
    memcpy(&(*scores)[i], &bits, sizeof bits);
  }
  json_t *data = json_loads(described, 0, NULL);
  assert_non_null(data);
  ci_free(bytes);
  ci_free(described);
  ci_free(encoded);
  return data;
}

static char *page_of(const ci_result *result, const char *options_json) {
  ci_error err = {0};
  char *page = render(result, "html", options_json, &err);
  if (!page) fail_msg("%s: %s", err.where, err.message);
  assert_true(ci_utf8_valid(page, strlen(page)));
  assert_null(strstr(page, " id=\""));
  return page;
}

static void numbers_in_a_page_have_four_digits(void **state) {
  (void)state;
  static const float values[] = {0.123456f, -1e-30f,   3.4028234e38f, -INFINITY, NAN, 0,
                                 1 / 3.0f,  -65504.9f, 1e-44f,        1,         2,   3};
  ci_result *result = make(2, CI_COARSE);
  ci_sequence *s = &result->sequences[0];
  float *scores;
  size_t count;
  for (size_t at = 0; at < 12; at += 4) {
    memcpy(s->source_attributions.data, values + at, 4 * sizeof *values);
    char *page = page_of(result, "{\"view\": \"grid\"}");
    json_t *data = live_of(page, &scores, &count);
    assert_int_equal(count, 4);
    for (size_t i = 0; i < 4; i++) {
      float value = values[at + i];
      if (isnan(value))
        assert_true(isnan(scores[i]));
      else if (isinf(value))
        assert_true(scores[i] == value);
      else
        assert_true(fabs((double)scores[i] - (double)value) <= fabs((double)value) / 65536 + 1e-40);
    }
    json_decref(data);
    ci_free(scores);
    free(page);
  }
  ci_result_close(result);
}

/* Tokens from anywhere end no attribute and no script, steer nothing and stay in bounds. */
static void hostile_tokens_are_only_text(void **state) {
  (void)state;
  static const char *const views[] = {"table", "grid", "tokens", "contrast", "granular"};
  ci_result *result = make(2, CI_COARSE);
  ci_sequence *s = &result->sequences[0];
  ci_text huge = {0};
  for (int i = 0; i < 20000; i++) ci_text_add(&huge, "x\"'<&>");
  const char *const texts[] = {"</script><script>alert(1)</script>", huge.data, "\xe2\x80\xae\" onload=\"x",
                               "\xff\x01<!--"};
  ci_token *tokens[] = {&s->source[0], &s->source[1], &s->target[0], &s->target[1]};
  for (size_t i = 0; i < 4; i++) {
    ci_free(tokens[i]->token);
    tokens[i]->token = ci_duplicate(texts[i]);
  }
  ci_free(s->target[2].token);
  s->target[2].token = ci_duplicate("<b> → \"");
  for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
    char options[64];
    snprintf(options, sizeof options, "{\"view\": \"%s\"}", views[i]);
    char *page = page_of(result, options);
    const ci_view *view;
    assert_int_equal(ci_view_named(views[i], &view, NULL), CI_OK);
    assert_int_equal(count_of(page, "<script"), view->script ? 1 : 0);
    assert_int_equal(count_of(page, "</script>"), view->script ? 1 : 0);
    assert_null(strstr(page, "<!--"));
    assert_null(strstr(page, "<b>"));
    assert_null(strstr(page, "\" onload"));
    assert_null(strstr(page, "\xe2\x80\xae"));
    assert_non_null(strstr(page, "Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'"));
    assert_int_equal(count_of(page, "script-src 'sha256-"), view->script ? 1 : 0);
    static const char *const needs[] = {"http:", "https:", "url(", "@import", "<link", "<img", "javascript:"};
    for (size_t k = 0; k < sizeof needs / sizeof *needs; k++) assert_null(strstr(page, needs[k]));
    free(page);
  }
  ci_text_free(&huge);
  ci_result_close(result);
}

static void all_dimensions_are_there(void **state) {
  (void)state;
  ci_error err = {0};
  ci_result *result = make(4, CI_MULTIDIMENSIONAL);
  float *scores;
  size_t count;
  char *page = page_of(result, "{\"view\": \"granular\", \"show_dim\": \"Attention Head\", \"clean_tokens\": true}");
  json_t *data = live_of(page, &scores, &count), *wanted;
  wanted = json_loads(
      "{\"title\": \"Source attributions\", \"names\": [\"Input Tokens\", \"Generated Tokens\", \"Model Layer\", "
      "\"Attention Head\"], \"members\": [\"token\", \"token\", \"layer\", \"head\"], \"shape\": [2, 2, 3, 2], "
      "\"first\": [0, 0, 0, 0], \"limits\": [0.0, 0.0], \"rows\": [\"a\", \"b<\"], \"columns\": [\"c\", \"d\"], "
      "\"steps\": [], \"axes\": [0, 3]}",
      0, NULL);
  assert_true(json_equal(data, wanted));
  for (size_t i = 0; i < count; i++) assert_true(scores[i] == (float)(i + 1));
  json_decref(data);
  json_decref(wanted);
  ci_free(scores);
  free(page);
  page = page_of(result, "{\"view\": \"granular\", \"slice_dims\": {\"layer\": [1, 2], \"0\": [1, 2]}}");
  data = live_of(page, &scores, &count);
  static const float taken[] = {15, 16, 21, 22}; /* token 1, both steps, layer 1, both heads */
  assert_int_equal(count, 4);
  assert_memory_equal(scores, taken, sizeof taken);
  assert_int_equal(json_integer_value(json_array_get(json_object_get(data, "first"), 2)), 1);
  json_decref(data);
  ci_free(scores);
  free(page);
  char *text = render(result, "terminal",
                      "{\"view\": \"granular\", \"slice_dims\": {\"Model Layer\": [2, 3], \"3\": [0, 1]}}", &err);
  assert_string_equal(text, "Source attributions, layer 2, head 0  → generated, ↓ attributed\n"
                            "        0       1\n"
                            "        c       d\n"
                            "0 a    5.000  11.000\n"
                            "1 b<  17.000  23.000\n");
  free(text);
  ci_result_close(result);
}

static void assert_refused(const ci_result *result, const char *options, const char *where, const char *words) {
  ci_error err = {0};
  char *page = render(result, "html", options, &err);
  assert_null(page);
  assert_string_equal(err.where, where);
  if (!strstr(err.message, words)) fail_msg("%s: %s", where, err.message);
}

static void what_a_view_cannot_show_is_said(void **state) {
  (void)state;
  ci_error err = {0};
  ci_result *result = make(4, CI_MULTIDIMENSIONAL);
  assert_refused(result, "{\"view\": \"granular\", \"slice_dims\": {\"heads\": [0, 1]}}", "slice_dims",
                 "3 \"Attention Head\"");
  assert_refused(result, "{\"view\": \"granular\", \"slice_dims\": {\"3\": [0, 9]}}", "slice_dims",
                 "[0, 9] is no part of 2");
  assert_refused(result, "{\"view\": \"granular\", \"slice_dims\": {\"3\": 1}}", "slice_dims", "[start, end]");
  assert_refused(result, "{\"view\": \"granular\", \"show_dim\": 4}", "show_dim", "no dimension \"4\"");
  assert_refused(result, "{\"view\": \"granular\", \"show_dim\": 2, \"max_show_size\": 2}", "show_dim",
                 "max_show_size 2");
  assert_null(render(result, "terminal", "{\"view\": \"granular\", \"max_show_size\": 2}", &err));
  assert_string_equal(err.where, "max_show_size");
  assert_refused(result, "{\"view\": \"contrast\"}", "view", "attributed_fn contrast_prob_diff and attribution_kwargs");
  assert_refused(result, "{\"view\": \"tokens\", \"step_score_highlight\": \"probability\"}", "step_score_highlight",
                 "no step scores");
  assert_refused(result, "{\"view\": \"tokens\", \"max_shown\": 3}", "options", "max_show_size");
  ci_result_close(result);
}

static void tokens_are_text_and_buttons(void **state) {
  (void)state;
  ci_result *result = make(2, CI_COARSE);
  ci_sequence *s = &result->sequences[0];
  float probabilities[] = {0.5f, 1}, target[] = {1, 2, NAN, 3, NAN, NAN};
  ci_named_array score = {(char *)"probability", {.rank = 1, .shape = {2}, .data = probabilities}};
  ci_free(s->target[2].token);
  s->target[2].token = ci_duplicate("▁d");
  s->step_scores = &score;
  s->step_scores_count = 1;
  s->target_attributions = (ci_array){.rank = 2, .shape = {3, 2}, .data = target};
  char *page = page_of(result, "{\"view\": \"tokens\", \"step_score_highlight\": \"probability\"}");
  assert_non_null(strstr(
      page, "<p class=\"ci-text\"><span data-row=\"0\"><bdi>a</bdi></span>"
            "<span data-row=\"1\"><bdi>b&lt;</bdi></span></p>\n"
            "<p class=\"ci-text\"><span data-row=\"2\"><bdi>&lt;s&gt;</bdi></span>"
            "<button type=\"button\" data-column=\"0\" data-row=\"3\" style=\"box-shadow:inset 0 -3px #006d2c80\">"
            "<bdi>c</bdi></button> <button type=\"button\" data-column=\"1\" data-row=\"4\" "
            "style=\"box-shadow:inset 0 -3px #006d2cff\"><bdi>d</bdi></button></p>\n"));
  char *wrapped = page_of(result, "{\"view\": \"tokens\", \"wrap_after\": [\"a\", \"c\"]}");
  assert_int_equal(count_of(wrapped, "<br>"), 2);
  assert_non_null(strstr(wrapped, "<bdi>c</bdi></button><br>"));
  free(wrapped);
  wrapped = page_of(result, "{\"view\": \"tokens\", \"wrap_after\": 2}");
  assert_non_null(strstr(wrapped, "<bdi>b&lt;</bdi></span><br>"));
  free(wrapped);
  assert_non_null(strstr(page, "<details class=\"ci-plain\"")); /* the numbers, also without scripts */
  float *scores;
  size_t count;
  json_decref(live_of(page, &scores, &count));
  assert_int_equal(count, 4 + 6);
  assert_true(scores[0] == 1 && scores[4] == 1 && isnan(scores[6]) && scores[7] == 3);
  ci_free(scores);
  free(page);
  s->step_scores = NULL;
  s->step_scores_count = 0;
  s->target_attributions = (ci_array){0};
  ci_result_close(result);
}

static void a_contrast_has_two_sides(void **state) {
  (void)state;
  ci_result *result = make(2, CI_COARSE);
  ci_sequence *s = &result->sequences[0];
  ci_free(s->target[2].token);
  s->target[2].token = ci_duplicate("is → was");
  const float scores[] = {1, -0.5f, 2, 0.25f}; /* columns c and "is → was" */
  memcpy(s->source_attributions.data, scores, sizeof scores);
  char *page = page_of(result, "{\"view\": \"contrast\"}");
  assert_int_equal(count_of(page, "<div class=\"ci-contrast\">"), 1);
  assert_non_null(strstr(
      page,
      "<div class=\"ci-name\">1 <bdi>is → was</bdi> <span>red: for <bdi>was</bdi>, blue: for <bdi>is</bdi></span>"));
  assert_non_null(strstr(page, "<span style=\"background:#2166acff;color:#fff\" title=\"-0.5\"><bdi>a</bdi></span>"
                               "<span style=\"background:#b2182b80\" title=\"0.25\"><bdi>b&lt;</bdi></span>"));
  assert_non_null(strstr(page, "for <bdi>was</bdi>: <bdi>b&lt;</bdi> 0.250</div>\n"
                               "<div class=\"ci-for\">for <bdi>is</bdi>: <bdi>a</bdi> -0.500</div>"));
  free(page);
  json_object_set_new(result->info, "attributed_fn",
                      json_string("contrast_prob_fn")); /* the contrast's own probability */
  page = page_of(result, "{\"view\": \"contrast\"}");
  assert_non_null(strstr(page, "red: for <bdi>is</bdi>, blue: for <bdi>was</bdi>"));
  assert_null(strstr(page, "have the same sign"));
  free(page);
  s->source_attributions.data[1] = 0.5f; /* as of a method whose scores have no sign: the other side gets nothing */
  page = page_of(result, "{\"view\": \"contrast\"}");
  assert_int_equal(count_of(page, "have the same sign"), 1);
  free(page);
  ci_result_close(result);
}

/* Gradients keep their sign: summed over the embedding, not their length. */
static void a_contrast_of_gradients_has_signs(void **state) {
  (void)state;
  ci_result *result = make(3, CI_GRANULAR);
  ci_sequence *s = &result->sequences[0];
  ci_free(s->target[1].token);
  s->target[1].token = ci_duplicate("x → y");
  for (int i = 0; i < 3; i++) s->source_attributions.data[i] = -1; /* sums: -3 and 7 + 8 + 9 */
  char *page = page_of(result, "{\"view\": \"contrast\"}");
  assert_non_null(strstr(page, "for <bdi>y</bdi>: <bdi>b&lt;</bdi> 0.889</div>"));
  assert_non_null(strstr(page, "for <bdi>x</bdi>: <bdi>a</bdi> -0.111</div>"));
  free(page);
  ci_result_close(result);
}

static void large_tables_become_a_grid(void **state) {
  (void)state;
  ci_error err;
  ci_result *result = make(2, CI_COARSE);
  ci_sequence *s = &result->sequences[0];
  size_t many = 2501;
  ci_token *tokens = ci_alloc_zeroed(many, sizeof *tokens);
  for (size_t i = 0; i < many; i++) tokens[i].token = (char *)"t";
  for (size_t i = 0; i < s->source_count; i++) ci_free(s->source[i].token);
  ci_free(s->source);
  assert_int_equal(ci_tokens_copy(tokens, many, &s->source, &s->source_count, &err), CI_OK);
  ci_free(tokens);
  ci_array_free(&s->source_attributions);
  assert_int_equal(ci_array_create(&s->source_attributions, 2, (size_t[]){many, 2}, &err), CI_OK);
  for (size_t i = 0; i < 2 * many; i++) s->source_attributions.data[i] = 0;
  s->source_attributions.data[2 * 7 + 1] = -4;
  s->source_attributions.data[2 * 2000 + 1] = 3;
  char *page = page_of(result, "{}");
  assert_non_null(strstr(page, "data-view=\"grid\""));
  assert_non_null(strstr(page, "<summary>The strongest of 5002 scores</summary>")); /* without scripts */
  const char *line = strstr(page, "<th class=\"ci-i\">1</th>");
  assert_non_null(line);
  assert_non_null(strstr(line, ">7 <bdi>t</bdi> -4.000</td><td"));
  assert_true(strstr(line, ">7 <bdi>") < strstr(line, ">2000 <bdi>t</bdi> 3.000</td><td></td>"));
  free(page);
  page = page_of(result, "{\"view\": \"table\"}");
  assert_null(strstr(page, "data-view"));
  free(page);
  ci_result_close(result);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_are_found_by_id),
      cmocka_unit_test(layers_are_a_table_for_each_step),
      cmocka_unit_test(heads_are_reduced),
      cmocka_unit_test(what_has_no_layers_is_refused),
      cmocka_unit_test(numbers_in_a_page_have_four_digits),
      cmocka_unit_test(hostile_tokens_are_only_text),
      cmocka_unit_test(all_dimensions_are_there),
      cmocka_unit_test(what_a_view_cannot_show_is_said),
      cmocka_unit_test(tokens_are_text_and_buttons),
      cmocka_unit_test(a_contrast_has_two_sides),
      cmocka_unit_test(a_contrast_of_gradients_has_signs),
      cmocka_unit_test(large_tables_become_a_grid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
