/* See file.h. */
#include "base/file.h"
#include "base/memory.h"
#include "base/new_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_NONBLOCK: opening a pipe that nobody writes to would wait for ever. It means nothing for regular files. */
static ci_status open_regular(const char *path, int *handle, size_t *length, ci_error *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
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

/* 0, or errno. */
static int advise(const void *bytes, size_t length, int advice) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)bytes & ~(page - 1), last = (uintptr_t)bytes + length;
  return length && madvise((void *)first, last - first, advice) ? errno : 0;
}

ci_status ci_map_file(const char *path, ci_mapping *mapping, ci_error *err) {
  int fd;
  *mapping = (ci_mapping){0};
  ci_status status = open_regular(path, &fd, &mapping->length, err);
  if (status) return status;
  if (mapping->length) {
    void *bytes = mmap(NULL, mapping->length, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
      status = ci_fail(err, CI_EFILE, path, "cannot be mapped: %s", strerror(errno));
    } else {
      mapping->bytes = bytes;
      /* Systems that keep files in huge pages (ext4 since Linux 6.16, xfs) read them so when nothing of them is in
       * memory yet: 500 MB are then mapped in 5 ms, not 120, and products wait less for translations of addresses. */
      advise(bytes, mapping->length, MADV_HUGEPAGE);
    }
  }
  close(fd);
  return status;
}

/* One call instead of a fault for every few pages; systems that cannot do so (before Linux 5.14) have the faults. */
bool ci_mapping_expect(const void *bytes, size_t length) {
  advise(bytes, length, MADV_WILLNEED);
#ifdef MADV_POPULATE_READ
  return advise(bytes, length, MADV_POPULATE_READ) != EFAULT; /* a read of them would be a SIGBUS */
#else
  return true;
#endif
}
void ci_mapping_forget(const void *bytes, size_t length) { advise(bytes, length, MADV_DONTNEED); }

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
    if (got > 0)
      done += (size_t)got;
    else if (got < 0 && errno == EINTR)
      continue;
    else
      status = ci_fail(err, CI_EFILE, path, "cannot be read: %s", got ? strerror(errno) : "it became shorter");
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

ci_status ci_write_file(const char *path, const void *bytes, size_t length, ci_error *err) {
  ci_new_file file;
  ci_status status = ci_new_file_open(&file, path, err);
  if (status) return status;
  status = ci_new_file_add(&file, bytes, length, err);
  ci_status closed = ci_new_file_close(&file, !status, status ? NULL : err);
  return status ? status : closed;
}

bool ci_file_exists(const char *path) {
  struct stat facts;
  return stat(path, &facts) == 0 && S_ISREG(facts.st_mode);
}

bool ci_folder_exists(const char *path) {
  struct stat facts;
  return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

bool ci_path_stays_inside(const char *path) {
  for (const char *part = path;;) {
    size_t length = strcspn(part, "/");
    if (length == 0 || (length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
      return false;
    if (!part[length]) return true;
    part += length + 1;
  }
}

ci_status ci_make_folders(const char *path, ci_error *err) {
  char *folder = ci_duplicate(path);
  if (!folder) return ci_fail_memory(err);
  int failed = 0;
  for (size_t at = 1; !failed && at <= strlen(path); at++) {
    if (path[at] && path[at] != '/') continue;
    folder[at] = 0;
    if (mkdir(folder, 0777) && !ci_folder_exists(folder)) failed = errno;
    folder[at] = path[at];
  }
  ci_free(folder);
  return failed ? ci_fail(err, CI_EFILE, path, "cannot be made: %s", strerror(failed)) : CI_OK;
}

char *ci_join_path(const char *folder, const char *name) {
  size_t length = strlen(folder);
  while (length > 1 && folder[length - 1] == '/') length--;
  size_t room = length + strlen(name) + 2;
  char *path = ci_alloc(room, 1);
  if (path) snprintf(path, room, "%.*s/%s", (int)length, folder, name);
  return path;
}
