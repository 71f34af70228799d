/* The table of methods. See method.h. */
#include "attribute/method.h"
#include "base/unknown.h"
#include <string.h>

#define CI_METHOD(member) extern const ci_method ci_method_##member;
#include "attribute/methods.def"
#undef CI_METHOD

static const ci_method *const rows[] = {
#define CI_METHOD(member) &ci_method_##member,
#include "attribute/methods.def"
#undef CI_METHOD
};

enum { ROWS = sizeof rows / sizeof *rows };

const ci_method *ci_method_at(size_t index) { return index < ROWS ? rows[index] : NULL; }

ci_status ci_method_named(const char *id, const ci_method **method, ci_error *err) {
  const char *names[ROWS];
  for (size_t i = 0; i < ROWS; i++) {
    names[i] = rows[i]->id;
    if (strcmp(id, names[i]) == 0) return *method = rows[i], CI_OK;
  }
  return ci_fail_unknown(err, "attribution_method", "method", id, names, ROWS);
}
