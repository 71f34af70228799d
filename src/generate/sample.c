/* Sampling: one token from softmax(processed scores). The draws are our own (ids differ from torch's for the same
 * seed): base/random.h, one u in [0, 1) a token; the token is the first in the order of ids whose cumulated probability
 * exceeds u. */
#include "base/random.h"
#include "generate/searches.h"
#include <math.h>

/* The numbers of one text. */
typedef struct {
  uint64_t seed, next;
} draws;

static ci_status pick_drawn(void *state, const ci_search *search, const float *scores, int32_t *token, ci_error *err) {
  draws *d = state;
  size_t n = search->stepper->vocabulary;
  float most = -INFINITY;
  double sum = 0, cumulated = 0, u = ci_random_uniform(d->seed, 0, d->next++);
  for (size_t i = 0; i < n; i++)
    if (scores[i] > most) most = scores[i];
  if (!isfinite(most)) return ci_fail(err, CI_EINVAL, "generation_kwargs", "the options leave no token to draw from");
  for (size_t i = 0; i < n; i++) sum += exp((double)scores[i] - most);
  for (size_t i = 0; i < n; i++) {
    double p = exp((double)scores[i] - most);
    if (p == 0) continue;
    cumulated += p;
    *token = (int32_t)i; /* the last possible one, should rounding leave a gap at the end */
    if (cumulated > u * sum) break;
  }
  return CI_OK;
}

bool ci_sample_applies(const ci_generation *options) {
  return options->num_beams == 1 && options->do_sample;
}

ci_status ci_sample_run(const ci_search *search, int branch, float *logits, ci_generated *out, ci_error *err) {
  draws d = {.seed = (uint64_t)search->options->seed};
  return ci_search_single(search, branch, logits, pick_drawn, &d, out, err);
}
