/* Files: written as a whole or not at all, mapped, read with a limit. */
#define _GNU_SOURCE /* O_TMPFILE */
#include "base/file.h"
#include "base/memory.h"
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static void links_and_permissions_stay(void **state) {
  (void)state;
  char *path = in_folder("real"), *link = in_folder("link"), *loop = in_folder("loop"), *nowhere = in_folder("nowhere");
  struct stat facts;
  ci_error err = {0};
  assert_int_equal(ci_write_file(path, "old", 3, &err), CI_OK);
  assert_int_equal(chmod(path, 0640), 0);
  assert_int_equal(symlink("real", link), 0);
  assert_int_equal(ci_write_file(link, "new", 3, &err), CI_OK);
  expect(path, "new", 3);
  assert_int_equal(lstat(link, &facts), 0);
  assert_true(S_ISLNK(facts.st_mode));
  assert_int_equal(stat(path, &facts), 0);
  assert_int_equal(facts.st_mode & 0777, 0640);
  assert_int_equal(symlink("loop", loop), 0);
  assert_int_equal(symlink("not-there", nowhere), 0);
  char *text;
  size_t n;
  assert_int_equal(ci_read_file(loop, 10, &text, &n, &err), CI_EFILE);
  assert_non_null(strstr(err.message, "Too many levels"));
  assert_int_equal(ci_read_file(nowhere, 10, &text, &n, &err), CI_EFILE);
  assert_int_equal(entries(), 4);
  unlink(path);
  unlink(link);
  unlink(loop);
  unlink(nowhere);
  ci_free(path);
  ci_free(link);
  ci_free(loop);
  ci_free(nowhere);
}

/* As root, renaming over /dev/null would make a file of it. */
static void devices_are_written_to(void **state) {
  (void)state;
  struct stat facts;
  ci_error err = {0};
  assert_int_equal(ci_write_file("/dev/full", "x", 1, &err), CI_EFILE);
  assert_non_null(strstr(err.message, "No space left on device"));
  assert_int_equal(ci_write_file("/dev/null", "x", 1, &err), CI_OK);
  assert_int_equal(stat("/dev/null", &facts), 0);
  assert_true(S_ISCHR(facts.st_mode));
  assert_int_equal(stat("/dev/full", &facts), 0);
  assert_true(S_ISCHR(facts.st_mode));
}

static void pipes_do_not_hang(void **state) {
  (void)state;
  char *path = in_folder("pipe"), *text;
  size_t n;
  ci_mapping map;
  ci_error err = {0};
  assert_int_equal(mkfifo(path, 0600), 0);
  alarm(20);
  assert_int_equal(ci_read_file(path, 10, &text, &n, &err), CI_EFILE);
  assert_int_equal(ci_map_file(path, &map, &err), CI_EFILE);
  assert_non_null(strstr(err.message, "not a regular file"));
  alarm(0);
  unlink(path);
  ci_free(path);
}

/* The disk is full after the first pages (RLIMIT_FSIZE stands for it), or the process is killed there. */
static int save_limited(const char *path, const void *bytes, size_t length, bool killed) {
  pid_t child = fork();
  if (child == 0) {
    struct rlimit limit = {8192, 8192};
    ci_error err = {0};
    signal(SIGXFSZ, killed ? SIG_DFL : SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    ci_status status = ci_write_file(path, bytes, length, &err);
    _exit(status == CI_EFILE && strstr(err.message, "cannot be written: File too large") ? 7 : 8);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  return status;
}

static void half_written_files_are_not_seen(void **state) {
  (void)state;
  char *path = in_folder("out.json");
  size_t length = 100000;
  char *bytes = ci_alloc_zeroed(length, 1);
  ci_error err = {0};
  assert_int_equal(ci_write_file(path, "old", 3, &err), CI_OK);
  int status = save_limited(path, bytes, length, false);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 7);
  expect(path, "old", 3);
  assert_int_equal(entries(), 1);
  status = save_limited(path, bytes, length, true);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), SIGXFSZ);
  expect(path, "old", 3);
  int nameless = open(folder, O_TMPFILE | O_WRONLY, 0600);
  if (nameless >= 0) close(nameless);
  assert_true(entries() <= (nameless >= 0 ? 1 : 2)); /* elsewhere the file beside is left */
  DIR *d = opendir(folder);
  for (struct dirent *e; (e = readdir(d)) != NULL;)
    if (e->d_name[0] != '.') unlinkat(dirfd(d), e->d_name, 0);
  closedir(d);
  ci_free(bytes);
  ci_free(path);
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

/* Where the system can say so: what a mapping no longer has is known before it is read. */
static void files_that_become_shorter(void **state) {
  (void)state;
  enum { PAGES = 64 };
  size_t page = (size_t)sysconf(_SC_PAGESIZE), length = PAGES * page;
  char *path = in_folder("long"), *bytes = ci_alloc_zeroed(length, 1);
  ci_error err = {0};
  ci_mapping map;
  assert_int_equal(ci_write_file(path, bytes, length, &err), CI_OK);
  assert_int_equal(ci_map_file(path, &map, &err), CI_OK);
#ifdef MADV_POPULATE_READ
  bool asks = madvise((void *)map.bytes, page, MADV_POPULATE_READ) == 0; /* not before Linux 5.14 */
#else
  bool asks = false;
#endif
  assert_true(ci_mapping_expect(map.bytes, length));
  ci_mapping_forget(map.bytes, length);
  assert_int_equal(truncate(path, (off_t)(length / 2)), 0);
  assert_true(ci_mapping_expect(map.bytes + 5, length / 2 - 5));
  assert_true(ci_mapping_expect(map.bytes, length) == !asks);
  ci_unmap_file(&map);
  unlink(path);
  ci_free(bytes);
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
  const struct CMUnitTest tests[] = {cmocka_unit_test(written_beside_and_renamed),
                                     cmocka_unit_test(unwritable_paths),
                                     cmocka_unit_test(links_and_permissions_stay),
                                     cmocka_unit_test(devices_are_written_to),
                                     cmocka_unit_test(pipes_do_not_hang),
                                     cmocka_unit_test(half_written_files_are_not_seen),
                                     cmocka_unit_test(reading), cmocka_unit_test(files_that_become_shorter),
                                     cmocka_unit_test(facts)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
