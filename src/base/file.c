/* See file.h. */
#include "base/file.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static ci_status open_regular(const char *path, int *handle, size_t *length, ci_error *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ci_fail(err, CI_EFILE, path, "cannot be opened: %s", strerror(errno));
  struct stat facts;
  if (fstat(fd, &facts) || !S_ISREG(facts.st_mode)) {
    close(fd);
    return ci_fail(err, CI_EFILE, path, "is not a regular file");
  }
  *handle = fd;
  *length = (size_t)facts.st_size;
  return CI_OK;
}

ci_status ci_map_file(const char *path, ci_mapping *mapping, ci_error *err) {
  int fd;
  *mapping = (ci_mapping){0};
  ci_status status = open_regular(path, &fd, &mapping->length, err);
  if (status) return status;
  if (mapping->length) {
    void *bytes = mmap(NULL, mapping->length, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) status = ci_fail(err, CI_EFILE, path, "cannot be mapped: %s", strerror(errno));
    else mapping->bytes = bytes;
  }
  close(fd);
  return status;
}

void ci_unmap_file(ci_mapping *mapping) {
  if (mapping->bytes) munmap((void *)mapping->bytes, mapping->length);
  *mapping = (ci_mapping){0};
}

ci_status ci_read_file(const char *path, size_t limit, char **text, size_t *length, ci_error *err) {
  int fd;
  size_t size;
  ci_status status = open_regular(path, &fd, &size, err);
  if (status) return status;
  char *buffer = NULL;
  if (size > limit) {
    status = ci_fail(err, CI_EFILE, path, "is %zu bytes long, expected at most %zu", size, limit);
  } else if (!(buffer = ci_alloc(size + 1, 1))) {
    status = ci_fail_memory(err);
  }
  for (size_t done = 0; !status && done < size;) {
    ssize_t got = read(fd, buffer + done, size - done);
    if (got > 0) done += (size_t)got;
    else if (got < 0 && errno == EINTR) continue;
    else status = ci_fail(err, CI_EFILE, path, "cannot be read: %s", got ? strerror(errno) : "it became shorter");
  }
  close(fd);
  if (status) {
    ci_free(buffer);
    return status;
  }
  buffer[size] = 0;
  *text = buffer;
  *length = size;
  return CI_OK;
}

static int write_all(int fd, const char *bytes, size_t length) {
  while (length) {
    ssize_t put = write(fd, bytes, length);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return -1;
    bytes += put;
    length -= (size_t)put;
  }
  return fsync(fd);
}

ci_status ci_write_file(const char *path, const void *bytes, size_t length, ci_error *err) {
  size_t room = strlen(path) + 16;
  char *beside = ci_alloc(room, 1);
  if (!beside) return ci_fail_memory(err);
  snprintf(beside, room, "%s.XXXXXX", path);
  ci_status status = CI_OK;
  mode_t mask = umask(0);
  umask(mask);
  int fd = mkstemp(beside);
  if (fd < 0) {
    status = ci_fail(err, CI_EFILE, path, "cannot be written: %s", strerror(errno));
  } else {
    int failed = fchmod(fd, 0666 & ~mask) || write_all(fd, bytes, length);
    int reason = errno;
    if (close(fd) && !failed) {
      failed = 1;
      reason = errno;
    }
    if (!failed && rename(beside, path)) {
      failed = 1;
      reason = errno;
    }
    if (failed) {
      unlink(beside);
      status = ci_fail(err, CI_EFILE, path, "cannot be written: %s", strerror(reason));
    }
  }
  ci_free(beside);
  return status;
}

bool ci_file_exists(const char *path) {
  struct stat facts;
  return stat(path, &facts) == 0 && S_ISREG(facts.st_mode);
}

bool ci_folder_exists(const char *path) {
  struct stat facts;
  return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

char *ci_join_path(const char *folder, const char *name) {
  size_t length = strlen(folder);
  while (length > 1 && folder[length - 1] == '/') length--;
  size_t room = length + strlen(name) + 2;
  char *path = ci_alloc(room, 1);
  if (path) snprintf(path, room, "%.*s/%s", (int)length, folder, name);
  return path;
}
