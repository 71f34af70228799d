/* The HTML page: a small checker reads it as a browser would, and everything that the page promises is asked of what it
 * found: balanced tags, escaped text, cells, blanks, contrast in both themes, nothing that needs a network or a script.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "output/html.h"
#include "output/page.h"
#include "output/heat_color.h"
#include "output/output.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 8, DEEPEST = 32 };

/* A result of one or two sequences over arrays of the test. */
typedef struct {
  ci_result result;
  ci_sequence sequences[2];
  ci_token source[MOST], target[MOST];
  ci_named_array step_scores[2];
} fixture;

static size_t set_tokens(ci_token *tokens, const char *const *texts) {
  size_t count = 0;
  for (; texts[count]; count++) tokens[count] = (ci_token){.id = (int32_t)count, .token = (char *)texts[count]};
  return count;
}

static ci_array array_of(float *data, size_t rows, size_t columns) {
  return (ci_array){.rank = 2, .shape = {rows, columns}, .data = data};
}

static const char *const words[] = {"▁今天", "<script>alert(1)</script>", "שלום", NULL};
static const char *const output[] = {"▁I", "\"q\" & 'r'", "</s>", "\xff\n", NULL};
static float scores[] = {0.1174321f, 0.138f, -0.25f, NAN, 0.274f, 0, -0.5f, 0.5f, 1, 0.75f, 0.0001f, INFINITY};
static float targets[] = {0.1f, 0.2f, 0.3f, 0.4f, NAN, 0.5f, 0.6f, 0.7f, NAN, NAN, 0.8f, 0.9f, NAN, NAN, NAN, -1};
static float probabilities[] = {0.44f, 0.396f, NAN, 0.9f};

static void set_up(fixture *f) {
  *f = (fixture){.result = {.sequences = f->sequences, .count = 1}};
  ci_sequence *s = &f->sequences[0];
  *s = (ci_sequence){.kind = CI_COARSE, .source = f->source, .target = f->target, .step_scores = f->step_scores};
  s->source_count = set_tokens(f->source, words);
  s->target_count = s->attr_pos_end = set_tokens(f->target, output);
  s->source_attributions = array_of(scores, 3, 4);
  f->step_scores[0] = (ci_named_array){(char *)"prob<ability", {.rank = 1, .shape = {4}, .data = probabilities}};
  s->step_scores_count = 1;
  f->result.info =
      json_pack("{s:s, s:s, s:s, s:[s], s:[s, s], s:[s, s]}", "attribution_method", "saliency", "model_name",
                "/home/me/<model>", "attributed_fn", "probability_fn", "step_scores", "prob<ability", "input_texts",
                "今天 <b>&amp;</b>\n\"x\"", "Once", "generated_texts", "I & you", "Once more");
  assert_non_null(f->result.info);
}

static char *page_of(const ci_result *result, const char *options_json) {
  ci_show_options options;
  ci_text text = {0};
  ci_error err = {0};
  assert_int_equal(ci_show_options_read(options_json, &options, &err), CI_OK);
  if (ci_html_write(result, &options, &text, &err)) fail_msg("%s: %s", err.where, err.message);
  ci_show_options_free(&options);
  return ci_text_take(&text);
}

static size_t count_of(const char *text, const char *piece) {
  size_t count = 0;
  for (const char *at = text; (at = strstr(at, piece)); at += strlen(piece)) count++;
  return count;
}

static void assert_has(const char *page, const char *piece) {
  if (!strstr(page, piece)) fail_msg("no %s in\n%s", piece, page);
}

/* ---- the checker ---- */

static void check_entity(const char *at) {
  static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
  for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
    if (strncmp(at, entities[i], strlen(entities[i])) == 0) return;
  fail_msg("a bare ampersand: %.40s", at);
}

/* From behind a tag's name to behind its `>`: name="value" or name=value, and only harmless ones. */
static const char *check_attributes(const char *at) {
  static const char *const allowed[] = {"lang", "charset",  "name",  "content",    "class", "title",      "scope",
                                        "dir",  "tabindex", "style", "http-equiv", "role",  "aria-label", NULL};
  while (*at != '>') {
    assert_int_equal(*at++, ' ');
    size_t length = strcspn(at, "= >\""), i = 0;
    while (allowed[i] && (strlen(allowed[i]) != length || strncmp(allowed[i], at, length) != 0)) i++;
    if (!allowed[i]) fail_msg("attribute %.40s", at);
    at += length;
    assert_int_equal(*at++, '=');
    assert_int_equal(*at++, '"');
    for (; *at != '"'; at++) {
      assert_true(*at && *at != '<' && *at != '>');
      if (*at == '&') check_entity(at);
    }
    at++;
  }
  return at + 1;
}

