/* Gradients of a graph against finite differences in random directions.
 *
 * The values of some nodes (leaves) are set by interventions, a direction is added to them, and the derivative of each
 * target's weighted logits along it is compared with what ci_run_backward says. Differences of fourth order in float32
 * are good to about 1e-4: an error of 1 % fails. */
#ifndef CI_TESTS_DIFFERENCES_H
#define CI_TESTS_DIFFERENCES_H
#include "engine/run.h"
#include "support/leaf.h"
#include "support/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST_TARGETS = 8, MOST_STEPS = 12, MOST_LEAVES = 4 };

/* How a run is filled: branches and appended tokens in this order, then targets (sorted by branch). */
typedef struct {
  enum { STEP_END, STEP_BRANCH, STEP_TOKENS } kind;
  ci_space_id space;
  int branch;   /* tokens: to which; branch: its parent */
  size_t count; /* tokens: how many; branch: where it starts */
  int source;   /* of a decoder branch */
} layout_step;

typedef struct {
  const char *id;
  layout_step steps[MOST_STEPS];
  struct {
    int branch;
    size_t predictor, first;
  } targets[MOST_TARGETS];
  size_t target_count;
} layout;

typedef struct {
  const ci_graph *graph;
  ci_compute *compute;
  const layout *layout;
  const char *what;        /* for messages */
  int leaves[MOST_LEAVES]; /* nodes whose values are set; -1 ends the list */
  ci_keep keep;
  uint64_t seed;
  const ci_intervention *interventions; /* further ones */
  size_t intervention_count;
} difference_case;

typedef struct {
  ci_run *run;
  ci_adjoint_group groups[MOST_TARGETS];
  float *values[MOST_LEAVES];    /* [rows, width], by forward row */
  float *direction[MOST_LEAVES]; /* the same */
  float *shifted[MOST_LEAVES];
  size_t rows[MOST_LEAVES], sizes[MOST_LEAVES];
  size_t leaf_count;
} difference_state;

static inline void layout_fill(ci_run *run, const layout *l, ci_adjoint_group *groups) {
  ci_error err = {0};
  const int32_t ids[] = {1, 5, 2, 9, 0, 3, 12, 7, 4};
  for (size_t i = 0; i < MOST_STEPS && l->steps[i].kind != STEP_END; i++) {
    const layout_step *s = &l->steps[i];
    if (s->kind == STEP_BRANCH) assert_true(ci_run_branch(run, s->space, s->branch, s->count, s->source) >= 0);
    for (size_t k = 0; s->kind == STEP_TOKENS && k < s->count; k++)
      assert_int_equal(ci_run_append(run, s->space, s->branch, &ids[(k * 5 + i) % 9], 1, &err), CI_OK);
  }
  for (size_t g = 0; g < l->target_count; g++) {
    groups[g] = (ci_adjoint_group){.branch = l->targets[g].branch,
                                   .target = g,
                                   .predictor = l->targets[g].predictor,
                                   .first = l->targets[g].first};
    assert_int_equal(ci_run_want_logits(run, groups[g].branch, groups[g].predictor, &groups[g].output_row, &err),
                     CI_OK);
  }
}

/* A new run with the leaves set to `values`, computed. */
static inline ci_run *difference_forward(const difference_case *c, float *const *values, ci_adjoint_group *groups) {
  ci_run *run;
  ci_error err = {0};
  assert_int_equal(ci_run_open(c->graph, c->compute, c->keep, &run, &err), CI_OK);
  layout_fill(run, c->layout, groups);
  for (size_t i = 0; i < MOST_LEAVES && c->leaves[i] >= 0; i++) {
    const ci_node *node = &c->graph->nodes[c->leaves[i]];
    const ci_space *space = &run->spaces[node->space];
    for (size_t row = 0; row < space->rows; row++) {
      ci_intervention v = {.kind = CI_SET,
                           .node = c->leaves[i],
                           .branch = space->branch_of[row],
                           .first = (size_t)space->positions[row],
                           .count = 1,
                           .values = values[i] + row * node->width};
      assert_int_equal(ci_run_intervene(run, &v, &err), CI_OK);
    }
  }
  for (size_t i = 0; i < c->intervention_count; i++)
    assert_int_equal(ci_run_intervene(run, &c->interventions[i], &err), CI_OK);
  if (ci_run_forward(run, &err)) fail_msg("%s: forward: %s", c->what, err.message);
  return run;
}

