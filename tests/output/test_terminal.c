/* The heat table: its layout to the character, its colours, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "output/display_width.h"
#include "output/terminal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 40 };

/* A sequence over arrays of the test. */
typedef struct {
  ci_sequence sequence;
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

static void add_step_score(fixture *f, const char *name, float *values, size_t count) {
  f->step_scores[f->sequence.step_scores_count++] =
      (ci_named_array){(char *)name, {.rank = 1, .shape = {count}, .data = values}};
  f->sequence.step_scores = f->step_scores;
}

static const char *const words[] = {"▁今天", "学", "</s>", NULL}, *const output[] = {"▁I", "▁learned", "</s>", NULL};
static float scores[] = {0.1174f, 0.138f, -0.0004f, 0.274f, 0.2446f, 0.231f, 1, 0.0005f, 12.5f};
static float probabilities[] = {0.44f, 0.396f, 0.0001f};

static void set_encoder_decoder(fixture *f) {
  *f = (fixture){.sequence = {.source = f->source, .target = f->target}};
  f->sequence.source_count = set_tokens(f->source, words);
  f->sequence.target_count = f->sequence.attr_pos_end = set_tokens(f->target, output);
  f->sequence.source_attributions = array_of(scores, 3, 3);
  add_step_score(f, "probability", probabilities, 3);
}

static char *show(const fixture *f, const char *options_json) {
  ci_show_options options;
  ci_text text = {0};
  ci_error err;
  assert_int_equal(ci_show_options_read(options_json, &options, &err), CI_OK);
  ci_status status = ci_terminal_show(&f->sequence, &options, &text, &err);
  if (status) print_error("%s: %s\n", err.where, err.message);
  assert_int_equal(status, CI_OK);
  ci_show_options_free(&options);
  return ci_text_take(&text);
}

static void assert_shows(const fixture *f, const char *options, const char *expected) {
  char *text = show(f, options);
  assert_string_equal(text, expected);
  free(text);
}

static void the_table_is_aligned(void **state) {
  (void)state;
  fixture f;
  set_encoder_decoder(&f);
  assert_shows(&f, "{}",
               "Source attributions  → generated, ↓ attributed\n"
               "               0       1        2\n"
               "              ▁I    ▁learned   </s>\n"
               "0 ▁今天      0.117   0.138     0.000\n"
               "1 学         0.274   0.245     0.231\n"
               "2 </s>       1.000   0.001    12.500\n"
               "─────────────────────────────────────\n"
               "probability  0.440   0.396     0.000\n");
}

static void markers_are_cleaned(void **state) {
  (void)state;
  fixture f = {.sequence = {.target = f.target}};
  const char *const tokens[] = {"Ġ", "Ċ", "▁", "Ġthe", "a▁b", NULL};
  float target[] = {1, 2, 3, 4, 5};
  f.sequence.target_count = f.sequence.attr_pos_end = set_tokens(f.target, tokens);
  f.sequence.attr_pos_start = 4;
  f.sequence.target_attributions = array_of(target, 5, 1);
  assert_shows(&f, "{\"clean_tokens\": true}",
               "Target attributions  → generated, ↓ attributed\n"
               "         0\n"
               "        ab\n"
               "0 Ġ    1.000\n"
               "1 Ċ    2.000\n"
               "2 ▁    3.000\n"
               "3 the  4.000\n"
               "4 ab   5.000\n");
}

static void what_was_not_generated_is_blank(void **state) {
  (void)state;
  fixture f = {.sequence = {.target = f.target}};
  const char *const tokens[] = {"a", "b", "c", "d", NULL};
  float target[] = {1, 0.5f, 0.25f, NAN, 0.5f, 0.25f, NAN, NAN, 0.5f, NAN, NAN, NAN},
        perplexity[] = {NAN, 12345.6f, INFINITY};
  f.sequence.target_count = f.sequence.attr_pos_end = set_tokens(f.target, tokens);
  f.sequence.attr_pos_start = 1;
  f.sequence.target_attributions = array_of(target, 4, 3);
  add_step_score(&f, "perplexity", perplexity, 3);
  assert_shows(&f, "{}",
               "Target attributions  → generated, ↓ attributed\n"
               "              0      1      2\n"
               "              b      c      d\n"
               "0 a         1.000  0.500  0.250\n"
               "1 b                0.500  0.250\n"
               "2 c                       0.500\n"
               "3 d\n"
               "────────────────────────────────\n"
               "perplexity         12346    inf\n");
  char *text = show(&f, "{\"color\": \"truecolor\"}");
  assert_null(strstr(text, "nan"));
  assert_non_null(strstr(text, "\x1b[2m3\x1b[0m d\n")); /* nothing is painted where nothing is */
  free(text);
}

static void cells_are_painted(void **state) {
  (void)state;
  fixture f;
  set_encoder_decoder(&f);
  float few[] = {0, 1, 0.5f, -1, NAN, 0, 0, 0, 0};
  f.sequence.source_attributions = array_of(few, 3, 3);
  char *text = show(&f, "{\"color\": \"truecolor\"}");
  assert_non_null(strstr(text, "\x1b[1mSource attributions\x1b[0m"));
  assert_non_null(strstr(text, "\x1b[38;2;0;0;0;48;2;255;255;255m  0.000 \x1b[0m"));
  assert_non_null(strstr(text, "\x1b[38;2;255;255;255;48;2;178;24;43m  1.000   \x1b[0m"));
  assert_non_null(strstr(text, "\x1b[38;2;255;255;255;48;2;33;102;172m -1.000 \x1b[0m"));
  assert_non_null(strstr(text, "\x1b[38;2;0;0;0;48;2;217;140;149m 0.500 \x1b[0m"));
  free(text);
  text = show(&f, "{\"color\": \"256\"}");
  assert_non_null(strstr(text, "\x1b[38;5;16;48;5;231m  0.000 \x1b[0m"));
  assert_non_null(strstr(text, "\x1b[38;5;231;48;5;124m  1.000   \x1b[0m"));
  assert_non_null(strstr(text, "\x1b[38;5;231;48;5;25m -1.000 \x1b[0m"));
  free(text);
  text = show(&f, "{\"color\": \"truecolor\", \"max_val\": 2, \"min_val\": -1}");
  assert_non_null(strstr(text, "48;2;217;140;149m  1.000   \x1b[0m"));
  assert_non_null(strstr(text, "48;2;33;102;172m -1.000 \x1b[0m"));
  free(text);
  text = show(&f, "{\"color\": \"truecolor\", \"max_val\": 2}");
  assert_non_null(strstr(text, "48;2;144;179;214m -1.000 \x1b[0m"));
  free(text);
}

/* Removes the colours; fails at any other control character. */
static void strip_colors(char *text) {
  char *to = text;
  for (const char *at = text; *at; at++) {
    if (*at == '\x1b') {
      assert_true(at[1] == '[');
      at += 2 + strspn(at + 2, "0123456789;");
      assert_true(*at == 'm');
      continue;
    }
    assert_true((unsigned char)*at >= ' ' || *at == '\n');
    *to++ = *at;
  }
  *to = 0;
}

static void wide_tables_are_split(void **state) {
  (void)state;
  fixture f = {.sequence = {.source = f.source, .target = f.target}};
  const char *const source[] = {"a", "\x1b[2J\n", "an_extraordinarily_long_token_without_end", "e\u0301", NULL};
  const char *tokens[MOST] = {0};
  static float many[4 * 30];
  for (size_t i = 0; i < 30; i++) tokens[i] = i % 7 == 3 ? "今天学到了很多" : i % 5 ? "token" : "\t";
  for (size_t i = 0; i < 120; i++) many[i] = (float)i;
  f.sequence.source_count = set_tokens(f.source, source);
  f.sequence.target_count = f.sequence.attr_pos_end = set_tokens(f.target, tokens);
  f.sequence.source_attributions = array_of(many, 4, 30);
  add_step_score(&f, "probability", many, 30);
  char *plain = show(&f, "{\"width\": 60}"), *colored = show(&f, "{\"width\": 60, \"color\": \"truecolor\"}");
  strip_colors(plain);
  for (size_t i = 0; i < 120; i++) { /* every score is there */
    char number[32];
    snprintf(number, sizeof number, " %.3f", many[i]);
    assert_non_null(strstr(plain, number));
  }
  size_t lines = 0;
  for (char *line = strtok(plain, "\n"); line; line = strtok(NULL, "\n"), lines++) {
    assert_true(ci_display_width(line) <= 60);
    assert_true(line[strlen(line) - 1] != ' ');
  }
  assert_true(lines > 20 && (lines - 1) % 8 == 0); /* blocks of header, four rows, rule and score */
  strip_colors(colored);
  for (char *line = strtok(colored, "\n"); line; line = strtok(NULL, "\n")) assert_true(ci_display_width(line) <= 60);
  free(plain);
  free(colored);
  plain = show(&f, "{\"width\": 1}"); /* too narrow: a column at a time */
  assert_true(strlen(plain) > 0);
  free(plain);
}

static void both_tables_are_shown(void **state) {
  (void)state;
  fixture f;
  set_encoder_decoder(&f);
  float target[] = {NAN, 0.5f, 0.25f, NAN, NAN, 0.5f};
  f.sequence.target_attributions = array_of(target, 2, 3);
  char *text = show(&f, "{}");
  const char *second = strstr(text, "\n\nTarget attributions  → generated, ↓ attributed\n");
  assert_int_equal(strncmp(text, "Source", 6), 0);
  assert_non_null(second);
  assert_non_null(strstr(second, "0 ▁I")); /* rows are target tokens */
  assert_null(strstr(second, "2 </s>"));   /* as many as there are */
  free(text);
}

static void what_does_not_fit_is_refused(void **state) {
  (void)state;
  ci_show_options options = {.color = "none"};
  ci_text text = {0};
  ci_error err;
  fixture f;
  for (int i = 0; i < 6; i++) {
    set_encoder_decoder(&f);
    if (i == 0) f.sequence.source_attributions.shape[1] = 2;
    if (i == 1) f.sequence.source_count = 2;
    if (i == 2) f.sequence.source_attributions.rank = 3;
    if (i == 3) f.step_scores[0].values.shape[0] = 2;
    if (i == 4) f.sequence.attr_pos_end = 4;
    if (i == 5) f.sequence.attr_pos_start = 4;
    assert_int_equal(ci_terminal_show(&f.sequence, &options, &text, &err), CI_EINVAL);
    assert_null(text.data);
  }
}

static void nothing_to_show_is_no_crash(void **state) {
  (void)state;
  fixture f = {0};
  char *text = show(&f, "{}");
  assert_string_equal(text, "");
  free(text);
  set_encoder_decoder(&f);
  f.sequence.attr_pos_end = 0;
  f.sequence.source_attributions.shape[1] = 0;
  f.step_scores[0].values.shape[0] = 0;
  text = show(&f, "{\"color\": \"256\"}");
  assert_non_null(strstr(text, "Source attributions"));
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_table_is_aligned),
      cmocka_unit_test(markers_are_cleaned),
      cmocka_unit_test(what_was_not_generated_is_blank),
      cmocka_unit_test(cells_are_painted),
      cmocka_unit_test(wide_tables_are_split),
      cmocka_unit_test(both_tables_are_shown),
      cmocka_unit_test(what_does_not_fit_is_refused),
      cmocka_unit_test(nothing_to_show_is_no_crash),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
