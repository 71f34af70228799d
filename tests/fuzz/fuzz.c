/* See fuzz.h. */
#include "fuzz/fuzz.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST_PATH = 400, MOST_FILES = 64 };

static char folder[LONGEST_PATH / 2];
static char *made[MOST_FILES]; /* names of files that were ever written */

void fuzz_check(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "fuzz: %s\n", what);
  abort();
}

static void path_of(const char *name, char path[LONGEST_PATH]) {
  int length = snprintf(path, LONGEST_PATH, "%s/%s", fuzz_folder(), name);
  fuzz_check(length < LONGEST_PATH, "a path is too long");
}

static void remove_folder(void) {
  char path[LONGEST_PATH];
  for (size_t i = 0; i < MOST_FILES && made[i]; i++) {
    path_of(made[i], path);
    unlink(path);
    free(made[i]);
  }
  rmdir(folder);
}

const char *fuzz_folder(void) {
  if (folder[0]) return folder;
  const char *place = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/cinseq-fuzz-XXXXXX", place ? place : "/tmp");
  fuzz_check(mkdtemp(folder) != NULL, "no folder can be made in $TMPDIR");
  atexit(remove_folder);
  return folder;
}

/* The path of a file that is not there any more. */
static void clear(const char *name, char path[LONGEST_PATH]) {
  path_of(name, path);
  unlink(path);
  size_t i = 0;
  while (i < MOST_FILES && made[i] && strcmp(made[i], name) != 0) i++;
  fuzz_check(i < MOST_FILES, "too many files");
  if (!made[i]) made[i] = strdup(name);
}

void fuzz_file(const char *name, const void *bytes, size_t length) {
  char path[LONGEST_PATH];
  clear(name, path);
  if (!bytes) return;
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  fuzz_check(fd >= 0 && write(fd, bytes, length) == (ssize_t)length && close(fd) == 0, "a file cannot be written");
}

void fuzz_link(const char *name, const char *target) {
  char path[LONGEST_PATH];
  clear(name, path);
  if (target) fuzz_check(symlink(target, path) == 0, "a link cannot be made");
}

static const uint8_t *find_section(const uint8_t *at, const uint8_t *end) {
  static const char MARK[] = "=== ";
  for (; (size_t)(end - at) >= sizeof MARK - 1; at++) {
    if (memcmp(at, MARK, sizeof MARK - 1) == 0) return at;
    const uint8_t *line = memchr(at, '\n', (size_t)(end - at));
    if (!line) break;
    at = line;
  }
  return end;
}

void fuzz_sections(const uint8_t *bytes, size_t length, const char *const *names) {
  const uint8_t *end = bytes + length;
  for (size_t i = 0; names[i]; i++) fuzz_file(names[i], NULL, 0);
  for (const uint8_t *at = find_section(bytes, end); at < end;) {
    const uint8_t *name = at + 4, *line = memchr(name, '\n', (size_t)(end - name));
    const uint8_t *content = line ? line + 1 : end, *next = find_section(content, end);
    for (size_t i = 0; names[i]; i++)
      if (line && strlen(names[i]) == (size_t)(line - name) && memcmp(names[i], name, (size_t)(line - name)) == 0)
        fuzz_file(names[i], content, (size_t)(next - content) - (next < end && next > content));
    at = next;
  }
}
