/* Parameters of ops that have some: in the model's arena, pointed to by ci_node.params. */
#ifndef CI_OPS_PARAMS_H
#define CI_OPS_PARAMS_H
#include "ops/op.h"

typedef struct {
  float factor;
} ci_scale_params;

typedef struct {
  double epsilon;
} ci_norm_params;

typedef struct {
  size_t offset; /* added to the position before the table is read */
} ci_position_params;

typedef struct {
  size_t heads, head_dim;
  size_t rotated;           /* leading dimensions of a head that are turned; even */
  const float *frequencies; /* [rotated / 2] */
} ci_rope_params;

typedef struct {
  size_t heads, kv_heads, head_dim;
  float scale; /* of the dot products, usually 1 / sqrt(head_dim) */
  bool causal; /* position p sees keys 0..p; else all keys of the branch (encoder) or of its source branch (cross) */
} ci_attention_params;

/* A row of activations.def: y = f(x) and dx = dy f'(x), on n floats. */
typedef struct {
  const char *id; /* transformers' ACT2FN name */
  void (*value)(const ci_kernels *kernels, const float *x, float *y, size_t n);
  void (*gradient)(const ci_kernels *kernels, const float *x, const float *dy, float *dx, size_t n);
} ci_activation;
const ci_activation *ci_activation_named(const char *id); /* NULL: unknown */
const char *ci_activation_names(void);                    /* "gelu, gelu_new, ..." for errors */

typedef struct {
  const ci_activation *activation;
} ci_activation_params;

#endif
