/* Files that are written in pieces: whole or not at all. (What they have in common with ci_write_file: test_file.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/file.h"
#include "base/memory.h"
#include "base/new_file.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LENGTH = 300000 };
static char folder[] = "/tmp/cinseq-new-file-XXXXXX", path[64], bytes[LENGTH];

static int make_folder(void **state) {
  (void)state;
  for (size_t i = 0; i < LENGTH; i++) bytes[i] = (char)(i * i / 7);
  if (!mkdtemp(folder)) return -1;
  snprintf(path, sizeof path, "%s/file", folder);
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  unlink(path);
  return rmdir(folder);
}

static void only_file_is(const char *expected, size_t length) {
  DIR *entries = opendir(folder);
  assert_non_null(entries);
  for (struct dirent *entry; (entry = readdir(entries));)
    assert_true(entry->d_name[0] == '.' || strcmp(entry->d_name, "file") == 0);
  closedir(entries);
  char *found;
  size_t n;
  ci_error err = {0};
  assert_int_equal(ci_read_file(path, LENGTH, &found, &n, &err), CI_OK);
  assert_int_equal(n, length);
  assert_memory_equal(found, expected, length);
  ci_free(found);
}

static void add_in_pieces(ci_new_file *file, size_t length) {
  ci_error err = {0};
  ci_sink sink = ci_new_file_sink(file);
  for (size_t at = 0, next; at < length; at = next) {
    next = 2 * at + 1 < length ? 2 * at + 1 : length;
    assert_int_equal(sink.add(sink.context, bytes + at, next - at, &err), CI_OK);
  }
}

static void pieces_of_all_sizes(void **state) {
  (void)state;
  static const size_t lengths[] = {LENGTH, 65536, 65537, 1, 0};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    ci_new_file file;
    ci_error err = {0};
    assert_int_equal(ci_new_file_open(&file, path, &err), CI_OK);
    add_in_pieces(&file, lengths[i]);
    assert_int_equal(ci_new_file_close(&file, true, &err), CI_OK);
    only_file_is(bytes, lengths[i]);
  }
}

static void what_is_not_whole_leaves_the_old_file(void **state) {
  (void)state;
  ci_new_file file;
  ci_error err = {0};
  assert_int_equal(ci_write_file(path, "old", 3, &err), CI_OK);
  assert_int_equal(ci_new_file_open(&file, path, &err), CI_OK);
  add_in_pieces(&file, LENGTH);
  only_file_is("old", 3); /* readers see it until the new one is whole */
  assert_int_equal(ci_new_file_close(&file, false, &err), CI_OK);
  only_file_is("old", 3);
}

static void a_full_disk_is_said_once_it_is_met(void **state) {
  (void)state;
  ci_new_file file;
  ci_error err = {0};
  if (access("/dev/full", W_OK)) skip();
  assert_int_equal(ci_new_file_open(&file, "/dev/full", &err), CI_OK);
  assert_int_equal(ci_new_file_add(&file, bytes, 10, &err), CI_OK); /* still in the buffer */
  assert_int_equal(ci_new_file_add(&file, bytes, LENGTH, &err), CI_EFILE);
  assert_string_equal(err.where, "/dev/full");
  assert_non_null(strstr(err.message, "cannot be written: No space left"));
  assert_int_equal(ci_new_file_add(&file, bytes, 10, &err), CI_EFILE);
  assert_int_equal(ci_new_file_close(&file, true, &err), CI_EFILE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pieces_of_all_sizes),
      cmocka_unit_test(what_is_not_whole_leaves_the_old_file),
      cmocka_unit_test(a_full_disk_is_said_once_it_is_met),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
