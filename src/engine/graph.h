/* A model as a list of named nodes in the order in which they are computed. Immutable once built; shared by runs.
 *
 * Rows, not batches: a node's value is a matrix [rows, width], and the node's row space says what a row is.
 *   CI_ENCODER  (source branch, source position)
 *   CI_DECODER  (branch, position)
 *   CI_OUTPUT   decoder rows whose logits were asked for
 * Sections are runs of nodes (prologue, one per block, epilogue): what is not kept is rebuilt a section at a time. */
#ifndef CI_ENGINE_GRAPH_H
#define CI_ENGINE_GRAPH_H
#include "base/error.h"
#include "base/memory.h"
#include "kernels/compute.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { CI_ENCODER, CI_DECODER, CI_OUTPUT, CI_SPACES } ci_space_id;

typedef struct ci_op ci_op;
enum { CI_MOST_INPUTS = 3, CI_MOST_LAYERS = 1024 };

typedef struct {
  const char *name;      /* "decoder.3.cross_attn.value" */
  const ci_op *op;
  ci_space_id space;
  int inputs[CI_MOST_INPUTS]; /* node numbers, lower than the node's own */
  int input_count;
  size_t width;          /* floats in a row */
  size_t kept_width;     /* floats a row that the op keeps beside its output (attention: log-sum-exp a head) */
  int section;
  int slot;              /* of the scratch values */
  int last_reader;       /* the last node that reads this one; 0: none */
  bool keep;             /* kept in every plan that backward can start from: what crosses sections, query, key, value */
  bool is_key;           /* a key or value: kept in every plan */
  bool read_by_vjp;      /* the vjp of a node that has it as input reads its value */
  bool rebuilt;          /* not kept as a boundary, and needed for what vjps of its section read */
  float dropout;         /* chance that training drops a number of the value (attention: a probability); 0: it never does */
  int dropout_site;      /* whose draws these are: the node's own, unless one mask goes over several nodes */
  float layer_dropout;   /* chance that training leaves out the whole section, which ends here */
  int layer_input;       /* the node whose value this one's then is */
  ci_weight weight;      /* of ops that have one */
  const float *scale;    /* [width] norm weights */
  const float *bias;     /* [width], or NULL */
  const void *params;    /* the op's own, in the model's arena */
} ci_node;

typedef struct {
  ci_node *nodes;
  int count;
  size_t capacity;
  int sections;
  int slots;                        /* scratch slots a section needs at most */
  bool encoder_decoder;
  int ids_node[CI_SPACES];          /* the embedding look-up of a space; -1: the space has none */
  int input_node[CI_SPACES];        /* the node that attribution is about (named per model); -1: none */
  int logits;                       /* node in CI_OUTPUT, width = vocabulary */
  size_t positions[CI_SPACES];      /* most positions of a branch; 0: no limit */
  int layers[CI_SPACES];
  size_t heads[CI_SPACES];          /* attention heads, for the shape of attention results */
} ci_graph;

/* Derives sections' scratch slots and what is kept from the nodes. Called once, when all nodes are there. */
void ci_graph_finish(ci_graph *graph);

/* The node with this name, -1 if there is none. */
int ci_graph_find(const ci_graph *graph, const char *name);

#endif
