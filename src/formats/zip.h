/* The entries of a zip file that stores them uncompressed, used where they lie. */
#ifndef CI_FORMATS_ZIP_H
#define CI_FORMATS_ZIP_H
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  const char *name; /* not terminated */
  size_t name_length;
  const uint8_t *bytes;
  size_t length;
} ci_zip_entry;
typedef struct {
  ci_zip_entry *entries; /* sorted by name, no two alike */
  size_t count;
} ci_zip;

/* Reads the directory at the end of `bytes` (zip and zip64) and checks every entry: stored as it is, within the file,
 * the same name in both places. An entry that is compressed or encrypted is an error that names it. `file` is for
 * messages; `bytes` must live as long as *zip. */
ci_status ci_zip_open(const char *file, const uint8_t *bytes, size_t length, ci_zip *zip, ci_error *err);
void ci_zip_close(ci_zip *zip);
/* NULL: not there. */
const ci_zip_entry *ci_zip_find(const ci_zip *zip, const char *name);

#endif
