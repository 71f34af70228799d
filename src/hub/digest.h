/* The hash that an ETag of the hub is: SHA-256 of files in its storage (64 digits), git's SHA-1 of a blob for those
 * that lie in the repository (40 digits). Others say nothing of the bytes. */
#ifndef CI_HUB_DIGEST_H
#define CI_HUB_DIGEST_H
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ci_digest ci_digest;

/* For a file of `size` bytes. *digest is NULL where etag is no hash, and where the build has no libcrypto. */
ci_status ci_digest_open(const char *etag, int64_t size, ci_digest **digest, ci_error *err);
void ci_digest_close(ci_digest *digest); /* NULL is allowed, here and below */
ci_status ci_digest_restart(ci_digest *digest, ci_error *err);
ci_status ci_digest_add(ci_digest *digest, const void *bytes, size_t length, ci_error *err);
/* CI_EFILE naming `where`, what was found and what was expected, when the bytes were others. */
ci_status ci_digest_check(ci_digest *digest, const char *where, ci_error *err);

#endif
