/* See libraries.h. */
#include "hub/libraries.h"
#include <dlfcn.h>
#include <string.h>

ci_status ci_library_load(const char *const *files, const char *package, const ci_function *functions, size_t count,
                          void *table, ci_error *err) {
  void *library = NULL;
  const char *const *file = files;
  while (*file && !(library = dlopen(*file, RTLD_NOW | RTLD_LOCAL))) file++;
  if (!library)
    return ci_fail(err, CI_EFILE, files[0], "%s is missing, which is in Debian's package %s", files[0], package);
  for (size_t i = 0; i < count; i++) {
    void *function = dlsym(library, functions[i].name);
    if (!function) {
      dlclose(library);
      return ci_fail(err, CI_EFILE, *file, "%s is too old: it has no %s", *file, functions[i].name);
    }
    memcpy((char *)table + functions[i].at, &function, sizeof function);
  }
  return CI_OK;
}
