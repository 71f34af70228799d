/* See noisy.h. The noise is n_samples draws over the whole text that serve all targets. Its standard deviation is a
 * part of the embeddings' range (Smilkov et al. 2017), or given. */
#include "attribute/noisy.h"
#include <math.h>

const ci_option ci_noisy_option_table[] = {
    {"n_samples", NULL, CI_INT, offsetof(ci_noisy_options, n_samples), "50", 1, 1e6, NULL, "Gradients taken."},
    {"noise_level", NULL, CI_REAL, offsetof(ci_noisy_options, noise_level), "0.15", 0, 1e3, NULL,
     "Standard deviation of the noise, as a part of the range of the text's embeddings."},
    {"stdevs", NULL, CI_JSON, offsetof(ci_noisy_options, stdevs), "null", 0, 0, NULL,
     "Standard deviation of the noise itself, a number: noise_level then says nothing."},
    {"seed", NULL, CI_INT, offsetof(ci_noisy_options, seed), "0", 0, 9007199254740991, NULL,
     "Start of the random numbers: the same seed, the same scores."},
    CI_OPTIONS_END};

typedef struct {
  ci_attribution *a;
  const ci_noisy_options *options;
  ci_noisy_update *update;
  ci_leaves leaves;
  ci_space_id spaces[CI_SPACES]; /* of the walk's nodes */
  float stdev[CI_SPACES];
  float *score[CI_SPACES], *mean[CI_SPACES]; /* [rows, targets, width]; mean NULL: not wanted */
} job;

static size_t move(void *context, size_t point, ci_intervention *moves) {
  const job *j = context;
  size_t count = 0;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++)
    if (j->leaves.nodes[space] >= 0)
      moves[count++] = (ci_intervention){.kind = CI_NOISE,
                                         .node = j->leaves.nodes[space],
                                         .count = ci_subject_rows(&j->a->subject, space),
                                         .alpha = j->stdev[space],
                                         .seed = (uint64_t)j->options->seed,
                                         .stream = CI_SPACES * point + space};
  return count;
}

static void take(void *context, const ci_gradient *g) {
  const job *j = context;
  ci_space_id space = j->spaces[g->leaf];
  size_t width = ci_attribution_width(j->a, space), targets = j->a->subject.target_count;
  for (size_t r = 0; r < g->rows; r++) {
    size_t at = ((g->first + r) * targets + g->target) * width;
    const float *gradient = g->values + r * width;
    float *mean = j->mean[space] ? j->mean[space] + at : NULL;
    j->update(gradient, mean, g->point, j->score[space] + at, width);
    for (size_t i = 0; mean && i < width; i++) mean[i] += (gradient[i] - mean[i]) / (float)(g->point + 1);
  }
}

/* noise_level of the range of the values, or what is given. */
static ci_status find_stdev(job *j, ci_space_id space, ci_error *err) {
  const json_t *given = j->options->stdevs;
  double number = json_is_number(given) ? json_number_value(given) : 0;
  const float *x;
  float low = INFINITY, high = -INFINITY;
  if (given && !json_is_null(given)) {
    if (!json_is_number(given) || number < 0 || number > 1e6)
      return ci_fail(err, CI_EINVAL, "stdevs", "expected a number from 0 to 1000000");
    j->stdev[space] = (float)number;
    return CI_OK;
  }
  size_t n = ci_subject_rows(&j->a->subject, space) * ci_attribution_width(j->a, space);
  ci_status status = ci_leaf_values(j->a, &j->leaves, space, false, &x, err);
  for (size_t i = 0; i < n && !status; i++) {
    low = fminf(low, x[i]);
    high = fmaxf(high, x[i]);
  }
  j->stdev[space] = (float)j->options->noise_level * (high - low);
  return status;
}

static ci_status open_space(job *j, ci_space_id space, bool needs_mean, ci_error *err) {
  ci_status status = ci_open_scores(j->a, j->leaves.nodes[space], &j->score[space], err);
  if (!status) status = find_stdev(j, space, err);
  if (status || !needs_mean) return status;
  const ci_array *scores = space == CI_ENCODER ? &j->a->out->source_attributions : &j->a->out->target_attributions;
  j->mean[space] = ci_alloc_zeroed(ci_array_size(scores), sizeof(float));
  return j->mean[space] ? CI_OK : ci_fail_memory(err);
}

ci_status ci_attribute_noisy(ci_attribution *a, const ci_noisy_options *options, ci_noisy_update *update,
                             bool needs_mean, ci_error *err) {
  job j = {.a = a, .options = options, .update = update};
  int nodes[CI_SPACES];
  ci_walk walk = {.nodes = nodes, .points = (size_t)options->n_samples, .move = move, .take = take, .context = &j};
  ci_status status = CI_OK;
  ci_leaves_open(a, -1, &j.leaves);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++) {
    if (j.leaves.nodes[space] < 0) continue;
    j.spaces[walk.node_count] = space;
    nodes[walk.node_count++] = j.leaves.nodes[space];
    status = open_space(&j, space, needs_mean, err);
  }
  if (!status) status = ci_subject_walk(&a->subject, &walk, &a->objective, err);
  for (int space = 0; space < CI_SPACES; space++) ci_free(j.mean[space]);
  ci_leaves_close(&j.leaves);
  return status;
}
