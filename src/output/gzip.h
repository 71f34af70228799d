/* Files as Python's gzip writes and reads them. */
#ifndef CI_OUTPUT_GZIP_H
#define CI_OUTPUT_GZIP_H
#include "base/error.h"
#include "base/text.h"

bool ci_is_gzip(const char *bytes, size_t length);
/* Appends the bytes in gzip's format, at Inseq's level 5, without a time and a system. */
ci_status ci_gzip_add(const char *bytes, size_t length, ci_text *out, ci_error *err);
/* Appends what was packed, of one or several members. CI_EFILE: not whole, or more than 4 GB. */
ci_status ci_gunzip(const char *where, const char *bytes, size_t length, ci_text *out, ci_error *err);

#endif
