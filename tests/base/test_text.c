/* UTF-8 as Python's errors="replace" reads it, growing strings, nearest names. */
#include "base/text.h"
#include "base/memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define BAD "\xEF\xBF\xBD" /* U+FFFD */

/* bytes.decode("utf-8", errors="replace") of CPython 3.11 */
static const struct {
  const char *bytes, *text;
} lossy[] = {
    {"", ""},
    {"plain", "plain"},
    {"\xC3\xA9t\xC3\xA9", "\xC3\xA9t\xC3\xA9"},
    {"\xE6\x88\x91", "\xE6\x88\x91"},
    {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
    {"\x80", BAD},
    {"\xBF\x80", BAD BAD},
    {"\xC0\x80", BAD BAD}, /* overlong NUL */
    {"\xC1\xBF", BAD BAD},
    {"\xC3", BAD}, /* cut */
    {"\xC3(", BAD "("},
    {"\xE0\x80\x80", BAD BAD BAD}, /* overlong */
    {"\xE0\xA0", BAD},             /* cut: one for the maximal prefix */
    {"\xE2\x82", BAD},
    {"\xE2\x82(", BAD "("},
    {"\xE2(\xA1", BAD "(" BAD},
    {"\xED\xA0\x80", BAD BAD BAD}, /* a surrogate */
    {"\xED\x9F\xBF", "\xED\x9F\xBF"},
    {"\xF0\x80\x80\x80", BAD BAD BAD BAD}, /* overlong */
    {"\xF0\x9F\x98", BAD},
    {"\xF0\x9F\x98z", BAD "z"},
    {"\xF0\x9F", BAD},
    {"\xF0", BAD},
    {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"}, /* U+10FFFF */
    {"\xF4\x90\x80\x80", BAD BAD BAD BAD},    /* above it */
    {"\xF5\x80\x80\x80", BAD BAD BAD BAD},
    {"\xFF\xFE", BAD BAD},
    {"a\xE6\x88"
     "b\xE6\x88\x91"
     "c",
     "a" BAD "b\xE6\x88\x91"
     "c"},
    {BAD, BAD}, /* itself, well-formed */
};

static void utf8_is_replaced_as_python_does(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof lossy / sizeof *lossy; i++) {
    ci_text out = {0};
    size_t n = strlen(lossy[i].bytes);
    char *exact = malloc(n + 1); /* no terminator within reach of the sanitizer */
    memcpy(exact, lossy[i].bytes, n);
    exact = realloc(exact, n ? n : 1);
    ci_text_add_utf8_lossy(&out, exact, n);
    char *text = ci_text_take(&out);
    if (strcmp(text, lossy[i].text)) fail_msg("case %zu", i);
    assert_int_equal(ci_utf8_valid(exact, n), strcmp(lossy[i].bytes, lossy[i].text) == 0);
    ci_free(text);
    free(exact);
  }
}

static void every_code_point_goes_round(void **state) {
  (void)state;
  for (uint32_t c = 0; c <= 0x110000; c++) {
    ci_text out = {0};
    uint32_t back;
    ci_text_add_codepoint(&out, c);
    assert_int_equal(ci_utf8_next(out.data, out.length, 0, &back), out.length);
    bool real = c <= 0x10FFFF && !(c >= 0xD800 && c < 0xE000);
    if (back != (real ? c : 0xFFFD)) fail_msg("U+%04X", (unsigned)c);
    ci_text_free(&out);
  }
}

static void strings_grow(void **state) {
  (void)state;
  ci_text text = {0};
  char *empty = ci_text_take(&text);
  assert_string_equal(empty, "");
  ci_free(empty);
  for (int i = 0; i < 1000; i++) ci_text_add_format(&text, "%d,", i);
  assert_int_equal(text.length, 3890);
  assert_int_equal(strlen(text.data), text.length);
  ci_text_add_n(&text, "\0x", 2);
  assert_int_equal(text.length, 3892);
  assert_memory_equal(text.data + 3890, "\0x", 3);
  ci_text_free(&text);
  assert_null(text.data);
  ci_text_add(&text, "left");
  text.failed = true; /* as when memory ran out */
  ci_text_add(&text, "right");
  assert_null(ci_text_take(&text));
}

static void ends(void **state) {
  (void)state;
  assert_true(ci_starts_with("model.norm", "model."));
  assert_false(ci_starts_with("mod", "model."));
  assert_true(ci_starts_with("x", ""));
  assert_true(ci_ends_with("h.0.attn.bias", ".attn.bias"));
  assert_false(ci_ends_with("bias", ".attn.bias"));
  assert_true(ci_ends_with("x", ""));
}

static void nearest_names(void **state) {
  (void)state;
  const char *const names[] = {"saliency", "integrated_gradients", "occlusion", "attention"};
  assert_string_equal(ci_nearest("salency", names, 4), "saliency");
  assert_string_equal(ci_nearest("integrated_gradient", names, 4), "integrated_gradients");
  assert_string_equal(ci_nearest("attention", names, 4), "attention");
  assert_null(ci_nearest("lime", names, 4));
  assert_null(ci_nearest("saliency", names, 0));
  char longest[400];
  memset(longest, 'a', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  const char *const long_names[] = {longest};
  assert_null(ci_nearest("b", long_names, 1));
  ci_nearest(longest, names, 4); /* no overflow */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(utf8_is_replaced_as_python_does),
      cmocka_unit_test(every_code_point_goes_round),
      cmocka_unit_test(strings_grow),
      cmocka_unit_test(ends),
      cmocka_unit_test(nearest_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