/* Tags are balanced, attributes known and quoted, text escaped, UTF-8 well formed. */
static void check_page(const char *page) {
  char stack[DEEPEST][16];
  int depth = 0;
  assert_true(ci_utf8_valid(page, strlen(page)));
  assert_int_equal(strncmp(page, "<!DOCTYPE html>\n", 16), 0);
  for (const char *at = page + 15; *at;) {
    if (*at == '&') check_entity(at);
    assert_true(*at != '>');
    if (*at != '<') {
      at++;
      continue;
    }
    bool closes = at[1] == '/';
    char name[16];
    const char *start = at + 1 + closes;
    size_t length = strcspn(start, " >");
    assert_in_range(length, 1, 15);
    memcpy(name, start, length);
    name[length] = 0;
    for (size_t i = 0; i < length; i++) assert_true(islower(name[i]) || isdigit(name[i]));
    assert_string_not_equal(name, "script");
    at = check_attributes(start + length);
    if (closes) {
      assert_true(depth > 0);
      if (strcmp(stack[--depth], name) != 0) fail_msg("</%s> closes <%s>", name, stack[depth]);
    } else if (strcmp(name, "meta") != 0) {
      assert_in_range(depth, 0, DEEPEST - 1);
      memcpy(stack[depth++], name, length + 1);
      if (strcmp(name, "style") == 0) at = strstr(at, "</style>");
    }
  }
  assert_int_equal(depth, 0);
  static const char *const needs[] = {"http:", "https:", "url(", "@import", "<script", "<link", "<img", "javascript"};
  for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) assert_null(strstr(page, needs[i]));
}

/* "#aabbcc". */
static ci_color color_at(const char *at) {
  unsigned channels[3];
  assert_int_equal(*at, '#');
  if (strspn(at + 1, "0123456789abcdef") == 3) {
    assert_int_equal(sscanf(at, "#%1x%1x%1x", &channels[0], &channels[1], &channels[2]), 3);
    for (int i = 0; i < 3; i++) channels[i] *= 17;
  } else
    assert_int_equal(sscanf(at, "#%2x%2x%2x", &channels[0], &channels[1], &channels[2]), 3);
  return (ci_color){(uint8_t)channels[0], (uint8_t)channels[1], (uint8_t)channels[2]};
}

static uint8_t over(uint8_t paper, uint8_t color, unsigned opacity) {
  return (uint8_t)lround(paper + (color - paper) * (opacity / 255.0));
}

/* What `#rrggbbaa` looks like on paper. */
static ci_color seen_on(ci_color paper, const char *at) {
  ci_color c = color_at(at);
  unsigned opacity;
  assert_int_equal(sscanf(at + 7, "%2x", &opacity), 1);
  return (ci_color){over(paper.red, c.red, opacity), over(paper.green, c.green, opacity),
                    over(paper.blue, c.blue, opacity)};
}

/* Every painted cell reads at 4.5:1 on white and on dark paper, by what stands in the cell itself. */
static void check_contrast(const char *page) {
  static const char start[] = "<td style=\"background:";
  static const ci_color white = {255, 255, 255}, black = {0, 0, 0}, dark = {22, 24, 29};
  for (const char *at = page; (at = strstr(at, start)); at++) {
    const char *color = at + strlen(start);
    bool has_ink = ci_starts_with(color + strlen("#rrggbbaa"), ";color:#fff\"");
    assert_true(has_ink || color[strlen("#rrggbbaa")] == '"');
    assert_true(ci_color_contrast(seen_on(white, color), has_ink ? white : black) >= 4.4);
    assert_true(ci_color_contrast(seen_on(dark, color), white) >= 4.5);
  }
}

static ci_color variable_at(const char *start, const char *name) {
  const char *found = strstr(start, name);
  assert_non_null(found);
  return color_at(found + strlen(name));
}

