/* A file that is written piece by piece, as a whole or not at all: it gets its name when it is whole, after fsync, by a
 * rename. (On file systems without O_TMPFILE a process that is killed leaves path.RANDOM behind.) An old file keeps its
 * permissions, a link stays one; a device or pipe is written to. */
#ifndef CI_BASE_NEW_FILE_H
#define CI_BASE_NEW_FILE_H
#include "error.h"
#include "sink.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct {
  const char *path;      /* as given: for messages */
  char *target, *beside; /* what gets replaced, and the name until then; NULL: written into a device or pipe */
  size_t room;           /* bytes of beside */
  char *buffer;
  size_t used;
  int handle; /* -1: none */
  int failed; /* errno of what failed first */
  bool named; /* the file has the name `beside` */
} ci_new_file;

/* path must live until the file is closed. ci_new_file_close only after CI_OK. CI_EFILE: it cannot be written. */
ci_status ci_new_file_open(ci_new_file *file, const char *path, ci_error *err);
/* Keeps in mind what failed: the next calls do nothing. */
ci_status ci_new_file_add(ci_new_file *file, const char *bytes, size_t length, ci_error *err);
ci_sink ci_new_file_sink(ci_new_file *file);
/* whole: gives the file its name, if nothing failed; otherwise nothing is left of it. */
ci_status ci_new_file_close(ci_new_file *file, bool whole, ci_error *err);

#endif
