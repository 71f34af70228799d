/* See unknown.h. */
#include "base/unknown.h"
#include "base/text.h"

ci_status ci_fail_unknown(ci_error *err, const char *where, const char *what, const char *name, const char *const *names, size_t count) {
  const char *nearest = ci_nearest(name, names, count);
  ci_text list = {0};
  for (size_t i = 0; i < count; i++) ci_text_add_format(&list, "%s%s", i ? ", " : "", names[i]);
  ci_status status = ci_fail(err, CI_EINVAL, where, "unknown %s \"%s\"%s%s%s (one of %s)", what, name, nearest ? ": did you mean \"" : "",
                             nearest ? nearest : "", nearest ? "\"?" : "", list.data && !list.failed ? list.data : "none");
  ci_text_free(&list);
  return status;
}
