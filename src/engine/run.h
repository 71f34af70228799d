/* A run: the mutable side of a computation. It holds branches of rows, node values, and what intervenes; one owner.
 *
 * Forward: add branches and rows, then ci_run_forward computes all rows that are new, in every node. Rows stay: extending a
 * branch by a token is a forward of one row against the kept keys and values.
 * Backward: ci_run_backward over rows that a forward has computed and kept. */
#ifndef CI_ENGINE_RUN_H
#define CI_ENGINE_RUN_H
#include "engine/adjoint.h"
#include "engine/graph.h"
#include "ops/op.h"

/* A sequence that may share a prefix with its parent. rows[p] is the row of position p: the parent's before `start`. */
typedef struct {
  int parent;        /* -1: none */
  size_t start;      /* first position of its own */
  size_t length;
  size_t capacity;
  int32_t *rows;
  int source_branch; /* the encoder branch that a decoder branch looks at; -1: none */
} ci_branch;

typedef struct {
  size_t rows, computed; /* rows [computed, rows) are new */
  size_t capacity;
  int32_t *ids;       /* token id a row (CI_OUTPUT: the decoder row) */
  int32_t *positions;
  int32_t *branch_of; /* the branch that owns the row */
  ci_branch *branches;
  size_t branch_count, branch_capacity;
} ci_space;

/* What is kept of a forward: keys and values only (generation that will be read again), what backward needs to rebuild the
 * rest a section at a time, or everything. */
typedef enum { CI_KEEP_KEYS, CI_KEEP_BOUNDARIES, CI_KEEP_ALL } ci_keep;

/* Interventions are data, consulted when a node's rows are computed, and in backward before gradients pass further. */
typedef enum {
  CI_SET,         /* value := values */
  CI_ZERO,        /* value := 0 */
  CI_INTERPOLATE, /* value := values + alpha (value - values) */
  CI_NOISE,       /* value := value + alpha n, n normal numbers of (seed, stream) by position and column */
  CI_DROPOUT,     /* the whole branch, whose input node is named, is computed as in training: dropout.h; no gradient rule */
} ci_intervention_kind;

typedef struct {
  ci_intervention_kind kind;
  int node;
  int branch;
  size_t first, count;     /* positions */
  size_t column, columns;  /* of the row; columns 0: the whole row (heads are ranges of columns) */
  const float *values;     /* [count, columns], the caller's; lives as long as the intervention */
  const float *origin;     /* CI_INTERPOLATE: [count, columns] what to start from instead of the computed value, or NULL */
  float alpha;
  uint64_t seed, stream;
} ci_intervention;
/* What a CI_NOISE intervention does to row[width] at a position. */
void ci_add_noise(const ci_intervention *noise, size_t position, float *row, size_t width);

typedef struct {
  float *data;      /* rows from `base` on */
  size_t base;
  size_t capacity;  /* rows allocated, for values that are kept */
  float *kept;      /* [rows, kept_width] */
  size_t kept_capacity;
} ci_value;

typedef struct ci_run {
  const ci_graph *graph;
  ci_compute *compute;
  ci_keep keep;
  ci_space spaces[CI_SPACES];
  ci_value *values;      /* [graph->count] */
  bool *keeps;           /* [graph->count]: the plan keeps this node's rows */
  float **slots;         /* scratch values */
  size_t *slot_size;
  int loaded_section;    /* whose scratch values cover all computed rows (backward); -1: none */
  bool loaded_whole;     /* all of them, not only what vjps read */
  bool *touched;         /* [graph->count]: an intervention names this node */
  bool watched;          /* forward notes the first node that has a value which is not finite */
  const char *broken;    /* its name; NULL: none so far */
  ci_intervention *interventions;
  size_t intervention_count, intervention_capacity;
  struct ci_rope_table *rope; /* angles for positions so far, shared by all layers */
  struct ci_buffers *buffers; /* gradient memory, reused */
} ci_run;

ci_status ci_run_open(const ci_graph *graph, ci_compute *compute, ci_keep keep, ci_run **run, ci_error *err);
void ci_run_close(ci_run *run);
/* Forgets branches, rows and interventions; keeps the memory. */
void ci_run_reset(ci_run *run);

