/* Gradients of a text's targets at points that methods describe: the text itself, or the text with some of its nodes'
 * rows moved. How branches, targets and blocks are cut is decided here, under the subject's budget; results do not
 * depend on it. See subject.h. */
#ifndef CI_ENGINE_WALK_H
#define CI_ENGINE_WALK_H
#include "engine/subject.h"

enum { CI_MOST_MOVES = 4 };

/* The gradient of one target at one point by one node. */
typedef struct {
  size_t leaf; /* which of the walk's nodes */
  size_t point, target;
  size_t first, rows;  /* positions [first, first + rows) */
  const float *values; /* [rows, width of the node] */
} ci_gradient;

typedef struct {
  const int *nodes; /* [node_count] whose gradients are wanted */
  size_t node_count;
  size_t points; /* 0: the text itself is the one point */
  /* What point number `point` changes in the text: at most CI_MOST_MOVES interventions, whose branch is the engine's to
   * fill in; their number. Decoder rows before the first that is moved are the text's, shared, and have no gradient. */
  size_t (*move)(void *context, size_t point, ci_intervention *moves);
  /* Which of the nodes a point is about, whose gradient alone is taken there; ascending by point. NULL: all of them. */
  size_t (*about)(void *context, size_t point);
  /* The same for the reference of the rescale rule; NULL: the rule is the gradient. */
  size_t (*reference)(void *context, size_t point, ci_intervention *moves);
  /* Called from one thread, by ascending block; a target of a point comes once for each node. */
  void (*take)(void *context, const ci_gradient *gradient);
  /* Whether a point is for a target; NULL: each is for all. */
  bool (*wants)(void *context, size_t point, size_t target);
  void *context; /* of these functions */
} ci_walk;

/* Gradients of the objective. Those that are not finite are an error by step and node. */
ci_status ci_subject_walk(ci_subject *subject, const ci_walk *walk, const ci_objective *objective, ci_error *err);
/* out[points, target_count]: the objective at each point; NaN for targets that it is not for, or that the moves cannot
 * change. */
ci_status ci_subject_values(ci_subject *subject, const ci_walk *walk, const ci_objective *objective, double *out,
                            ci_error *err);

#endif
