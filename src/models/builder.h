/* What an architecture file builds its graph with. Errors stick: after the first one every call does nothing, and the file
 * reads as the model does. Node names are `scope` + the name given. */
#ifndef CI_MODELS_BUILDER_H
#define CI_MODELS_BUILDER_H
#include "models/model.h"
#include "ops/params.h"

typedef struct ci_builder {
  ci_model *model;
  ci_status status;
  ci_error *err;
  ci_space_id space;      /* of the nodes added next */
  int section;
  char scope[64];         /* "decoder.3." */
  char weights[96];       /* prefix of weight names: "model.decoder.layers.3." */
  unsigned char *used;    /* [tensors] looked up */
  ci_weight *made;        /* [tensors] what a tensor was converted to; type NULL: it was not */
  const struct ci_dropout_keys *dropout; /* keys of what training drops; NULL: the architecture's */
  const char *last_module; /* how the name of the model's last module with weights ends: it is not quantised where the head is tied */
  ci_pool *pool;          /* for conversions; NULL until one is needed */
  const json_t *inside;   /* the object that configuration values are read from; NULL: the configuration itself */
  char inside_name[64];
} ci_builder;

/* Configuration values; NULL-safe defaults. The key must be there when there is no sensible default: *_needed. */
int64_t ci_config_needed(ci_builder *b, const char *key, int64_t min, int64_t max);
int64_t ci_config_int(ci_builder *b, const char *key, int64_t fallback, int64_t min, int64_t max);
double ci_config_real(ci_builder *b, const char *key, double fallback);
bool ci_config_bool(ci_builder *b, const char *key, bool fallback);
const char *ci_config_text(ci_builder *b, const char *key, const char *fallback);
/* An error unless the key is absent, null, or the only value that this architecture's code stands for. */
void ci_config_only(ci_builder *b, const char *key, const json_t *value); /* steals the reference */
double ci_config_real_needed(ci_builder *b, const char *key);
/* A number of at least `min`, as a size. */
size_t ci_config_size(ci_builder *b, const char *key, size_t fallback, size_t min);
/* What the file says under `alias` is meant as `key` (transformers' attribute_map and keyword arguments of old). */
void ci_config_alias(ci_builder *b, const char *alias, const char *key);
/* Reads come from the object under this key, until ci_config_leave. False, and nothing is entered: absent or null. */
bool ci_config_enter(ci_builder *b, const char *key);
void ci_config_leave(ci_builder *b);
/* n numbers under this key, in the model's arena. */
const double *ci_config_reals(ci_builder *b, const char *key, size_t n);
/* Number `index` of a list of n texts under this key; NULL when the key is absent or null. */
const char *ci_config_text_at(ci_builder *b, const char *key, size_t index, size_t n);
/* The value under this key as it is; NULL: absent. */
const json_t *ci_config_value(ci_builder *b, const char *key);
/* Whether the list of integers under this key holds the value; an absent one does not. */
bool ci_config_lists(ci_builder *b, const char *key, int64_t value);
void ci_build_fail(ci_builder *b, const char *where, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A space's prologue, a block, or the output side: nodes added next are named scope.name and belong to a new section. */
void ci_build_section(ci_builder *b, ci_space_id space, const char *scope_format, int index);
/* Weight names from here on begin with the formatted prefix. */
void ci_build_weights(ci_builder *b, const char *format, int index);

/* A table [outputs, inputs], or what is no module of its own. Names are b->weights + name. */
ci_weight ci_weight_linear(ci_builder *b, const char *name, size_t outputs, size_t inputs);
/* The weight of an nn.Linear, or by_input of a Conv1D, which stores [inputs, outputs]: in 8 bits if that is asked for. */
ci_weight ci_weight_module(ci_builder *b, const char *name, size_t outputs, size_t inputs, bool by_input);
/* An output matrix of its own, which is in 8 bits only where llm_int8_skip_modules says what is not. */
ci_weight ci_weight_head(ci_builder *b, const char *name, size_t outputs, size_t inputs);
/* `count` matrices [rows, columns] in one tensor, [count, rows, columns] or [count rows, columns]: as one of count rows. */
ci_weight ci_weight_stack(ci_builder *b, const char *name, size_t count, size_t rows, size_t columns);
/* A table of float32 computed here (the builder's arena): [rows, columns]. */
ci_weight ci_weight_table(const float *data, size_t rows, size_t columns);
void ci_mark_used(ci_builder *b, const ci_tensor *tensor);
bool ci_has_weight(ci_builder *b, const char *name);
/* float32 of a vector of n elements (copied if the file has another type). */
const float *ci_vector(ci_builder *b, const char *name, size_t n);
const float *ci_vector_part(ci_builder *b, const char *name, size_t whole, size_t first, size_t n);
const float *ci_vector_if_there(ci_builder *b, const char *name, size_t n);
/* float32 of a matrix that is read while the graph is built: [rows, columns]. */
const float *ci_small_matrix(ci_builder *b, const char *name, size_t rows, size_t columns);
/* n floats with the same value. */
const float *ci_vector_of(ci_builder *b, double value, size_t n);
/* Remembers what [bytes] at data, which a node reads instead of the file's, were made of: the address of numbers of a tensor,
 * or of such numbers. Modules are found by it. data NULL: nothing was made. */
void ci_note_origin(ci_builder *b, const void *data, size_t bytes, const void *source);
void *ci_build_alloc(ci_builder *b, size_t count, size_t size);

/* Nodes. Each returns its number (0 after an error). */
int ci_add_embedding(ci_builder *b, const char *name, ci_weight weight);
int ci_add_scale(ci_builder *b, const char *name, int x, double factor);
int ci_add_position(ci_builder *b, const char *name, int x, ci_weight table, size_t offset);
int ci_add_linear(ci_builder *b, const char *name, int x, ci_weight weight, const float *bias);
int ci_add_layer_norm(ci_builder *b, const char *name, int x, const float *scale, const float *bias, double epsilon);
int ci_add_rms_norm(ci_builder *b, const char *name, int x, const float *scale, double epsilon);
/* Each of `groups` equal parts of a row by itself; op: &ci_op_layer_norm or &ci_op_rms_norm, scale and bias [width of x]. */
int ci_add_group_norm(ci_builder *b, const char *name, const ci_op *op, int x, size_t groups, const float *scale,
                      const float *bias, double epsilon);
int ci_add_columns(ci_builder *b, const char *name, int x, const ci_columns_params *columns);
int ci_add_clip(ci_builder *b, const char *name, int x, double low, double high);
int ci_add_rope(ci_builder *b, const char *name, int x, size_t heads, size_t head_dim, const ci_rope *rope, bool interleaved);
int ci_add_attention(ci_builder *b, const char *name, int query, int key, int value, size_t heads, size_t kv_heads,
                     size_t head_dim, double scale, bool causal);
/* With window, cap, sinks or position bias: copies *params. */
int ci_add_attention_with(ci_builder *b, const char *name, int query, int key, int value, const ci_attention_params *params);
int ci_add_activation(ci_builder *b, const char *name, int x, const char *activation);
int ci_add_soft_cap(ci_builder *b, const char *name, int x, double cap);
int ci_add_multiply(ci_builder *b, const char *name, int x, int y);
int ci_add_pair_gate(ci_builder *b, const char *name, int x, double limit, double slope);
int ci_add_gate(ci_builder *b, const char *name, int x, int gate);
/* Experts: params are copied. The weights of expert_linear and expert_sum have one shape and type. */
int ci_add_route(ci_builder *b, const char *name, int logits, const ci_route_params *params);
int ci_add_expert_linear(ci_builder *b, const char *name, int x, int route, const ci_expert_params *params);
int ci_add_expert_sum(ci_builder *b, const char *name, int x, int route, const ci_expert_params *params);
int ci_add_sum(ci_builder *b, const char *name, int x, int y);
/* Logits of the rows that are asked for: select, then `head` adds what stands before the vocabulary matrix. */
int ci_add_select(ci_builder *b, const char *name, int x);

/* The input node of the current space: what attribution is about. */
void ci_build_input(ci_builder *b, int ids_node, int input_node);

#endif
