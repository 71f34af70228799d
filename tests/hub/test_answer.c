/* Headers of servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "hub/answer.h"
#include <stdlib.h>
#include <string.h>

static ci_status feed(ci_answer *answer, const char *line) {
  return ci_answer_read_line(answer, "http://x", line, strlen(line), NULL);
}

static void headers(void **state) {
  (void)state;
  ci_answer *a = calloc(1, sizeof *a);
  char etag[16];
  int64_t first, total;
  assert_non_null(a);
  static const char *const lines[] = {"HTTP/1.1 302 Found\r\n", "Location: /x\r\n",
                                      "ETag: \"old\"\r\n",      "\r\n",
                                      "HTTP/2 206\r\n",         "eTAG:  W/\"abc\" \r\n",
                                      "Content-Length: 12\r\n", "content-range: bytes 5-16/17\r\n",
                                      "no colon\r\n",           ":\r\n",
                                      "X-Linked-Size: 12x\r\n"};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) assert_int_equal(feed(a, lines[i]), CI_OK);
  assert_int_equal(a->status, 206);
  assert_string_equal(ci_answer_get(a, CI_HTTP_LOCATION), ""); /* of the answer before */
  assert_true(ci_answer_etag(a, etag, sizeof etag));
  assert_string_equal(etag, "abc");
  assert_int_equal(ci_answer_number(a, CI_HTTP_LENGTH), 12);
  assert_int_equal(ci_answer_number(a, CI_HTTP_LINKED_SIZE), -1);
  assert_int_equal(ci_answer_number(a, CI_HTTP_COMMIT), -1);
  assert_true(ci_answer_range(a, &first, &total));
  assert_int_equal(first, 5);
  assert_int_equal(total, 17);
  assert_int_equal(feed(a, "X-Linked-Etag: \"0123456789abcdef\""), CI_OK);
  assert_false(ci_answer_etag(a, etag, sizeof etag)); /* too long for the room */
  static const char *const wrong[] = {"bytes */17",
                                      "bytes 5-4/17",
                                      "bytes 5-16/*",
                                      "bytes -16/17",
                                      "5-16/17",
                                      "bytes 5-16/17x",
                                      "bytes 99999999999999999999-5/6"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    strcpy(a->values[CI_HTTP_RANGE], wrong[i]);
    assert_false(ci_answer_range(a, &first, &total));
  }
  assert_int_equal(feed(a, "garbage HTTP/1.1 200"), CI_OK);
  assert_int_equal(a->status, 206);
  assert_int_equal(feed(a, "HTTP/"), CI_OK);
  assert_int_equal(a->status, 0);
  char line[CI_LONGEST_HEADER + 64];
  memset(line, 'x', sizeof line);
  memcpy(line, "ETag: ", 6);
  assert_int_equal(ci_answer_read_line(a, "http://x", line, sizeof line, NULL), CI_EFILE);
  line[0] = 'e';
  for (int i = 0; i < CI_MOST_HEADERS / 64 + 2; i++) {
    ci_status status = feed(a, "X-Other: 0123456789012345678901234567890123456789012345678901234567890123456789");
    if (status) return assert_int_equal(status, CI_EFILE), free(a);
  }
  fail_msg("headers without end were read");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(headers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
