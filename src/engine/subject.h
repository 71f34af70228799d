/* What is asked of the engine about one text: its targets' values and gradients, for the text itself, along paths and under
 * perturbations. All loops over targets, branches and blocks live here, under the memory budget; methods only say what to
 * ask. Results do not depend on how the work is cut. */
#ifndef CI_ENGINE_SUBJECT_H
#define CI_ENGINE_SUBJECT_H
#include "engine/run.h"

/* What is attributed: its value and slope from the logits that predict target number t. Called from several threads. */
typedef struct {
  void *context;
  /* scratch[vocabulary] is the call's own */
  double (*value)(void *context, const float *logits, size_t target, float *scratch);
  /* slope[vocabulary], overwritten */
  void (*gradient)(void *context, const float *logits, size_t target, float *slope);
} ci_objective;

typedef struct {
  const ci_graph *graph;
  ci_compute *compute;
  const int32_t *source; /* [source_count]; encoder-decoder only */
  size_t source_count;
  const int32_t *ids;    /* decoder ids: the rows are 0..row_count-1, target t is ids[first_target + t] */
  size_t row_count;      /* last predictor + 1 */
  size_t first_target, target_count;
  ci_run *run;           /* holds the text itself in `branch`, once ci_subject_forward has run (or generation left it there) */
  int branch;
  size_t *output_rows;   /* [target_count] rows of CI_OUTPUT in run */
  size_t budget;         /* bytes for rows and adjoint rows */
  size_t target_block;   /* most targets (of one branch) in a block; 0: by budget */
  int (*progress)(void *context, size_t done, size_t total); /* in parts of the whole; NULL: none; non-zero cancels */
  void *progress_context;
} ci_subject;

/* Positions of a space that a text has rows for. */
size_t ci_subject_rows(const ci_subject *subject, ci_space_id space);
/* The plan that fits the budget for `rows` decoder rows, given what the caller would like to keep. */
ci_keep ci_subject_plan(const ci_subject *subject, size_t branches, ci_keep wanted);
/* One forward over the text in a new run, if there is none yet. */
ci_status ci_subject_forward(ci_subject *subject, ci_keep keep, ci_error *err);

/* values[rows, width] of a node of the encoder or decoder for the text, whose forward has kept boundaries at least; the caller's. */
ci_status ci_subject_node(ci_subject *subject, int node, float **values, ci_error *err);

/* A point of a path: the nodes' values are baseline + alpha (value - baseline), in the spaces that move. */
typedef struct {
  double alpha, weight;
} ci_point;

typedef struct {
  bool wanted[CI_SPACES];            /* whose gradients are wanted; these also move */
  const int *nodes;                  /* [CI_SPACES] which node; NULL: the input nodes */
  const float *baseline[CI_SPACES];  /* [rows, width] of the node */
  const float *origin[CI_SPACES];    /* the same of the text, if known: what lies below the node is then not computed again */
  const ci_point *points;            /* NULL: the text itself, once, with weight 1 */
  size_t point_count;
  const float *reference[CI_SPACES]; /* [rows, width] of the input nodes where wanted: the rule is rescale, against these */
  bool rescale;
  const double *weights;             /* [point_count, target_count] instead of the points': 0 where a point is not for a target; NULL */
  const bool *skip;                  /* [target_count] targets that are not wanted and stay as they are; NULL: none */
} ci_path;

/* gradients[space][rows(space), target_count, width of the node] = sum over points of weight x gradient of the
 * objective by the node. Decoder positions that a target cannot see are 0. */
ci_status ci_subject_gradients(ci_subject *subject, const ci_path *path, const ci_objective *objective,
                               float *gradients[CI_SPACES], ci_error *err);

/* The text with the input node set to `values` at some positions. */
typedef struct {
  ci_space_id space;
  size_t first, count;
  const float *values; /* [count, width of the input node] */
} ci_perturbation;

/* out[count, target_count]: the objective under each perturbation; targets that are predicted before a decoder perturbation
 * begins are NaN (they cannot change). */
ci_status ci_subject_perturb(ci_subject *subject, const ci_perturbation *perturbations, size_t count,
                             const ci_objective *objective, double *out, ci_error *err);

/* The text with rows of the input nodes replaced here and there, on both sides at once, asked about some targets. */
typedef struct {
  const unsigned char *chosen[CI_SPACES]; /* [rows] not 0: replaced; NULL: the side stays */
  const float *values[CI_SPACES];         /* [rows, width of the input node] */
  size_t first_target, target_count;
} ci_variant;

/* out[count, targets of the subject]: the objective of each variant's targets; NaN for others, and for those that nothing changes
 * before. A variant costs the rows from its first change on to its last target's predictor, but for those it has
 * in common with the variant before it. */
ci_status ci_subject_vary(ci_subject *subject, const ci_variant *variants, size_t count, const ci_objective *objective, double *out,
                          ci_error *err);

#endif
