/* Rotary frequencies from a configuration. */
#ifndef CI_MODELS_ROPE_H
#define CI_MODELS_ROPE_H
#include "models/builder.h"

/* Angles for the first `rotated` dimensions of a head (made even by the caller's check), scaled as the object under
 * `scaling_key` says (linear, dynamic, yarn, llama3, longrope; NULL or absent: not at all). The kinds whose frequencies depend
 * on the length of the text bound the graph's positions to the lengths for which they are these. NULL after an error. */
const ci_rope *ci_build_rope(ci_builder *b, double theta, size_t rotated, const char *scaling_key);

#endif
