/* Position biases that are slopes alone: ALiBi (Press et al. 2022), -slope x distance. */
#ifndef CI_MODELS_ALIBI_H
#define CI_MODELS_ALIBI_H
#include "models/builder.h"

/* Slopes 2^(-8 i / n) for the largest power of two n in `heads`, the remaining heads between them (the paper's code). */
const float *ci_alibi_slopes(ci_builder *b, size_t heads);
/* 2^(-most i / n) for the next power of two n, every second one first (MPT's code). */
const float *ci_alibi_slopes_mpt(ci_builder *b, size_t heads, double most);
const ci_position_bias *ci_alibi(ci_builder *b, const float *slopes);

#endif
