/* Sampling: one token from softmax(processed scores). The draws are our own (ids differ from torch's for the same
 * seed): SplitMix64 (Steele, Lea, Flood 2014) started from the seed, one step a token, its upper 53 bits as u in [0,
 * 1); the token is the first in the order of ids whose cumulated probability exceeds u. */
#include "generate/searches.h"
#include <math.h>

static double next_uniform(uint64_t *state) {
  uint64_t z = *state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  return (double)(z >> 11) * 0x1p-53;
}

static ci_status pick_drawn(void *state, const ci_search *search, const float *scores, int32_t *token, ci_error *err) {
  size_t n = search->stepper->vocabulary;
  float most = -INFINITY;
  double sum = 0, cumulated = 0, u = next_uniform(state);
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
  uint64_t state = (uint64_t)search->options->seed;
  return ci_search_single(search, branch, logits, pick_drawn, &state, out, err);
}
