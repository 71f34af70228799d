/* The error for a name that a table does not have. */
#ifndef CI_BASE_UNKNOWN_H
#define CI_BASE_UNKNOWN_H
#include "base/error.h"
#include <stddef.h>

/* CI_EINVAL: 'unknown WHAT "name": did you mean "nearest"? (one of a, b, c)', without the question where none is near. */
ci_status ci_fail_unknown(ci_error *err, const char *where, const char *what, const char *name, const char *const *names, size_t count);

#endif
