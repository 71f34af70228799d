/* Files: written as a whole or not at all, mapped, read with a limit. */
#include "base/file.h"
#include "base/memory.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/cinseq-file-XXXXXX";

static int set_up(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : -1;
}

static size_t entries(void) {
  DIR *d = opendir(folder);
  size_t count = 0;
  for (struct dirent *e; (e = readdir(d)) != NULL;) count += e->d_name[0] != '.';
  closedir(d);
  return count;
}

static int tear_down(void **state) {
  (void)state;
  return rmdir(folder);
}

static char *in_folder(const char *name) {
  char *path = ci_join_path(folder, name);
  assert_non_null(path);
  return path;
}

static void expect(const char *path, const char *text, size_t length) {
  char *found;
  size_t n;
  ci_error err = {0};
  assert_int_equal(ci_read_file(path, 1000, &found, &n, &err), CI_OK);
  assert_int_equal(n, length);
  assert_memory_equal(found, text, length);
  assert_int_equal(found[n], 0);
  ci_free(found);
}

static void written_beside_and_renamed(void **state) {
  (void)state;
  char *path = in_folder("out.json");
  ci_error err = {0};
  assert_int_equal(ci_write_file(path, "first", 5, &err), CI_OK);
  expect(path, "first", 5);
  struct stat before, after;
  stat(path, &before);
  mode_t mask = umask(0);
  umask(mask);
  assert_int_equal(before.st_mode & 0777, 0666 & ~mask);
  assert_int_equal(ci_write_file(path, "a\0b", 3, &err), CI_OK);
  expect(path, "a\0b", 3);
  stat(path, &after);
  assert_int_not_equal(before.st_ino, after.st_ino); /* another file took its name */
  assert_int_equal(ci_write_file(path, "", 0, &err), CI_OK);
  expect(path, "", 0);
  assert_int_equal(entries(), 1);
  unlink(path);
  ci_free(path);
}

/* No folder, a folder in the way, a full disk: the old file stays, nothing else is left. */
static void unwritable_paths(void **state) {
  (void)state;
  char *deep = in_folder("none/out.json"), *taken = in_folder("taken");
  ci_error err = {0};
  assert_int_equal(ci_write_file(deep, "x", 1, &err), CI_EFILE);
  assert_string_equal(err.where, deep);
  assert_non_null(strstr(err.message, "cannot be written: No such file"));
  assert_int_equal(mkdir(taken, 0700), 0);
  assert_int_equal(ci_write_file(taken, "x", 1, &err), CI_EFILE);
  assert_int_equal(entries(), 1); /* the folder; no file beside it */
  rmdir(taken);
  char *file = in_folder("file"), *below = in_folder("file/out");
  assert_int_equal(ci_write_file(file, "x", 1, &err), CI_OK);
  assert_int_equal(ci_write_file(below, "x", 1, &err), CI_EFILE);
  assert_non_null(strstr(err.message, "Not a directory"));
  expect(file, "x", 1);
  unlink(file);
  ci_free(deep);
  ci_free(taken);
  ci_free(file);
  ci_free(below);
}

static void reading(void **state) {
  (void)state;
  char *path = in_folder("text"), *text = NULL;
  size_t n;
  ci_error err = {0};
  assert_int_equal(ci_write_file(path, "0123456789", 10, &err), CI_OK);
  assert_int_equal(ci_read_file(path, 9, &text, &n, &err), CI_EFILE);
  assert_non_null(strstr(err.message, "10 bytes"));
  assert_int_equal(ci_read_file(path, 10, &text, &n, &err), CI_OK);
  ci_free(text);
  ci_mapping map;
  assert_int_equal(ci_map_file(path, &map, &err), CI_OK);
  assert_int_equal(map.length, 10);
  assert_memory_equal(map.bytes, "0123456789", 10);
  ci_unmap_file(&map);
  assert_null(map.bytes);
  ci_unmap_file(&map); /* twice is harmless */
  assert_int_equal(ci_write_file(path, "", 0, &err), CI_OK);
  assert_int_equal(ci_map_file(path, &map, &err), CI_OK);
  assert_null(map.bytes);
  assert_int_equal(map.length, 0);
  ci_unmap_file(&map);
  unlink(path);
  assert_int_equal(ci_map_file(path, &map, &err), CI_EFILE);
  assert_non_null(strstr(err.message, "No such file"));
  assert_int_equal(ci_map_file(folder, &map, &err), CI_EFILE);
  assert_int_equal(ci_read_file("/dev/zero", 100, &text, &n, &err), CI_EFILE); /* would never end */
  ci_free(path);
}

static void facts(void **state) {
  (void)state;
  assert_true(ci_folder_exists(folder));
  assert_false(ci_file_exists(folder));
  assert_true(ci_file_exists(TEST_DATA "/golden/README.md"));
  assert_false(ci_folder_exists(TEST_DATA "/golden/README.md"));
  assert_false(ci_file_exists(""));
  static const char *const cases[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a//", "b", "a/b"}, {"/", "b", "//b"}};
  for (int i = 0; i < 4; i++) {
    char *path = ci_join_path(cases[i][0], cases[i][1]);
    assert_string_equal(path, cases[i][2]);
    ci_free(path);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(written_beside_and_renamed), cmocka_unit_test(unwritable_paths),
                                     cmocka_unit_test(reading), cmocka_unit_test(facts)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
