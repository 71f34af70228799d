/* What all drawings share: which tables there are, what is refused, limits, numbers and labels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "output/heat_table.h"
#include <math.h>
#include <string.h>

static float data[12] = {0.5f, -2, 0.25f, NAN, 1, 0};
static ci_token tokens[4] = {
    {.id = 0, .token = "a"}, {.id = 1, .token = "b"}, {.id = 2, .token = "c"}, {.id = 3, .token = "d"}};

/* Three source tokens; columns for target tokens 1 and 2 of four. */
static ci_sequence sequence(void) {
  return (ci_sequence){.source = tokens,
                       .source_count = 3,
                       .target = tokens,
                       .target_count = 4,
                       .attr_pos_start = 1,
                       .attr_pos_end = 3,
                       .source_attributions = {.rank = 2, .shape = {3, 2}, .data = data}};
}

static void tables_are_over_the_sequence(void **state) {
  (void)state;
  ci_sequence s = sequence();
  ci_heat_tables tables;
  ci_error err;
  assert_int_equal(ci_heat_tables_of(&s, &tables, &err), CI_OK);
  assert_int_equal(tables.count, 1);
  assert_string_equal(tables.items[0].title, "Source attributions");
  assert_int_equal(tables.items[0].row_count, 3);
  assert_int_equal(tables.items[0].column_count, 2);
  assert_string_equal(tables.items[0].row_tokens[0].token, "a");
  assert_string_equal(tables.items[0].column_tokens[0].token, "b");
  ci_heat_tables_close(&tables);
  s.target_attributions = (ci_array){.rank = 2, .shape = {4, 2}, .data = data};
  s.source_attributions.data = NULL;
  assert_int_equal(ci_heat_tables_of(&s, &tables, &err), CI_OK);
  assert_int_equal(tables.count, 1);
  assert_string_equal(tables.items[0].title, "Target attributions");
  assert_int_equal(tables.items[0].row_count, 4);
  ci_heat_tables_close(&tables);
}

static void assert_refused(const ci_sequence *s, const char *where) {
  ci_error err = {0};
  assert_int_equal(ci_heat_table_check(s, 2, &err), CI_EINVAL);
  assert_string_equal(err.where, where);
}

static void what_does_not_agree_is_refused(void **state) {
  (void)state;
  ci_error err;
  ci_sequence s = sequence();
  assert_int_equal(ci_heat_table_check(&s, 2, &err), CI_OK);
  s.source_attributions.rank = 3;
  assert_refused(&s, "source_attributions");
  s.source_attributions.shape[2] = 1;
  assert_int_equal(ci_heat_table_check(&s, 3, &err), CI_OK);
  assert_int_equal(ci_heat_table_check(&s, 0, &err), CI_OK);
  assert_int_equal(ci_heat_table_check(&s, 4, &err), CI_EINVAL);
  s = sequence();
  s.source_count = 2;
  assert_refused(&s, "source_attributions");
  s = sequence();
  s.target_attributions = (ci_array){.rank = 2, .shape = {4, 3}, .data = data};
  assert_refused(&s, "target_attributions");
  s = sequence();
  s.attr_pos_end = 5;
  assert_refused(&s, "attr_pos_end");
  s = sequence();
  s.attr_pos_start = 4;
  assert_refused(&s, "attr_pos_end");
  ci_named_array score = {"entropy", {.rank = 1, .shape = {3}, .data = data}};
  s = sequence();
  s.step_scores = &score;
  s.step_scores_count = 1;
  assert_refused(&s, "entropy");
  score.values.shape[0] = 2;
  assert_int_equal(ci_heat_table_check(&s, 2, &err), CI_OK);
}

static void assert_limits(double min_val, double max_val, double min, double max) {
  ci_sequence s = sequence();
  ci_heat_limits limits = ci_heat_table_limits(&s, min_val, max_val);
  assert_true(limits.min == min && limits.max == max);
}

static void limits_are_given_or_found(void **state) {
  (void)state;
  assert_limits(0, 0, -1, 1);
  assert_limits(0, 4, -4, 4);
  assert_limits(-3, 0, -3, 1);
  assert_limits(-3, 4, -3, 4);
  assert_limits(NAN, NAN, -1, 1);
}

static void numbers_have_three_decimals_while_there_is_room(void **state) {
  (void)state;
  static const struct {
    double score;
    bool whole;
    const char *text;
  } cases[] = {
      {0.12345, false, "0.123"}, {-0.0004, false, "0.000"}, {-0.0006, false, "-0.001"}, {9999.5, false, "9999.500"},
      {12345.6, false, "12346"}, {1e12, false, "1e+12"},    {INFINITY, false, "inf"},   {-INFINITY, false, "-inf"},
      {12, false, "12.000"},     {12, true, "12"},          {-0.0, true, "0"},          {1e12, true, "1e+12"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[32];
    assert_int_equal(ci_score_format(cases[i].score, cases[i].whole, text), strlen(cases[i].text));
    assert_string_equal(text, cases[i].text);
  }
}

static void counts_are_whole_numbers_all_of_them(void **state) {
  (void)state;
  assert_true(ci_scores_are_whole((float[]){12, 0, -3, NAN}, 4));
  assert_false(ci_scores_are_whole((float[]){12, 0.5f}, 2));
  assert_false(ci_scores_are_whole((float[]){12, INFINITY}, 2));
  assert_false(ci_scores_are_whole((float[]){NAN}, 1));
}

static void assert_label(const char *token, bool clean, size_t most, const char *expected, size_t width) {
  ci_text text = {0};
  assert_int_equal(ci_token_label_add(&text, token, clean, most), width);
  assert_string_equal(text.data ? text.data : "", expected);
  ci_text_free(&text);
}

static void labels_are_safe_and_cleaned(void **state) {
  (void)state;
  assert_label("▁a", false, 0, "▁a", 2);
  assert_label("▁aĠ", true, 0, "a", 1);
  assert_label("▁", true, 0, "▁", 1); /* nothing would be left */
  assert_label("", true, 0, "", 0);
  assert_label("▁今天\n", true, 0, "今天\\n", 6);
  assert_label("▁abcdef", true, 4, "abc…", 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tables_are_over_the_sequence),
      cmocka_unit_test(what_does_not_agree_is_refused),
      cmocka_unit_test(limits_are_given_or_found),
      cmocka_unit_test(numbers_have_three_decimals_while_there_is_room),
      cmocka_unit_test(counts_are_whole_numbers_all_of_them),
      cmocka_unit_test(labels_are_safe_and_cleaned),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