/* What each target's logits are weighed with. */
static inline void difference_seeds(const difference_case *c, float *seeds) {
  uint64_t state = c->seed + 77;
  random_floats(&state, seeds, c->layout->target_count * c->graph->nodes[c->graph->logits].width, 1);
}

static inline void difference_objective(const difference_case *c, float *const *values, const float *seeds,
                                        double *out) {
  ci_adjoint_group groups[MOST_TARGETS];
  ci_run *run = difference_forward(c, values, groups);
  size_t n = c->graph->nodes[c->graph->logits].width;
  for (size_t g = 0; g < c->layout->target_count; g++) {
    const float *logits = ci_run_logits(run, groups[g].output_row);
    out[g] = 0;
    for (size_t i = 0; i < n; i++) out[g] += (double)seeds[g * n + i] * (double)logits[i];
  }
  ci_run_close(run);
}

/* (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h for each target */
static inline void difference_slopes(const difference_case *c, const difference_state *s, const float *seeds,
                                     double *out) {
  const float step = 0.03f;
  const double at[] = {1, -1, 2, -2}, weight[] = {8, -8, -1, 1};
  double f[MOST_TARGETS];
  for (size_t g = 0; g < c->layout->target_count; g++) out[g] = 0;
  for (int k = 0; k < 4; k++) {
    for (size_t i = 0; i < s->leaf_count; i++)
      for (size_t j = 0; j < s->sizes[i]; j++)
        s->shifted[i][j] = s->values[i][j] + (float)at[k] * step * s->direction[i][j];
    difference_objective(c, s->shifted, seeds, f);
    for (size_t g = 0; g < c->layout->target_count; g++) out[g] += weight[k] * f[g] / (12 * (double)step);
  }
}

static inline void difference_open(const difference_case *c, difference_state *s) {
  ci_error err = {0};
  uint64_t state = c->seed;
  *s = (difference_state){0};
  ci_run *sizes;
  assert_int_equal(ci_run_open(c->graph, c->compute, c->keep, &sizes, &err), CI_OK);
  layout_fill(sizes, c->layout, s->groups);
  for (size_t i = 0; i < MOST_LEAVES && c->leaves[i] >= 0; i++) {
    const ci_node *node = &c->graph->nodes[c->leaves[i]];
    s->leaf_count++;
    s->rows[i] = sizes->spaces[node->space].rows;
    s->sizes[i] = s->rows[i] * node->width;
    s->values[i] = ci_alloc(s->sizes[i], sizeof(float));
    s->direction[i] = ci_alloc(s->sizes[i], sizeof(float));
    s->shifted[i] = ci_alloc(s->sizes[i], sizeof(float));
    for (size_t j = 0; j < s->sizes[i]; j++) { /* away from 0, where relu has a corner */
      float x = random_float(&state);
      s->values[i][j] = x + (x < 0 ? -0.2f : 0.2f);
    }
  }
  ci_run_close(sizes);
  s->run = difference_forward(c, s->values, s->groups);
}

static inline void difference_close(difference_state *s) {
  for (size_t i = 0; i < s->leaf_count; i++) {
    ci_free(s->values[i]);
    ci_free(s->direction[i]);
    ci_free(s->shifted[i]);
  }
  ci_run_close(s->run);
}

static inline int gradient_set(const difference_case *c, size_t leaf) {
  return c->graph->nodes[c->leaves[leaf]].space == CI_ENCODER ? CI_SET_SOURCE : CI_SET_FULL;
}

/* gradient . direction over the adjoint rows of target g, and the gradient's square. */
static inline double along(const difference_case *c, const difference_state *s, const ci_adjoint *a,
                           const ci_leaf *leaves, size_t g, double *square) {
  double sum = 0;
  for (size_t i = 0; i < s->leaf_count; i++) {
    int set = gradient_set(c, i);
    const ci_adjoint_group *group = &a->groups[g];
    size_t from = set == CI_SET_SOURCE ? group->source : group->full, width = c->graph->nodes[c->leaves[i]].width;
    size_t n = set == CI_SET_SOURCE ? group->source_count : group->predictor + 1 - group->first;
    for (size_t r = from; r < from + n; r++) {
      const float *v = s->direction[i] + (size_t)a->forward[set][r] * width, *x = (const float *)leaves[i].context + r * width;
      for (size_t j = 0; j < width; j++) {
        sum += (double)v[j] * (double)x[j];
        *square += (double)x[j] * (double)x[j];
      }
    }
  }
  return sum;
}

/* Direction 0: the sum of the targets' gradients; then random ones. A target with first > 0 has no gradient before it:
 * the direction is zero there if any target has that. */
