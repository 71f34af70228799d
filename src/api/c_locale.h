/* Files, tables and numbers are the same in any locale: while a public function runs, its thread is in the locale "C".
 * A program that has called setlocale(LC_ALL, "") in Germany would otherwise read and write "0,5". */
#ifndef CI_API_C_LOCALE_H
#define CI_API_C_LOCALE_H
#include <locale.h>

/* Enters it and gives the thread's locale before, for ci_locale_leave. */
locale_t ci_locale_enter(void);
void ci_locale_leave(locale_t before);

#endif
