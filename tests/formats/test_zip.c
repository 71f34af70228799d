/* Zip directories: files are put together here entry by entry, then broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "base/text.h"
#include "formats/zip.h"

enum { LOCAL = 30, CENTRAL = 46, END = 22 };

static void put(ci_text *file, uint64_t value, int width) {
  for (int i = 0; i < width; i++) ci_text_add_n(file, (const char[]){(char)(i < 8 ? value >> (8 * i) : 0)}, 1);
}

static void put_local(ci_text *file, const char *name, const char *bytes) {
  ci_text_add_n(file, "PK\3\4", 4);
  put(file, 0, 22); /* sizes are left to the directory */
  put(file, strlen(name), 2);
  put(file, 3, 2);
  ci_text_add(file, name);
  ci_text_add(file, "xyz"); /* the extra field */
  ci_text_add(file, bytes);
}

static void put_central(ci_text *file, const char *name, uint64_t size, uint64_t place, const char *extra,
                        size_t extra_length) {
  ci_text_add_n(file, "PK\1\2", 4);
  put(file, 0, 16);
  put(file, size, 4);
  put(file, size, 4);
  put(file, strlen(name), 2);
  put(file, extra_length, 2);
  put(file, 0, 10);
  put(file, place, 4);
  ci_text_add(file, name);
  ci_text_add_n(file, extra, extra_length);
}

static void put_end(ci_text *file, uint64_t count, uint64_t size, uint64_t start, const char *comment) {
  ci_text_add_n(file, "PK\5\6", 4);
  put(file, 0, 4);
  put(file, count, 2);
  put(file, count, 2);
  put(file, size, 4);
  put(file, start, 4);
  put(file, strlen(comment), 2);
  ci_text_add(file, comment);
}

/* Where things lie in the file of two entries, "b" with "hello" and "a/c" with nothing. */
enum {
  SECOND = LOCAL + 1 + 3 + 5,
  DIRECTORY = SECOND + LOCAL + 3 + 3,
  DIRECTORY_SECOND = DIRECTORY + CENTRAL + 1,
  DIRECTORY_END = DIRECTORY_SECOND + CENTRAL + 3
};

static void build(ci_text *file, const char *comment) {
  put_local(file, "b", "hello");
  put_local(file, "a/c", "");
  put_central(file, "b", 5, 0, "", 0);
  put_central(file, "a/c", 0, SECOND, "", 0);
  put_end(file, 2, DIRECTORY_END - DIRECTORY, DIRECTORY, comment);
  assert_false(file->failed);
}

static void expect_entry(const ci_text *file, const char *name, const char *bytes) {
  ci_zip zip;
  ci_error err = {0};
  if (ci_zip_open("file", (const uint8_t *)file->data, file->length, &zip, &err)) fail_msg("%s", err.message);
  const ci_zip_entry *e = ci_zip_find(&zip, name);
  assert_non_null(e);
  assert_int_equal(e->length, strlen(bytes));
  assert_memory_equal(e->bytes, bytes, e->length);
  assert_null(ci_zip_find(&zip, "a"));
  assert_null(ci_zip_find(&zip, "c"));
  assert_null(ci_zip_find(&zip, ""));
  ci_zip_close(&zip);
}

static void expect_failure(const ci_text *file, const char *wanted) {
  ci_zip zip;
  ci_error err = {0};
  assert_int_equal(ci_zip_open("file", (const uint8_t *)file->data, file->length, &zip, &err), CI_EFILE);
  assert_null(zip.entries);
  if (!strstr(err.message, wanted)) fail_msg("%s: no %s", err.message, wanted);
}

static void test_entries(void **state) {
  (void)state;
  static const char *const comments[] = {"", "a comment", "PK\5\6 is no end here, as this comment has another length"};
  for (int i = 0; i < 3; i++) {
    ci_text file = {0};
    build(&file, comments[i]);
    assert_int_equal((unsigned char)file.data[DIRECTORY], 'P');
    expect_entry(&file, "b", "hello");
    expect_entry(&file, "a/c", "");
    ci_text_free(&file);
  }
}

