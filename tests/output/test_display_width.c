/* Columns of text, and what makes it safe to print. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "output/display_width.h"
#include <string.h>

static void widths_are_those_of_terminals(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t width;
  } cases[] = {
      {"", 0},
      {"abc", 3},
      {"▁I", 2},
      {"Ġthe", 4},
      {"今天", 4},
      {"。", 2},
      {"한국어", 6},
      {"\u1112\u1161\u11ab", 2}, /* 한 as three letters */
      {"été", 3},
      {"e\u0301te\u0301", 3},
      {"q\u0323\u0307", 1},
      {"नमस्ते", 4},
      {"👍", 2},
      {"👍🏽", 2},
      {"👩‍👩‍👧", 2},
      {"👩‍👩‍👧👍", 4},
      {"🇲🇬", 2},
      {"🇲🇬🇫🇷", 4},
      {"❤️", 2},
      {"❤", 1},
      {"1️⃣", 2},
      {"\xff\xe4\xbb", 2}, /* ill-formed: two replacement characters */
      {"عربي", 4},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (ci_display_width(cases[i].text) != cases[i].width)
      print_error("%s: %zu\n", cases[i].text, ci_display_width(cases[i].text));
    assert_int_equal(ci_display_width(cases[i].text), cases[i].width);
  }
}

static void assert_shown(const char *text, size_t most, const char *expected) {
  ci_text out = {0};
  size_t width = ci_display_add(&out, text, most);
  assert_string_equal(out.data ? out.data : "", expected);
  assert_int_equal(width, ci_display_width(expected));
  assert_true(!most || width <= most);
  ci_text_free(&out);
}

static void nothing_steers_the_terminal(void **state) {
  (void)state;
  assert_shown("Ċ", 0, "Ċ");
  assert_shown("a\nb\tc\rd", 0, "a\\nb\\tc\\rd");
  assert_shown("\x1b[31mred\x7f\x01", 0, "\\x1b[31mred\\x7f\\x01");
  assert_shown("\xc2\x9b"
               "31m",
               0, "\\x9b31m");
  assert_shown("\u202eabc\u2066\u200f\ufeff\u200b", 0, "\\u202eabc\\u2066\\u200f\\ufeff\\u200b");
  assert_shown("\u2028\u2029\u00ad", 0, "\\u2028\\u2029\\xad");
  assert_shown("\xff\xe4\xbb!", 0, "\uFFFD\uFFFD!");
  assert_shown("\u0301x", 0, "◌\u0301x");
  assert_shown("\u200dx", 0, "◌\u200dx");
  assert_shown("\n\u0301", 0, "\\n◌\u0301");
  assert_shown("👩‍👩‍👧", 0, "👩‍👩‍👧");
  assert_shown("", 5, "");
}

static void long_text_is_cut_at_a_whole_character(void **state) {
  (void)state;
  assert_shown("abcdef", 6, "abcdef");
  assert_shown("abcdef", 5, "abcd…");
  assert_shown("今天学到", 8, "今天学到");
  assert_shown("今天学到", 7, "今天学…");
  assert_shown("今天学到", 6, "今天…");
  assert_shown("e\u0301e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301…");
  assert_shown("👩‍👩‍👧👩‍👩‍👧", 3, "👩‍👩‍👧…");
  assert_shown("abc", 1, "…");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(widths_are_those_of_terminals),
      cmocka_unit_test(nothing_steers_the_terminal),
      cmocka_unit_test(long_text_is_cut_at_a_whole_character),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
