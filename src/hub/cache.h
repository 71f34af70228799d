/* The cache on disk, as huggingface_hub lays it out, so that both use what either has downloaded:
 *   CACHE/models--org--name/refs/main               the commit that main was
 *                          /snapshots/COMMIT/FILE   a relative link to
 *                          /blobs/ETAG              the bytes; ETAG.incomplete while they come
 *   CACHE/.locks/models--org--name/ETAG.lock        held (flock) by who writes the blob
 * `folder` is CACHE/models--org--name; commits, etags and names have been checked by name.h. */
#ifndef CI_HUB_CACHE_H
#define CI_HUB_CACHE_H
#include "base/error.h"
#include "base/json.h"
#include "hub/name.h"

/* models--org--name of the first n bytes of a name. ci_free; NULL: no memory. */
char *ci_cache_folder_name(const char *repo, size_t n);
/* folder/part/name (ci_free); name may be NULL. NULL: no memory. */
char *ci_cache_path(const char *folder, const char *part, const char *name);

/* The commit that a revision stands for here: itself, or what refs says; "" when that is not known. */
ci_status ci_cache_commit(const char *folder, const char *revision, char commit[CI_COMMIT_LENGTH + 1], ci_error *err);
/* Remembers it. */
ci_status ci_cache_set_commit(const char *folder, const char *revision, const char *commit, ci_error *err);

/* The names of the files of a snapshot, an array of strings in order; empty when there is no such snapshot. Links to
 * nowhere are none. */
ci_status ci_cache_list(const char *folder, const char *commit, json_t **names, ci_error *err);
/* snapshots/COMMIT/NAME (ci_free; NULL: no memory). */
char *ci_cache_file(const char *folder, const char *commit, const char *name);
/* Makes it a link to the blob. Where the file system has no links, the blob itself is moved there. */
ci_status ci_cache_link(const char *folder, const char *commit, const char *name, const char *etag, ci_error *err);

/* Waits until this process alone writes the blob; wait is called every tenth of a second and ends it by a value that is
 * not 0. *lock is closed with ci_cache_unlock. */
ci_status ci_cache_lock(const char *folder, const char *etag, int (*wait)(void *context), void *context, int *lock,
                        ci_error *err);
void ci_cache_unlock(int lock);

/* Bytes that may be written there, the folder or what exists above it; UINT64_MAX: not known. */
uint64_t ci_cache_room(const char *folder);

#endif
