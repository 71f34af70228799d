/* An error is one harmless line, however hostile the names in it. */
#include "base/error.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void one_line(void **state) {
  (void)state;
  ci_error err = {0};
  assert_int_equal(ci_fail(&err, CI_EFILE, "a\nb\x1b[31m", "tensor \"%s\" of %d", "x\r\ny\x7f", 3), CI_EFILE);
  assert_int_equal(err.code, CI_EFILE);
  assert_string_equal(err.where, "a?b?[31m");
  assert_string_equal(err.message, "tensor \"x??y?\" of 3");
  /* U+009B is ESC [ in one character, U+202E turns the line round, and a name may end in the middle of a letter */
  ci_fail(&err, CI_EFILE,
          "\xC2\x9B"
          "2Jx",
          "\xE2\x80\xAE"
          "evil\xC3 \xE2\x80\xA8w\xC3\xB6rld \xEF\xBF\xBD\xE4\xBB");
  assert_string_equal(err.where, "?2Jx");
  assert_string_equal(err.message, "?evil? ?w\xC3\xB6rld \xEF\xBF\xBD?");
  assert_int_equal(ci_fail(&err, CI_EINVAL, NULL, "no place"), CI_EINVAL);
  assert_string_equal(err.where, "");
  assert_int_equal(ci_fail(NULL, CI_EMODEL, "x", "y"), CI_EMODEL);
  assert_int_equal(ci_fail_memory(&err), CI_ENOMEM);
  assert_string_equal(err.message, "out of memory");
}

static void long_names_are_cut(void **state) {
  (void)state;
  char name[5000];
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = 0;
  ci_error err = {0};
  ci_fail(&err, CI_EFILE, name, "%s", name);
  assert_int_equal(strlen(err.where), sizeof err.where - 1);
  assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(one_line), cmocka_unit_test(long_names_are_cut)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
