/* See cache.h. */
#include "hub/cache.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/* Folders in folders of a snapshot, and files of it, that are looked at. */
enum { DEEPEST = 8, MOST_FILES = 100000 };

char *ci_cache_folder_name(const char *repo, size_t n) {
  ci_text text = {0};
  size_t owner = strcspn(repo, "/");
  ci_text_add(&text, "models--");
  ci_text_add_n(&text, repo, owner < n ? owner : n);
  if (owner < n) ci_text_add(&text, "--"), ci_text_add_n(&text, repo + owner + 1, n - owner - 1);
  return ci_text_take(&text);
}

char *ci_cache_path(const char *folder, const char *part, const char *name) {
  char *first = ci_join_path(folder, part), *path = first && name ? ci_join_path(first, name) : NULL;
  if (!name) return first;
  ci_free(first);
  return path;
}

ci_status ci_cache_commit(const char *folder, const char *revision, char commit[CI_COMMIT_LENGTH + 1], ci_error *err) {
  *commit = 0;
  if (ci_hub_is_commit(revision)) return strcpy(commit, revision), CI_OK;
  char *path = ci_cache_path(folder, "refs", revision), *text = NULL;
  size_t length;
  ci_status status = path ? CI_OK : ci_fail_memory(err);
  if (!status && ci_file_exists(path)) status = ci_read_file(path, 4096, &text, &length, err);
  if (text) text[strcspn(text, " \r\n")] = 0;
  if (!status && text && ci_hub_is_commit(text))
    strcpy(commit, text); /* another text is no commit: it is asked for anew */
  ci_free(text);
  ci_free(path);
  return status;
}

static ci_status make_parent(const char *path, ci_error *err) {
  char *parent = ci_duplicate_n(path, (size_t)(strrchr(path, '/') - path));
  ci_status status = parent ? ci_make_folders(parent, err) : ci_fail_memory(err);
  ci_free(parent);
  return status;
}

ci_status ci_cache_set_commit(const char *folder, const char *revision, const char *commit, ci_error *err) {
  char known[CI_COMMIT_LENGTH + 1], *path = ci_cache_path(folder, "refs", revision);
  ci_status status = path ? ci_cache_commit(folder, revision, known, err) : ci_fail_memory(err);
  /* not written again when it says so already: the cache may be another user's */
  if (!status && strcmp(known, commit) != 0) {
    status = make_parent(path, err);
    if (!status) status = ci_write_file(path, commit, strlen(commit), err);
  }
  ci_free(path);
  return status;
}

char *ci_cache_file(const char *folder, const char *commit, const char *name) {
  char *snapshot = ci_cache_path(folder, "snapshots", commit), *path = snapshot ? ci_join_path(snapshot, name) : NULL;
  ci_free(snapshot);
  return path;
}

/* Adds the files of `at`, whose names begin with `before`. */
static ci_status list(const char *at, const char *before, int depth, json_t *names, ci_error *err) {
  DIR *entries = depth < DEEPEST ? opendir(at) : NULL;
  ci_status status = CI_OK;
  for (const struct dirent *entry; entries && !status && (entry = readdir(entries));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    char *path = ci_join_path(at, entry->d_name),
         *name = *before ? ci_join_path(before, entry->d_name) : ci_duplicate(entry->d_name);
    if (!path || !name)
      status = ci_fail_memory(err);
    else if (ci_folder_exists(path))
      status = list(path, name, depth + 1, names, err);
    else if (ci_file_exists(path) && ci_utf8_valid(name, strlen(name)) && json_array_size(names) < MOST_FILES &&
             json_array_append_new(names, json_string(name)))
      status = ci_fail_memory(err);
    ci_free(path);
    ci_free(name);
  }
  if (entries) closedir(entries);
  return status;
}

ci_status ci_cache_list(const char *folder, const char *commit, json_t **names, ci_error *err) {
  *names = json_array();
  char *snapshot = *commit ? ci_cache_path(folder, "snapshots", commit) : NULL;
  ci_status status = *names && (snapshot || !*commit) ? CI_OK : ci_fail_memory(err);
  if (!status && snapshot) status = list(snapshot, "", 0, *names, err);
  ci_free(snapshot);
  if (status) json_decref(*names), *names = NULL;
  return status;
}