static void the_rest_of_the_text_can_be_read(void **state) {
  (void)state;
  const char *themes[] = {ci_page_frame_style, strstr(ci_page_frame_style, "prefers-color-scheme:dark")};
  for (int i = 0; i < 2; i++) {
    static const char *const papers[] = {"--page:", "--paper:"}, *const inks[] = {"--ink:", "--muted:", "--accent:"};
    assert_non_null(themes[i]);
    for (int k = 0; k < 6; k++)
      assert_true(ci_color_contrast(variable_at(themes[i], papers[k % 2]), variable_at(themes[i], inks[k / 2])) >= 4.5);
  }
}

/* Rules of a fragment begin with .cinseq: they mean nothing elsewhere in the page that it is put into. */
static void a_fragment_leaves_its_page_alone(void **state) {
  (void)state;
  for (const char *at = ci_page_style; *at; at = strchr(at, '}') + 2) assert_true(ci_starts_with(at, ".cinseq"));
  fixture f;
  set_up(&f);
  char *fragment = page_of(&f.result, "{\"fragment\": true}");
  assert_true(ci_starts_with(fragment, "<div class=\"cinseq\">\n<style>\n"));
  assert_true(ci_ends_with(fragment, "</section>\n</div>\n"));
  static const char *const not_there[] = {"<html", "<body", "<h1", "<h2", " id=", "<script"};
  for (size_t i = 0; i < sizeof not_there / sizeof *not_there; i++) assert_null(strstr(fragment, not_there[i]));
  check_contrast(fragment);
  free(fragment);
  json_decref(f.result.info);
}

/* ---- the page ---- */

static void the_page_is_well_formed_and_whole(void **state) {
  (void)state;
  fixture f;
  set_up(&f);
  char *page = page_of(&f.result, "{}");
  check_page(page);
  check_contrast(page);
  assert_int_equal(count_of(page, "<table>"), 1);
  assert_int_equal(count_of(page, "<td"), 4 * (3 + 1));
  assert_int_equal(count_of(page, "<td></td>"), 2); /* NaN */
  assert_int_equal(count_of(page, "<th class=\"ci-n\">"), 4);
  assert_int_equal(count_of(page, "<td style=\""), 9);
  assert_has(page, "<tr><th class=\"ci-i\">0</th><th class=\"ci-t\" scope=\"row\"><bdi>▁今天</bdi></th>"
                   "<td style=\"background:#b2182b1e\" title=\"0.1174321\">0.117</td>"
                   "<td style=\"background:#b2182b23\" title=\"0.138\">0.138</td>"
                   "<td style=\"background:#2166ac40\" title=\"-0.25\">-0.250</td><td></td></tr>\n");
  assert_has(page, "<td title=\"0.0001\">0.000</td>"
                   "<td style=\"background:#b2182bff;color:#fff\" title=\"inf\">inf</td></tr>\n");
  assert_has(page, "prob&lt;ability</th><td title=\"0.44\">0.440</td><td title=\"0.396\">0.396</td><td></td>");
  assert_has(page, "<div class=\"ci-bar\"><span>-1.000</span> <i style=\"background:linear-gradient(to "
                   "right,#2166ac,#2166ac00 50.00%,"
                   "#b2182b00 50.00%,#b2182b) border-box\"></i> <span>1.000</span></div>");
  free(page);
  json_decref(f.result.info);
}

static void foreign_text_is_only_text(void **state) {
  (void)state;
  fixture f;
  set_up(&f);
  char *page = page_of(&f.result, "{}");
  assert_has(page, "<bdi title=\"&lt;script&gt;alert(1)&lt;/script&gt;\">&lt;script&gt;alert(1)&lt;/script&gt;</bdi>");
  assert_has(page, "<bdi>&quot;q&quot; &amp; &#39;r&#39;</bdi>");
  assert_has(page, "<bdi>\xef\xbf\xbd\\n</bdi>");
  assert_has(page, "<h2 class=\"ci-in\" dir=\"auto\">今天 &lt;b&gt;&amp;amp;&lt;/b&gt;\n&quot;x&quot;</h2>\n"
                   "<div class=\"ci-out\" dir=\"auto\">I &amp; you</div>");
  assert_has(page, "<title>saliency · &lt;model&gt;</title>");
  assert_has(page, "<dt>Attributed</dt><dd>probability</dd>");
  assert_null(strstr(page, "/home/me")); /* where a model lies is not mailed */
  free(page);
  json_decref(f.result.info);
}