/* One changed byte each. */
static void test_broken(void **state) {
  (void)state;
  static const struct {
    size_t at;
    int value;
    const char *wanted;
  } cases[] = {
      {DIRECTORY + 10, 8, "zip entry \"b\" is compressed (method 8)"},
      {DIRECTORY_SECOND + 10, 12, "zip entry \"a/c\" is compressed (method 12)"},
      {DIRECTORY + 8, 1, "zip entry \"b\" is encrypted"},
      {DIRECTORY + 20, 6, "zip entry \"b\" has no size"},
      {DIRECTORY_SECOND + 42, 0, "zip entry \"a/c\" has another name in its own header"},
      {DIRECTORY_SECOND + 42, 1, "zip entry \"a/c\" has no header where the directory says"},
      {DIRECTORY_SECOND + 45, 0x7f, "zip entry \"a/c\" has no header where the directory says"},
      {SECOND + LOCAL, 'x', "zip entry \"a/c\" has another name in its own header"},
      {SECOND + 29, 1, "zip entry \"a/c\" has 0 bytes"},
      {DIRECTORY, 'x', "a broken directory at byte"},
      {DIRECTORY + 29, 1, "a broken directory at byte"},
      {DIRECTORY_SECOND + 28, 4, "a broken directory at byte"},
      {DIRECTORY_END + 10, 3, "whose directory of 3 entries claims"},
      {DIRECTORY_END + 12, 200, "claims 200 bytes"},
      {DIRECTORY_END + 19, 0x7f, "whose directory of 2 entries claims"},
      {DIRECTORY_END + 20, 1, "without a directory at its end"},
      {DIRECTORY_END, 'x', "without a directory at its end"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ci_text file = {0};
    build(&file, "");
    file.data[cases[i].at] = (char)cases[i].value;
    expect_failure(&file, cases[i].wanted);
    ci_text_free(&file);
  }
  ci_text file = {0};
  build(&file, "");
  memset(file.data + DIRECTORY + 20, 200, 1);
  memset(file.data + DIRECTORY + 24, 200, 1);
  expect_failure(&file, "zip entry \"b\" has 200 bytes at byte 0, out of range");
  size_t whole = file.length;
  for (file.length = 0; file.length < whole; file.length++) expect_failure(&file, "truncated");
  ci_text_free(&file);
}

static void test_twice(void **state) {
  (void)state;
  ci_text file = {0};
  put_local(&file, "b", "hello");
  put_central(&file, "b", 5, 0, "", 0);
  put_central(&file, "b", 5, 0, "", 0);
  put_end(&file, 2, 2 * (CENTRAL + 1), SECOND, "");
  expect_failure(&file, "zip entry \"b\" is there twice");
  ci_text_free(&file);
}

/* A zip64 file: sizes and place in the extra field, the directory's in an end record of its own. */
static void build64(ci_text *file, const char *extra, size_t extra_length, uint64_t record) {
  put_local(file, "b", "hello");
  put_central(file, "b", UINT32_MAX, UINT32_MAX, extra, extra_length);
  size_t end = file->length;
  ci_text_add_n(file, "PK\6\6", 4);
  put(file, 44, 8);
  put(file, 0, 12);
  put(file, 1, 8);
  put(file, 1, 8);
  put(file, end - SECOND, 8);
  put(file, SECOND, 8);
  ci_text_add_n(file, "PK\6\7", 4);
  put(file, 0, 4);
  put(file, record ? record : end, 8);
  put(file, 1, 4);
  put_end(file, UINT16_MAX, UINT32_MAX, UINT32_MAX, "");
  assert_false(file->failed);
}

static void test_zip64(void **state) {
  (void)state;
  static const char extra[] = "\7\0\2\0ab\1\0\30\0\5\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
  ci_text file = {0};
  build64(&file, extra, sizeof extra - 1, 0);
  expect_entry(&file, "b", "hello");
  ci_text_free(&file);
  static const uint64_t records[] = {1, UINT64_MAX, 1000000};
  for (int i = 0; i < 3; i++) {
    build64(&file, extra, sizeof extra - 1, records[i]);
    expect_failure(&file, "without its zip64 directory");
    ci_text_free(&file);
  }
  static const size_t lengths[] = {0, 6, 9, 33};
  for (int i = 0; i < 4; i++) {
    build64(&file, extra, lengths[i], 0);
    expect_failure(&file, "zip entry \"b\" has no size");
    ci_text_free(&file);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_entries),
      cmocka_unit_test(test_broken),
      cmocka_unit_test(test_twice),
      cmocka_unit_test(test_zip64),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
