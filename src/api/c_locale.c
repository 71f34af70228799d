/* See c_locale.h. */
#include "api/c_locale.h"

locale_t ci_locale_enter(void) {
  /* "C" is a constant of the C library: nothing is allocated, nothing has to be freed */
  locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  return c ? uselocale(c) : (locale_t)0;
}

void ci_locale_leave(locale_t before) {
  if (before) uselocale(before);
}
