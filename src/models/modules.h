/* Nodes by name: ours ("decoder.3.mlp.down") or the dotted path of transformers' module whose output they are
 * ("model.layers[3].mlp", "transformer.h.2"). */
#ifndef CI_MODELS_MODULES_H
#define CI_MODELS_MODULES_H
#include "models/model.h"

/* The node that a name stands for; with `input`, the node that it reads. CI_EINVAL with the nearest name when there is
 * none. */
ci_status ci_model_node(const ci_model *model, const char *where, const char *name, bool input, int *node,
                        ci_error *err);

/* The modules of transformers that hold the model's weights, by their dotted paths, in the order of the file: an array of
 * texts, "model", "model.layers", "model.layers.0", ... *paths: json_decref. */
ci_status ci_model_modules(const ci_model *model, json_t **paths, ci_error *err);

#endif