/* A new branch of `space` that shares the first `start` positions of `parent` (-1 and 0: none). Its number, -1: no memory. */
int ci_run_branch(ci_run *run, ci_space_id space, int parent, size_t start, int source_branch);
/* Appends tokens to a branch. CI_EINVAL when the model has no such position. */
ci_status ci_run_append(ci_run *run, ci_space_id space, int branch, const int32_t *ids, size_t count, ci_error *err);
/* Asks for the logits that follow position p of a decoder branch; *output_row is the row of CI_OUTPUT. */
ci_status ci_run_want_logits(ci_run *run, int branch, size_t position, size_t *output_row, ci_error *err);
ci_status ci_run_intervene(ci_run *run, const ci_intervention *intervention, ci_error *err);
/* The dropout that a row's branch is under (rows of CI_OUTPUT: the decoder's branch); NULL: none. */
const ci_intervention *ci_run_dropout(const ci_run *run, ci_space_id space, int branch);

/* A point to come back to: what was added after it is forgotten. */
typedef struct {
  size_t rows[CI_SPACES], branches[CI_SPACES], interventions;
} ci_run_mark;
ci_run_mark ci_run_get_mark(const ci_run *run);
void ci_run_truncate(ci_run *run, const ci_run_mark *mark);

/* Computes all new rows. */
ci_status ci_run_forward(ci_run *run, ci_error *err);
/* The same from given[space] on (-1: all nodes), a node whose new rows interventions give whole. What lies below it in its space
 * has no values there, and must not be read: it is the last node of its section, or all that do are above it. */
ci_status ci_run_forward_given(ci_run *run, const int given[CI_SPACES], ci_error *err);
/* For computations that begin in the middle of a graph (zeroing.c): makes room for rows [first, first + count) of a node; and
 * computes them from its inputs' rows. */
ci_status ci_run_place(ci_run *run, int node, size_t first, size_t count, ci_error *err);
ci_status ci_run_compute_node(ci_run *run, int node, size_t first, size_t count, ci_error *err);
/* Forgets the output rows (and their logits): for decoding that keeps no logits. */
void ci_run_drop_outputs(ci_run *run);

/* Row `row` of a node's value. Valid for kept nodes, and for others of the section that was computed last. */
float *ci_run_row(const ci_run *run, int node, size_t row);
const float *ci_run_logits(const ci_run *run, size_t output_row);
/* Value of the input node for these ids at positions 0.. of a space, without any rows: out[count, width]. */
ci_status ci_run_input_values(ci_run *run, ci_space_id space, const int32_t *ids, size_t count, float *out, ci_error *err);
/* Computes all rows anew to find the first node that has a value which is not finite: *name is "decoder.2.self_attn.value", the
 * graph's; NULL: all are finite. */
ci_status ci_run_find_not_finite(ci_run *run, const char **name, ci_error *err);

/* Bytes that one row of a space takes under a plan, and a row that is being computed takes beside it. */
size_t ci_run_row_bytes(const ci_graph *graph, ci_space_id space, ci_keep keep);
size_t ci_run_scratch_bytes(const ci_graph *graph);
/* Bytes that gradients of one adjoint row (of both spaces together) take at most, and those of one row of CI_OUTPUT. */
size_t ci_adjoint_row_bytes(const ci_graph *graph);
size_t ci_adjoint_output_bytes(const ci_graph *graph);

/* Builds the adjoint rows for targets: branch, target, predictor, first and output_row of each group are the caller's, sorted
 * by branch. */
ci_status ci_adjoint_open(const ci_run *run, ci_adjoint_group *groups, size_t count, ci_adjoint *adjoint, ci_error *err);
void ci_adjoint_close(ci_adjoint *adjoint);

/* Where gradients are wanted: a node, and who gets them, once: gradient[rows of the node's set, width], CI_SET_FULL for decoder
 * nodes, CI_SET_SOURCE for encoder nodes. */
typedef struct {
  int node;
  void (*take)(void *context, const float *gradient, size_t floats);
  void *context;
} ci_leaf;

/* One reverse pass for all groups: seeds [groups, vocabulary] are the gradients of what is attributed by the logits (changed by the
 * call). Gives the gradients of all leaves, from the logits' side on. Groups that rescale go by their ops' rescale rules. */
ci_status ci_run_backward(ci_run *run, const ci_adjoint *adjoint, float *seeds, const ci_leaf *leaves, size_t leaf_count,
                          ci_error *err);
/* The same pass, whose gradients are not finite, to name the first node and the target where that is so; gives nothing. */
ci_status ci_run_find_broken(ci_run *run, const ci_adjoint *adjoint, float *seeds, const ci_leaf *leaves, size_t leaf_count,
                             ci_error *err);

/* Rebuilds what the memory plan did not keep of a section, for all rows: the whole of it for readers of nodes, else only what
 * vjps read. */
ci_status ci_run_load_section(ci_run *run, int section, bool whole, ci_error *err);

#endif
