/* The system's libcurl and libcrypto, opened when something is downloaded: most runs need neither, libcurl and what it
 * needs take 6 ms to link, and a program for all systems cannot say which version it will find. */
#ifndef CI_HUB_LIBRARIES_H
#define CI_HUB_LIBRARIES_H
#include "base/error.h"
#include <stddef.h>

typedef struct {
  const char *name;
  size_t at; /* of its pointer, in the table of functions */
} ci_function;

/* Fills a table of count functions from the first library of files (ended by NULL) that can be opened; it stays open.
 * package: where Debian has it. */
ci_status ci_library_load(const char *const *files, const char *package, const ci_function *functions, size_t count,
                          void *table, ci_error *err);

#endif
