/* Transformer blocks from a description: what an architecture file fills in from its configuration, with the names that its
 * weights have. Shared by decoders and encoders; nothing here knows an architecture. Node names are those of docs/models.md:
 * self_attn.query, .key, .value (what attention reads), .output, mlp.up, ...; a norm's node has its weight's name. */
#ifndef CI_MODELS_BLOCK_H
#define CI_MODELS_BLOCK_H
#include "models/builder.h"

/* How all norms of a model are computed. */
typedef struct {
  const ci_op *op; /* &ci_op_layer_norm or &ci_op_rms_norm */
  double epsilon;
  bool plus_one;   /* the weight in the file is the factor minus one (Gemma) */
  bool unbiased;   /* layer norm without a bias, whatever the file has; rms norms have none anyway */
  bool weightless; /* neither weight nor bias (OLMo) */
} ci_norm_style;

/* name: "input_layernorm", of weight, bias and node. */
int ci_add_norm(ci_builder *b, const ci_norm_style *style, const char *name, int x);

/* Norms of the queries or keys: over the whole row, or each head by itself. */
typedef enum {
  CI_NORM_NONE,
  CI_NORM_ROW,       /* weight [heads head_dim], one mean square for all */
  CI_NORM_HEADS,     /* each head, with one weight [head_dim] for all */
  CI_NORM_EACH_HEAD, /* each head, with a weight of its own: [heads, head_dim], no bias */
  CI_NORM_LISTED,    /* the same, as tensors NAME.norms.0.weight, ... */
} ci_norm_extent;

/* A linear layer's place in a larger product, as blocks of its outputs. count 0: it is a matrix of its own. */
typedef ci_columns_params ci_part;

/* One of query, key and value. */
typedef struct {
  const char *weight; /* "self_attn.q_proj"; the same for all parts of one matrix */
  ci_part part;
} ci_projection;

typedef struct {
  const char *scope; /* of node names: "self_attn" (when NULL), "cross_attn" */
  size_t heads, kv_heads, head_dim;
  double scale;      /* 0: 1 / sqrt(head_dim) */
  ci_projection query, key, value;
  size_t fused;      /* outputs of the matrix that the parts lie in */
  const char *output;
  bool biased, output_biased;
  bool by_input;     /* matrices are [inputs, outputs] (Conv1D) */
  double clip;       /* queries, keys and values are moved into [-clip, clip], after their norms; 0: they stay */
  ci_norm_extent norm;
  ci_norm_style norm_style;
  const char *query_norm, *key_norm; /* "self_attn.q_norm" */
  const ci_rope *rope; /* NULL: not rotary */
  bool interleaved;    /* pairs of rope: see ci_rope_params */
  bool bidirectional;
  size_t window;       /* these as in ci_attention_params */
  double soft_cap;
  const float *sinks;
  const ci_position_bias *bias;
} ci_attention_shape;

/* Self-attention when source is x; else keys and values come from the node `source`. Returns the output projection's node. */
int ci_add_attention_layer(ci_builder *b, const ci_attention_shape *s, int x, int source);

struct ci_block;

typedef struct {
  size_t inner;
  const char *gate;   /* "mlp.gate_proj"; NULL: down(act(up(x))); else down(act(gate(x)) * up(x)) */
  const char *up, *down;
  bool fused;         /* gate and up are the halves of one matrix, named by both; the gate comes first */
  bool biased, by_input;
  const char *activation;
  /* A feed-forward of another kind (mixture of experts): adds its nodes, returns the output. NULL: the above. */
  int (*build)(ci_builder *b, const struct ci_block *block, int x);
  const void *own;    /* what build reads */
} ci_mlp_shape;

int ci_add_mlp(ci_builder *b, const ci_mlp_shape *s, size_t width, int x);

/* Where a branch (attention or feed-forward) of a block is normalised; names of norms, NULL: there is none. */
typedef struct {
  const char *before; /* what the branch reads */
  const char *after;  /* its output, before it is added */
  const char *sum;    /* the sum (post-norm blocks) */
} ci_branch_norms;

/* x += s attention(norm(x));  x += s mlp(norm(x)), or both from the same x when parallel. */
typedef struct ci_block {
  size_t width;
  ci_norm_style norm;
  ci_attention_shape attention;
  ci_attention_shape cross; /* between the two, over the rows of node `source`; no weight names: none */
  ci_mlp_shape mlp;
  ci_branch_norms attention_norms, cross_norms, mlp_norms;
  int source;
  bool parallel;         /* x += attention(norm(x)) + mlp(norm(x)); without a norm of its own the mlp reads the attention's */
  bool residual_normed;  /* the normalised x is what is added to (BLOOM) */
  double residual_scale; /* s; 0: 1 */
} ci_block;

/* A block's nodes in the present section; returns its output. */
int ci_add_block(ci_builder *b, const ci_block *block, int x);

/* A linear layer NAME.weight [outputs, inputs] ([inputs, outputs] when by_input), NAME.bias. */
int ci_add_linear_named(ci_builder *b, const char *node, const char *name, int x, size_t outputs, size_t inputs, bool biased,
                        bool by_input);

#endif