static inline void choose_direction(const difference_case *c, difference_state *s, const ci_adjoint *a,
                                    const ci_leaf *leaves, int number, uint64_t *state) {
  for (size_t i = 0; i < s->leaf_count; i++) {
    size_t width = c->graph->nodes[c->leaves[i]].width;
    float *v = s->direction[i], top = 0;
    random_floats(state, v, s->sizes[i], 1);
    if (number == 0) {
      int set = gradient_set(c, i);
      memset(v, 0, s->sizes[i] * sizeof *v);
      for (size_t r = 0; r < a->rows[set]; r++)
        for (size_t j = 0; j < width; j++)
          v[(size_t)a->forward[set][r] * width + j] += ((const float *)leaves[i].context)[r * width + j];
      for (size_t j = 0; j < s->sizes[i]; j++) top = fmaxf(top, fabsf(v[j]));
      for (size_t j = 0; j < s->sizes[i] && top > 0; j++) v[j] /= top;
    }
    const ci_space *space = &s->run->spaces[c->graph->nodes[c->leaves[i]].space];
    for (size_t g = 0; g < a->count; g++)
      for (size_t row = 0; row < s->rows[i] && space == &s->run->spaces[CI_DECODER]; row++)
        if ((size_t)space->positions[row] < a->groups[g].first) memset(v + row * width, 0, width * sizeof *v);
  }
}

static inline void compare_slopes(const difference_case *c, difference_state *s, const ci_adjoint *a,
                                  const ci_leaf *leaves, const float *seeds) {
  uint64_t state = c->seed + 5;
  double slopes[MOST_TARGETS];
  /* of the differences themselves: logits are about 1 and rounded to 1e-7, steps are 0.03 */
  const double noise = 1.1e-5 * sqrt((double)c->graph->nodes[c->graph->logits].width);
  for (int number = 0; number < 3; number++) {
    bool tested = false;
    choose_direction(c, s, a, leaves, number, &state);
    difference_slopes(c, s, seeds, slopes);
    for (size_t g = 0; g < a->count; g++) {
      double square = 0, size = 0, d = along(c, s, a, leaves, g, &square);
      for (size_t i = 0; i < s->leaf_count; i++)
        for (size_t j = 0; j < s->sizes[i]; j++) size = fmax(size, fabs((double)s->direction[i][j]));
      double usual = fmax(sqrt(square) * size, fabs(d));
      tested = tested || usual > 100 * noise;
      if (!(fabs(d - slopes[g]) <= 2e-3 * usual + noise))
        fail_msg("%s, layout %s, target %zu, direction %d: gradient says %g, differences say %g (of %g)", c->what,
                 c->layout->id, g, number, d, slopes[g], usual);
    }
    if (!tested) fail_msg("%s, layout %s: the gradient is zero, nothing is tested", c->what, c->layout->id);
  }
}

/* Fails, naming c->what, unless the gradients of the leaves are those of the forward. */
static inline void check_differences(const difference_case *c) {
  difference_state s;
  ci_adjoint adjoint;
  ci_error err = {0};
  ci_leaf leaves[MOST_LEAVES];
  difference_open(c, &s);
  assert_int_equal(ci_adjoint_open(s.run, s.groups, c->layout->target_count, &adjoint, &err), CI_OK);
  for (size_t i = 0; i < s.leaf_count; i++) {
    size_t n = adjoint.rows[gradient_set(c, i)] * c->graph->nodes[c->leaves[i]].width;
    float *room = ci_alloc(n, sizeof(float));
    leaves[i] = leaf_into(c->leaves[i], room);
    for (size_t j = 0; j < n; j++) room[j] = NAN; /* all must be written */
  }
  size_t n = c->layout->target_count * c->graph->nodes[c->graph->logits].width;
  float *seeds = ci_alloc(n, sizeof *seeds), *used_up = ci_alloc(n, sizeof *seeds);
  difference_seeds(c, seeds);
  memcpy(used_up, seeds, n * sizeof *seeds);
  if (ci_run_backward(s.run, &adjoint, used_up, leaves, s.leaf_count, &err))
    fail_msg("%s: backward: %s %s", c->what, err.where, err.message);
  compare_slopes(c, &s, &adjoint, leaves, seeds);
  for (size_t i = 0; i < s.leaf_count; i++) ci_free(leaves[i].context);
  ci_free(seeds);
  ci_free(used_up);
  ci_adjoint_close(&adjoint);
  difference_close(&s);
}

#endif
