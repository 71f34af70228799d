/* One error per failing call: a code, where it happened (file, tensor, flag, byte) and what was expected.
 * Fallible functions return ci_status and fill the error at the place that knows most; callers pass it on untouched.
 * The library never exits, aborts or prints. */
#ifndef CI_BASE_ERROR_H
#define CI_BASE_ERROR_H
#include "cinseq.h"

typedef enum {
  CI_OK = CINSEQ_OK,
  CI_EINVAL = CINSEQ_EINVAL,   /* the caller's option, text or request is wrong: exit code 2 */
  CI_EFILE = CINSEQ_EFILE,     /* a file cannot be read or written, or lies about its contents */
  CI_EMODEL = CINSEQ_EMODEL,   /* the model is not one that can be run (unknown architecture, missing tensor, NaN) */
  CI_ENOMEM = CINSEQ_ENOMEM,
  CI_ECANCEL = CINSEQ_ECANCEL, /* the cancel flag was set */
} ci_status;

typedef cinseq_error ci_error;

/* Fills *err (which may be NULL) and returns code, so that `return ci_fail(...)` is the whole error path.
 * where: file, tensor, flag; may be NULL. Control characters of hostile names are replaced: the message is one line. */
ci_status ci_fail(ci_error *err, ci_status code, const char *where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
ci_status ci_fail_memory(ci_error *err);

#endif
