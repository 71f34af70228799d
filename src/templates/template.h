/* Chat templates: the part of Jinja2 (https://jinja.palletsprojects.com) that public chat templates use, with the
 * settings of transformers' apply_chat_template (trim_blocks, lstrip_blocks, loopcontrols, generation blocks, an
 * immutable sandbox). What is not known is an error by name and line. A template comes from a stranger: steps, depth
 * and output are bounded. */
#ifndef CI_TEMPLATES_TEMPLATE_H
#define CI_TEMPLATES_TEMPLATE_H
#include "base/error.h"
#include <jansson.h>
#include <stddef.h>

typedef struct ci_template ci_template;

/* `where` names the template in errors (a file). source need not outlive the call; it must be UTF-8. */
ci_status ci_template_open(const char *where, const char *source, size_t length, ci_template **out, ci_error *err);
void ci_template_close(ci_template *t);
/* variables: an object. *text: free with ci_free. CI_EINVAL with the template's own message for raise_exception. */
ci_status ci_template_render(const ci_template *t, const json_t *variables, char **text, ci_error *err);

#endif
