/* Hashes against those of git hash-object and sha256sum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "hub/digest.h"
#include "hub/http.h"
#include <string.h>

static ci_status check(const char *etag, const char *text, ci_error *err) {
  ci_digest *digest;
  assert_int_equal(ci_digest_open(etag, (int64_t)strlen(text), &digest, err), CI_OK);
  assert_int_equal(ci_digest_add(digest, "noise", 5, err), CI_OK);
  assert_int_equal(ci_digest_restart(digest, err), CI_OK);
  for (const char *at = text; *at; at++) assert_int_equal(ci_digest_add(digest, at, 1, err), CI_OK);
  ci_status status = ci_digest_check(digest, "file", err);
  ci_digest_close(digest);
  return status;
}

static void hashes(void **state) {
  (void)state;
  ci_error err = {0};
  if (!ci_http_version()) return print_message("a build without downloads: not tested\n");
  assert_int_equal(check("ce013625030ba8dba906f756967f9e9ca394464a", "hello\n", &err), CI_OK);
  assert_int_equal(check("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03", "hello\n", &err), CI_OK);
  assert_int_equal(check("5891B5B522D5DF086D0FF0B110FBD9D21BB4FC7163AF34D08286A2E846F6BE03", "hello\n", &err), CI_OK);
  assert_int_equal(check("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", "", &err), CI_OK);
  assert_int_equal(check("ce013625030ba8dba906f756967f9e9ca394464a", "hellO\n", &err), CI_EFILE);
  assert_string_equal(err.where, "file");
  assert_non_null(strstr(err.message, "expected ce013625030ba8dba906f756967f9e9ca394464a"));
  assert_int_equal(check("something-else", "hello\n", &err), CI_OK); /* says nothing of the bytes */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(hashes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