static void options_are_honoured(void **state) {
  (void)state;
  fixture f;
  set_up(&f);
  char *page = page_of(&f.result, "{\"clean_tokens\": true, \"min_val\": -0.25, \"max_val\": 0.75}");
  check_page(page);
  assert_has(page, "<bdi>今天</bdi>");
  assert_has(page, "<bdi>I</bdi>");
  assert_has(page, "<td style=\"background:#2166acff;color:#fff\" title=\"-0.25\">");
  assert_has(page, "<td style=\"background:#b2182bff;color:#fff\" title=\"0.75\">");
  assert_has(page, "<td style=\"background:#b2182baa\" title=\"0.5\">");
  assert_has(page, "<span>-0.250</span> <i");
  assert_has(page, "#b2182b00 25.00%");
  free(page);
  json_decref(f.result.info);
}

static void sequences_and_both_tables(void **state) {
  (void)state;
  fixture f;
  set_up(&f);
  f.sequences[0].target_attributions = array_of(targets, 4, 4);
  f.sequences[1] = f.sequences[0];
  f.sequences[1].source_attributions = (ci_array){0};
  f.sequences[1].step_scores_count = 0;
  f.result.count = 2;
  char *page = page_of(&f.result, "{}");
  check_page(page);
  check_contrast(page);
  assert_int_equal(count_of(page, "<section>"), 2);
  assert_int_equal(count_of(page, "<table>"), 3);
  assert_int_equal(count_of(page, "<figcaption>Target attributions"), 2);
  assert_int_equal(count_of(page, "<tfoot>"), 2);
  assert_int_equal(count_of(page, "<td></td>"), 2 + (6 + 1) + 6);
  assert_has(page, "<h2 class=\"ci-in\" dir=\"auto\">Once<span class=\"ci-out\"> more</span></h2>\n<div"); /* goes on */
  free(page);
  json_object_clear(f.result.info); /* a file that says nothing of itself */
  page = page_of(&f.result, "{}");
  check_page(page);
  assert_has(page, "<title>Attributions</title>");
  assert_has(page, "<h2 class=\"ci-in\">Text 2</h2>");
  free(page);
  f.result.count = 0;
  page = page_of(&f.result, "{}");
  check_page(page);
  free(page);
  json_decref(f.result.info);
}

static void only_scores_above_zero_have_half_a_bar(void **state) {
  (void)state;
  fixture f;
  float positive[] = {0.1f, 0.2f, 0.3f, 0.4f};
  set_up(&f);
  f.sequences[0].source_attributions = array_of(positive, 1, 4);
  char *page = page_of(&f.result, "{}");
  check_page(page);
  assert_has(page, "#b2182b00 0.00%");
  assert_has(page, "<div class=\"ci-bar\"><span>0.000</span> <i");
  assert_has(page, "<span>0.400</span>");
  free(page);
  json_decref(f.result.info);
}

static void what_does_not_fit_is_refused(void **state) {
  (void)state;
  fixture f;
  ci_text text = {0};
  ci_error err = {0};
  ci_show_options options = {.color = "none"};
  set_up(&f);
  f.sequences[0].source_attributions = array_of(targets, 4, 4); /* of three tokens */
  assert_int_equal(ci_html_write(&f.result, &options, &text, &err), CI_EINVAL);
  assert_string_equal(err.where, "source_attributions");
  ci_text_free(&text);
  json_decref(f.result.info);
}

static void saved_results_become_pages(void **state) {
  (void)state;
  static const char *const files[] = {"marian_occlusion_target", "marian_attention", "gpt2_saliency_positions"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char path[512];
    ci_result *result;
    ci_text text = {0};
    ci_error err = {0};
    ci_show_options options = {.color = "none"};
    snprintf(path, sizeof path, "%s/results/%s.json", TEST_DATA, files[i]);
    assert_int_equal(ci_result_load(path, &result, &err), CI_OK);
    assert_int_equal(ci_output_render(ci_output_find("html"), result, &options, &text, &err), CI_OK);
    check_page(text.data);
    check_contrast(text.data);
    ci_text_free(&text);
    ci_result_close(result);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_page_is_well_formed_and_whole),
      cmocka_unit_test(foreign_text_is_only_text),
      cmocka_unit_test(options_are_honoured),
      cmocka_unit_test(sequences_and_both_tables),
      cmocka_unit_test(only_scores_above_zero_have_half_a_bar),
      cmocka_unit_test(the_rest_of_the_text_can_be_read),
      cmocka_unit_test(a_fragment_leaves_its_page_alone),
      cmocka_unit_test(what_does_not_fit_is_refused),
      cmocka_unit_test(saved_results_become_pages),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
