/* Files: mapped for reading, written beside and renamed. */
#ifndef CI_BASE_FILE_H
#define CI_BASE_FILE_H
#include "error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A read-only private mapping of a whole regular file. bytes is NULL for an empty file. */
typedef struct { const uint8_t *bytes; size_t length; } ci_mapping;
ci_status ci_map_file(const char *path, ci_mapping *mapping, ci_error *err);
void ci_unmap_file(ci_mapping *mapping);
/* Part of a mapping will be read soon (false: the file no longer has it; true where the system does not say so); will
 * not be read again soon, so that it need not stay in memory. */
bool ci_mapping_expect(const void *bytes, size_t length);
void ci_mapping_forget(const void *bytes, size_t length);

/* The whole file as one terminated string (ci_free). Refuses files over `limit` bytes. */
ci_status ci_read_file(const char *path, size_t limit, char **text, size_t *length, ci_error *err);

/* Writes path as a whole or not at all (new_file.h). */
ci_status ci_write_file(const char *path, const void *bytes, size_t length, ci_error *err);

bool ci_file_exists(const char *path);
bool ci_folder_exists(const char *path);
/* Whether a relative path reaches only what lies below: no empty part, no "." or "..". */
bool ci_path_stays_inside(const char *path);
/* Makes a folder and those above it, where they are missing. */
ci_status ci_make_folders(const char *path, ci_error *err);
/* folder/name in memory of the caller's (ci_free); NULL when memory is out. */
char *ci_join_path(const char *folder, const char *name);

#endif
