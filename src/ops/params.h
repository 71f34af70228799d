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

/* See route.c. */
typedef struct {
  size_t experts, slots;       /* slots: experts that a row goes to */
  bool sigmoid;                /* scores are sigmoids of the logits, else their softmax */
  double norm;                 /* weights are divided by this norm of the chosen scores; 0: they are not */
  double epsilon;              /* added to the norm */
  double scale;                /* of the weights */
  const float *selection_bias; /* [experts], added to the scores for the choice alone; NULL: none */
  size_t groups, top_groups;   /* groups of experts, and the best of them that may be chosen from; 0: all */
  bool group_of_two;           /* a group is as good as the sum of its two best experts, else as its best */
} ci_route_params;

typedef struct {
  size_t experts;
  const ci_weight *weights; /* [experts], of one shape and type */
  const float *bias;        /* [experts, outputs], or NULL */
} ci_expert_params;

#endif
