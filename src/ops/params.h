/* Parameters of ops that have some: in the model's arena, pointed to by ci_node.params. */
#ifndef CI_OPS_PARAMS_H
#define CI_OPS_PARAMS_H
#include "ops/op.h"

typedef struct {
  float factor;
} ci_scale_params;

typedef struct {
  double epsilon;
  size_t groups; /* a row is normalised in this many equal parts (heads), each with its own mean and variance */
} ci_norm_params;

typedef struct {
  float low, high;
} ci_clip_params;

typedef struct {
  float cap;
} ci_soft_cap_params;

/* y has `count` blocks of `block` columns of x, `stride` apart, from column `first` on. */
typedef struct {
  size_t first, block, stride, count;
} ci_columns_params;

typedef struct {
  size_t offset; /* added to the position before the table is read */
} ci_position_params;

/* Angles of rotary positions: what one kind of layer of a model turns by. */
typedef struct {
  size_t half;              /* pairs that are turned */
  const float *frequencies; /* [half] */
  float factor;             /* of cosines and sines: 1, but for yarn and longrope */
} ci_rope;

typedef struct {
  size_t heads, head_dim;
  const ci_rope *rope;
  bool interleaved; /* pairs are (2i, 2i + 1), as GPT-J has them; else (i, i + half) */
} ci_rope_params;

/* An additive bias of scores by the distance d = key - query, for each head: table[d'] + slope (d - d'), d' being d moved into
 * [-before, after]. T5's buckets are a table that stays the same past its ends (no slopes), ALiBi is slopes alone. */
typedef struct {
  const float *table;  /* [heads, before + 1 + after]; NULL: zeros */
  size_t before, after;
  const float *slopes; /* [heads]; NULL: zeros */
  bool by_key;         /* d is the key's position, whatever the query's */
} ci_position_bias;

typedef struct {
  size_t heads, kv_heads, head_dim;
  float scale;   /* of the dot products, usually 1 / sqrt(head_dim) */
  bool causal;   /* position p sees keys 0..p; else all keys of the branch (encoder) or of its source branch (cross) */
  size_t window; /* causal: position p sees only its last `window` keys, its own among them; 0: all */
  float soft_cap;     /* scores s become cap tanh(s / cap), before the bias; 0: they stay */
  const float *sinks; /* [heads] logits of the softmax that belong to no key; NULL: none */
  const ci_position_bias *bias; /* NULL: none */
} ci_attention_params;

/* A row of activation.c: y = f(x) and dx = dy f'(x), on n floats. */
typedef struct {
  const char *id; /* transformers' ACT2FN name */
  void (*value)(const ci_kernels *kernels, const float *x, float *y, size_t n);
  void (*gradient)(const ci_kernels *kernels, const float *x, const float *dy, float *dx, size_t n);
  bool rescales; /* transformers makes it of a class that Captum's DeepLift knows: nn.ReLU, nn.Tanh, nn.Sigmoid */
} ci_activation;
const ci_activation *ci_activation_named(const char *id); /* NULL: unknown */
const ci_activation *ci_activation_at(size_t index);      /* rows; NULL past the end */

typedef struct {
  const ci_activation *activation;
} ci_activation_params;

/* See route.c. */
typedef struct {
  size_t experts, slots;       /* slots: experts that a row goes to */
  bool sigmoid;                /* scores are sigmoids of the logits, else their softmax */
  double norm;                 /* weights are divided by this norm of the chosen scores; 0: they are not */
  double least;                /* of the norm: what is smaller is this, a constant */
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

typedef struct {
  float limit, slope;
} ci_pair_gate_params;

#endif
