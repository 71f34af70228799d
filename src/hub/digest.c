/* See digest.h. git hash-object: SHA-1 of "blob SIZE", a zero byte, and the bytes. */
#include "hub/digest.h"
#include "base/memory.h"
#include "hub/libraries.h"
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct ci_digest {
  EVP_MD_CTX *state;
  const EVP_MD *kind;
  const char *name;
  bool of_git;
  char expected[65];
  int64_t size;
};

static struct {
#define CI_CRYPTO(function) __typeof__(function) *function;
#include "hub/crypto.def"
#undef CI_CRYPTO
} lib; /* filled once */

static ci_error missing; /* why it is not */

static void load_crypto(void) {
  static const char *const files[] = {"libcrypto.so.3", "libcrypto.so.1.1", NULL};
  static const ci_function functions[] = {
#define CI_CRYPTO(function) {#function, offsetof(__typeof__(lib), function)},
#include "hub/crypto.def"
#undef CI_CRYPTO
  };
  ci_library_load(files, "libssl3", functions, sizeof functions / sizeof *functions, &lib, &missing);
}

static const struct {
  size_t digits;
  const char *name, *id;
  bool of_git; /* of a blob, not of the bytes alone */
} kinds[] = {{64, "SHA-256", "SHA256", false}, {40, "git SHA-1", "SHA1", true}};

ci_status ci_digest_restart(ci_digest *digest, ci_error *err) {
  if (!digest) return CI_OK;
  char head[32];
  int length = snprintf(head, sizeof head, "blob %lld", (long long)digest->size) + 1; /* with its zero byte */
  bool done = digest->kind && lib.EVP_DigestInit_ex(digest->state, digest->kind, NULL) == 1;
  if (done && digest->of_git) done = lib.EVP_DigestUpdate(digest->state, head, (size_t)length) == 1;
  return done ? CI_OK : ci_fail(err, CI_EFILE, digest->name, "is not supported by libcrypto here");
}

ci_status ci_digest_open(const char *etag, int64_t size, ci_digest **out, ci_error *err) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  size_t digits = strspn(etag, "0123456789abcdefABCDEF");
  *out = NULL;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (etag[digits] || kinds[i].digits != digits) continue;
    pthread_once(&once, load_crypto);
    if (missing.code) return ci_fail(err, missing.code, missing.where, "%s", missing.message);
    ci_digest *digest = ci_alloc_zeroed(1, sizeof *digest);
    if (!digest) return ci_fail_memory(err);
    *digest = (ci_digest){.state = lib.EVP_MD_CTX_new(),
                          .kind = lib.EVP_get_digestbyname(kinds[i].id),
                          .name = kinds[i].name,
                          .of_git = kinds[i].of_git,
                          .size = size};
    strcpy(digest->expected, etag);
    ci_status status = digest->state ? ci_digest_restart(digest, err) : ci_fail_memory(err);
    if (status)
      ci_digest_close(digest);
    else
      *out = digest;
    return status;
  }
  return CI_OK;
}

void ci_digest_close(ci_digest *digest) {
  if (!digest) return;
  lib.EVP_MD_CTX_free(digest->state);
  ci_free(digest);
}

ci_status ci_digest_add(ci_digest *digest, const void *bytes, size_t length, ci_error *err) {
  if (!digest || lib.EVP_DigestUpdate(digest->state, bytes, length) == 1) return CI_OK;
  return ci_fail(err, CI_EFILE, digest->name, "is not supported by libcrypto here");
}

ci_status ci_digest_check(ci_digest *digest, const char *where, ci_error *err) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  char found[2 * EVP_MAX_MD_SIZE + 1] = "";
  unsigned count = 0;
  if (!digest) return CI_OK;
  if (lib.EVP_DigestFinal_ex(digest->state, bytes, &count) != 1)
    return ci_fail(err, CI_EFILE, digest->name, "is not supported by libcrypto here");
  for (unsigned i = 0; i < count; i++) snprintf(found + 2 * i, 3, "%02x", bytes[i]);
  if (strcasecmp(found, digest->expected) == 0) return CI_OK;
  return ci_fail(err, CI_EFILE, where, "has the %s %s, expected %s", digest->name, found, digest->expected);
}
