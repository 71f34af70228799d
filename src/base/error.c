/* See error.h. */
#include "base/error.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdio.h>

/* Names in hostile files may hold line breaks and escape sequences: an error stays one harmless line. */
ci_status ci_fail(ci_error *err, ci_status code, const char *where, const char *format, ...) {
  if (!err) return code;
  err->code = (int)code;
  snprintf(err->where, sizeof err->where, "%s", where ? where : "");
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(err->message, sizeof err->message, format, arguments);
  va_end(arguments);
  ci_make_printable(err->where);
  ci_make_printable(err->message);
  return code;
}

ci_status ci_fail_memory(ci_error *err) {
  return ci_fail(err, CI_ENOMEM, NULL, "out of memory");
}
