/* Libraries of the system that are opened when they are needed: what is said when they are missing or too old. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "hub/libraries.h"
#include <math.h>
#include <string.h>

typedef struct {
  double (*cos)(double);
  double (*no_such_function)(double);
} table;

static const ci_function functions[] = {{"cos", offsetof(table, cos)},
                                        {"no_such_function", offsetof(table, no_such_function)}};

static void found(void **state) {
  (void)state;
  static const char *const files[] = {"libnowhere.so.7", "libm.so.6", NULL};
  table t = {0};
  ci_error err = {0};
  assert_int_equal(ci_library_load(files, "libc6", functions, 1, &t, &err), CI_OK);
  assert_true(t.cos(0) == 1);
  assert_null(t.no_such_function);
}

static void missing(void **state) {
  (void)state;
  static const char *const files[] = {"libnowhere.so.7", "libnowhere.so.6", NULL};
  table t = {0};
  ci_error err = {0};
  assert_int_equal(ci_library_load(files, "libnowhere7", functions, 1, &t, &err), CI_EFILE);
  assert_non_null(strstr(err.message, "libnowhere.so.7 is missing"));
  assert_non_null(strstr(err.message, "libnowhere7"));
}

static void too_old(void **state) {
  (void)state;
  static const char *const files[] = {"libm.so.6", NULL};
  table t = {0};
  ci_error err = {0};
  assert_int_equal(ci_library_load(files, "libc6", functions, 2, &t, &err), CI_EFILE);
  assert_non_null(strstr(err.message, "libm.so.6 is too old: it has no no_such_function"));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(found), cmocka_unit_test(missing), cmocka_unit_test(too_old)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
