/* Files as Python's gzip writes and reads them. */
#ifndef CI_OUTPUT_GZIP_H
#define CI_OUTPUT_GZIP_H
#include "base/error.h"
#include "base/sink.h"
#include "base/text.h"

bool ci_is_gzip(const char *bytes, size_t length);
/* On its way to `out` what is added is put into gzip's format, at Inseq's level 5, without a time and a system. */
typedef struct ci_gzip ci_gzip;
/* NULL: memory is out. */
ci_gzip *ci_gzip_create(ci_sink out);
ci_sink ci_gzip_sink(ci_gzip *gzip);
/* Nothing may be added after it. */
ci_status ci_gzip_finish(ci_gzip *gzip, ci_error *err);
void ci_gzip_close(ci_gzip *gzip);
/* Appends what was packed, of one or several members. CI_EFILE: not whole, or more than 4 GB. */
ci_status ci_gunzip(const char *where, const char *bytes, size_t length, ci_text *out, ci_error *err);

#endif
