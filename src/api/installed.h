/* Models that are found by name. */
#ifndef CI_API_INSTALLED_H
#define CI_API_INSTALLED_H
#include "base/json.h"

/* The folder of the installed model `name`, freed with ci_free; NULL: there is none of that name (or no memory). */
char *ci_installed_model(const char *name);
/* Appends {"id": name, "help": folder, "options": []} for each, by name. */
void ci_installed_describe(json_t *rows);

#endif
