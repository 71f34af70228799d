/* Where the model lies that a name means. */
#ifndef CI_API_FIND_H
#define CI_API_FIND_H
#include "hub/hub.h"

/* As transformers: a folder (or .gguf file) that exists; else an installed model; else one of the hub, from its cache
 * or downloaded. `hub` says how, its name is `name` then. *path: ci_free. A name that is nowhere is CI_EINVAL with the
 * nearest installed name. */
ci_status ci_find_model(const char *name, ci_hub_request hub, const cinseq_hooks *hooks, char **path, ci_error *err);

#endif
