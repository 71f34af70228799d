/* See new_file.h. */
#define _GNU_SOURCE /* O_TMPFILE */
#include "base/new_file.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 1 << 16 };

/* 0, or the errno of what failed. */
static int write_all(int fd, const char *bytes, size_t length) {
  while (length) {
    ssize_t put = write(fd, bytes, length);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return put ? errno : EIO;
    bytes += put;
    length -= (size_t)put;
  }
  return 0;
}

/* A file without a name in the folder of `path`, where the file system has such: a process that is killed while it
 * writes leaves nothing. -1 where not. */
static int open_nameless(const char *path, char *beside) {
  const char *slash = strrchr(path, '/');
  size_t length = slash ? (size_t)(slash - path) + 1 : 0;
  memcpy(beside, path, length);
  strcpy(beside + length, ".");
  return open(beside, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
}

/* Gives *fd the name path.RANDOM, or opens a new file of that name if it is -1. 0, or errno. */
static int name_beside(const char *path, char *beside, size_t room, int *fd) {
  char handle[64];
  snprintf(handle, sizeof handle, "/proc/self/fd/%d", *fd);
  for (int attempt = 0; attempt < 100; attempt++) {
    uint32_t number;
    if (getrandom(&number, sizeof number, 0) != sizeof number) return errno;
    snprintf(beside, room, "%s.%08x", path, (unsigned)number);
    if (*fd >= 0) {
      if (linkat(AT_FDCWD, handle, AT_FDCWD, beside, AT_SYMLINK_FOLLOW) == 0) return 0;
    } else if ((*fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) >= 0) {
      return 0;
    }
    if (errno != EEXIST) return errno;
  }
  return EEXIST;
}

/* 0, or errno. */
static int open_beside(ci_new_file *file, const struct stat *old) {
  char *real = old ? realpath(file->path, NULL) : NULL; /* a link stays one */
  file->target = real || !old ? ci_duplicate(real ? real : file->path) : NULL;
  free(real);
  file->room = file->target ? strlen(file->target) + 16 : 0;
  file->beside = file->target ? ci_alloc(file->room, 1) : NULL;
  if (!file->beside) return ENOMEM;
  file->handle = open_nameless(file->target, file->beside);
  if (file->handle < 0) {
    int failed = name_beside(file->target, file->beside, file->room, &file->handle);
    if (failed) return failed;
    file->named = true;
  }
  return old && fchmod(file->handle, old->st_mode & 0777) ? errno : 0;
}

static ci_status report(const ci_new_file *file, ci_error *err) {
  if (file->failed == ENOMEM) return ci_fail_memory(err);
  return file->failed ? ci_fail(err, CI_EFILE, file->path, "cannot be written: %s", strerror(file->failed)) : CI_OK;
}

static void keep(ci_new_file *file, int failed) {
  if (!file->failed) file->failed = failed;
}

/* Whoever reads `path` meanwhile, and whoever looks after a crash, finds the old file or the new one. */
static void put_in_place(ci_new_file *file) {
  if (fsync(file->handle)) keep(file, errno);
  if (!file->failed && !file->named) {
    keep(file, name_beside(file->target, file->beside, file->room, &file->handle));
    file->named = !file->failed;
  }
}

static void flush(ci_new_file *file) {
  if (!file->failed) keep(file, write_all(file->handle, file->buffer, file->used));
  file->used = 0;
}

ci_status ci_new_file_open(ci_new_file *file, const char *path, ci_error *err) {
  struct stat facts;
  bool there = stat(path, &facts) == 0;
  *file = (ci_new_file){.path = path, .handle = -1, .buffer = ci_alloc(BUFFER, 1)};
  if (!file->buffer)
    file->failed = ENOMEM;
  else if (there && S_ISDIR(facts.st_mode))
    file->failed = EISDIR;
  else if (!there || S_ISREG(facts.st_mode))
    file->failed = open_beside(file, there ? &facts : NULL);
  else if ((file->handle = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY)) <
           0) /* a new file in its place is not what /dev/stdout means */
    file->failed = errno;
  return file->failed ? ci_new_file_close(file, false, err) : CI_OK;
}

ci_status ci_new_file_add(ci_new_file *file, const char *bytes, size_t length, ci_error *err) {
  if (length > BUFFER - file->used) flush(file);
  if (length > BUFFER) {
    if (!file->failed) keep(file, write_all(file->handle, bytes, length));
  } else if (length) {
    memcpy(file->buffer + file->used, bytes, length);
    file->used += length;
  }
  return report(file, err);
}

static ci_status add(void *file, const char *bytes, size_t length, ci_error *err) {
  return ci_new_file_add(file, bytes, length, err);
}

ci_sink ci_new_file_sink(ci_new_file *file) {
  return (ci_sink){add, file};
}

ci_status ci_new_file_close(ci_new_file *file, bool whole, ci_error *err) {
  if (whole) flush(file);
  if (whole && !file->failed && file->target) put_in_place(file);
  if (file->handle >= 0 && close(file->handle)) keep(file, errno);
  if (whole && !file->failed && file->target && rename(file->beside, file->target)) keep(file, errno);
  if (file->named && (!whole || file->failed)) unlink(file->beside);
  ci_free(file->target);
  ci_free(file->beside);
  ci_free(file->buffer);
  return report(file, err);
}