/* "../../blobs/ETAG", with a ".." more for each folder that the name has. */
static char *link_target(const char *name, const char *etag) {
  ci_text text = {0};
  ci_text_add(&text, "../../");
  for (const char *at = name; (at = strchr(at, '/')); at++) ci_text_add(&text, "../");
  ci_text_add_format(&text, "blobs/%s", etag);
  return ci_text_take(&text);
}

/* The link is made beside and renamed: who looks meanwhile finds the old one or the new one. 0, or errno. */
static int make_link(const char *target, const char *path, const char *blob) {
  ci_text beside = {0};
  ci_text_add_format(&beside, "%s.%ld.link", path, (long)getpid());
  char *temporary = ci_text_take(&beside);
  if (!temporary) return ENOMEM;
  int failed = 0;
  unlink(temporary);
  if (symlink(target, temporary)) /* a file system without links */
    failed = errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS ? errno : rename(blob, path) ? errno : 0;
  else if (rename(temporary, path))
    failed = errno, unlink(temporary);
  ci_free(temporary);
  return failed;
}

ci_status ci_cache_link(const char *folder, const char *commit, const char *name, const char *etag, ci_error *err) {
  char *path = ci_cache_file(folder, commit, name), *target = link_target(name, etag),
       *blob = ci_cache_path(folder, "blobs", etag);
  ci_status status = path && target && blob ? make_parent(path, err) : ci_fail_memory(err);
  int failed = status ? 0 : make_link(target, path, blob);
  if (failed == ENOMEM)
    status = ci_fail_memory(err);
  else if (failed)
    status = ci_fail(err, CI_EFILE, path, "cannot be made: %s", strerror(failed));
  ci_free(path);
  ci_free(target);
  ci_free(blob);
  return status;
}

/* CACHE/.locks/models--org--name/ETAG.lock */
static char *lock_path(const char *folder, const char *etag) {
  const char *name = strrchr(folder, '/');
  ci_text text = {0};
  ci_text_add_n(&text, folder, (size_t)(name - folder));
  ci_text_add_format(&text, "/.locks%s/%s.lock", name, etag);
  return ci_text_take(&text);
}

/* Whether the file is still the one of that name: older programs remove it when they are done. */
static bool is_named(int fd, const char *path) {
  struct stat held, named;
  return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static ci_status take_lock(const char *path, int (*wait)(void *), void *context, int *lock, ci_error *err) {
  static const struct timespec pause = {0, 100000000};
  for (;;) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return ci_fail(err, CI_EFILE, path, "cannot be opened: %s", strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
      *lock = fd;
      if (is_named(fd, path)) return CI_OK;
    } else if (errno != EWOULDBLOCK && errno != EINTR) {
      *lock = fd; /* a file system without locks: the hash still says when two have written at a time */
      return CI_OK;
    }
    close(fd);
    *lock = -1;
    if (wait(context)) return ci_fail(err, CI_ECANCEL, NULL, "canceled");
    nanosleep(&pause, NULL);
  }
}

ci_status ci_cache_lock(const char *folder, const char *etag, int (*wait)(void *), void *context, int *lock,
                        ci_error *err) {
  *lock = -1;
  char *path = lock_path(folder, etag);
  ci_status status = path ? make_parent(path, err) : ci_fail_memory(err);
  if (!status) status = take_lock(path, wait, context, lock, err);
  ci_free(path);
  return status;
}

void ci_cache_unlock(int lock) {
  if (lock >= 0) close(lock);
}

uint64_t ci_cache_room(const char *folder) {
  struct statvfs facts;
  char *path = ci_duplicate(folder);
  uint64_t room = UINT64_MAX;
  while (path && *path) {
    if (statvfs(path, &facts) == 0) {
      room = (uint64_t)facts.f_bavail * facts.f_frsize;
      break;
    }
    char *slash = strrchr(path, '/');
    if (!slash || !path[1]) break; /* "/" is the last one */
    slash[slash == path] = 0;
  }
  ci_free(path);
  return room;
}
