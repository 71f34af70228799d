/* The layer that layer_* methods attribute: one node, or the outputs of all blocks from one backward pass. */
#ifndef CI_ATTRIBUTE_LAYER_H
#define CI_ATTRIBUTE_LAYER_H
#include "attribute/completeness.h"

typedef struct {
  const char *target_layer;
  bool attribute_to_layer_input;
} ci_layer_options;

#define CI_LAYER_OPTIONS(arguments, member)                                                                            \
  {"target_layer",                                                                                                     \
   NULL,                                                                                                               \
   CI_WORD,                                                                                                            \
   offsetof(arguments, member.target_layer),                                                                           \
   "null",                                                                                                             \
   0,                                                                                                                  \
   0,                                                                                                                  \
   NULL,                                                                                                               \
   "Node (\"decoder.3.mlp.down\") or module of transformers (\"model.layers[3].mlp\"); \"all\": each block; null: "    \
   "the input embeddings."},                                                                                           \
  {                                                                                                                    \
    "attribute_to_layer_input", NULL, CI_BOOL, offsetof(arguments, member.attribute_to_layer_input), "false", 0, 0,    \
        NULL, "What the layer reads, not what it gives."                                                               \
  }

/* Of methods that can do all blocks. */
#define CI_ALL_LAYERS_OPTION(arguments, member)                                                                        \
  {                                                                                                                    \
    "all_layers_reduce", NULL, CI_WORD, offsetof(arguments, member), "\"vnorm\"", 0, 0, "vnorm|sum",                   \
        "What becomes of a token's scores in each of the layers of target_layer \"all\": their length or their sum."   \
  }

bool ci_layer_is_all(const ci_layer_options *options);
/* layer: the node, -1 for the input embeddings. */
ci_status ci_layer_find(ci_attribution *a, const ci_layer_options *options, int *layer, ci_error *err);

/* What layer_integrated_gradients does of all blocks: each by itself, on a line of its own. */
typedef struct {
  const ci_point *points; /* NULL: the text itself, and all blocks from one pass */
  size_t count;
} ci_layer_line;

/* Scores of the outputs of all blocks of the sides that are attributed: [tokens, steps, layers], what becomes of the
 * gradients reduced over the width by "vnorm" (their length) or "sum". */
ci_status ci_attribute_all_layers(ci_attribution *a, const ci_layer_options *options, bool rescale,
                                  const ci_layer_line *line, ci_reduction *reduce, const char *over_width,
                                  ci_error *err);

#endif
