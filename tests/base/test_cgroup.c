/* Limits of control groups, in folders that look like /sys/fs/cgroup. */
#include "base/cgroup.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char root[64];

static int set_up(void **state) {
  (void)state;
  strcpy(root, "/tmp/cinseq-cgroup-XXXXXX");
  return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", root);
  return system(command);
}

/* Writes a file below the root, with the folders that it needs. */
static void put(const char *name, const char *text) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", root, name);
  for (char *slash = strchr(path + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    mkdir(path, 0700);
    *slash = '/';
  }
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static size_t available(const char *membership) {
  char path[512];
  put("membership", membership);
  snprintf(path, sizeof path, "%s/membership", root);
  return ci_cgroup_available(path, root);
}

/* Pages of files do not count: they are given back. A group without a limit has that of the groups above. */
static void version_2(void **state) {
  (void)state;
  put("a/memory.max", "1000000\n");
  put("a/memory.current", "700000\n");
  put("a/memory.stat", "anon 100\nfile 400000\nfile_mapped 1\n");
  put("a/b/memory.max", "max\n");
  put("a/b/memory.current", "5\n");
  assert_true(available("0::/a\n") == 700000);
  assert_true(available("0::/a/b\n") == 700000);
  put("a/b/memory.max", "600000");
  assert_true(available("0::/a/b\n") == 599995);
  put("a/b/memory.current", "600001");
  assert_true(available("0::/a/b\n") == 0);
  assert_true(available("0::/\n") == SIZE_MAX);
}

/* A container's own root, whatever the path that the host has for it. */
static void version_1(void **state) {
  (void)state;
  put("memory/memory.limit_in_bytes", "5000000\n");
  put("memory/memory.usage_in_bytes", "1000000\n");
  put("memory/memory.stat", "cache 7\ntotal_cache 200000\n");
  assert_true(available("7:pids:/x\n4:cpu,memory:/docker/1234\n1:cpu:/\n") == 4200000);
  assert_true(available("7:pids:/\n4:memoryless:/\n") == SIZE_MAX);
}

static void nothing_to_read(void **state) {
  (void)state;
  assert_true(ci_cgroup_available("/nowhere", root) == SIZE_MAX);
  assert_true(available("") == SIZE_MAX);
  assert_true(available("nonsense\n0:\n:::::\n") == SIZE_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_to_read), cmocka_unit_test(version_2),
                                     cmocka_unit_test(version_1)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
