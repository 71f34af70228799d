/* See contrast.h. With e the unit vector of a token and p the softmax of the text's logits:
 *   d z[y] / d z = e(y);  d p[y] / d z = p[y] (e(y) - p);  d ln p[y] / d z = e(y) - p
 * so a sum of two has the slope c e(y) + c' e(y') - (c + c') p, without the last term for logits. */
#include "scores/contrast.h"
#include <math.h>
#include <string.h>

const ci_option ci_contrast_prob_table[] = {CI_CONTRAST_OPTIONS,
                                            {"logprob", NULL, CI_BOOL, offsetof(ci_contrast_prob_options, logprob),
                                             "false", 0, 0, NULL, "The logarithm of the probability instead."},
                                            CI_OPTIONS_END};

ci_contrast_of ci_contrast_prob_of(const void *options) {
  return ((const ci_contrast_prob_options *)options)->logprob ? CI_OF_LOG_PROBABILITY : CI_OF_PROBABILITY;
}

static double value_of(const float *logits, int32_t target, double log_sum, ci_contrast_of of) {
  double logit = (double)logits[target];
  return of == CI_OF_LOGIT ? logit : of == CI_OF_LOG_PROBABILITY ? logit - log_sum : exp(logit - log_sum);
}

double ci_contrast_value(const ci_score_input *in, ci_contrast_of of, double own, double other) {
  const ci_score_contrast *c = &in->contrast;
  double value = other * value_of(c->logits, c->target, c->log_sum, of);
  return own == 0 ? value : own * value_of(in->logits, in->target, in->log_sum, of) + value;
}

/* The sum of p over all tokens but one or two, which 1 - p[y] would round away where p[y] is nearly 1. */
static double others(const ci_score_input *in, const float *p, int32_t y, int32_t z) {
  double sum = in->kernels->sum(p, in->vocabulary) - (double)p[y];
  return z == y ? sum : sum - (double)p[z];
}

void ci_contrast_gradient(const ci_score_input *in, ci_contrast_of of, double own, double other, float *slope) {
  int32_t y = in->target, z = in->contrast.target;
  if (in->contrast.logits != in->logits) other = 0; /* another text's: a constant */
  if (of == CI_OF_LOGIT) {
    memset(slope, 0, in->vocabulary * sizeof(float));
    slope[y] += (float)own;
    slope[z] += (float)other;
    return;
  }
  ci_score_softmax(in, slope);
  double p = (double)slope[y], q = (double)slope[z], rest = others(in, slope, y, z);
  double c = own * (of == CI_OF_PROBABILITY ? p : 1), d = other * (of == CI_OF_PROBABILITY ? q : 1);
  for (size_t i = 0; i < in->vocabulary; i++) slope[i] *= (float)-(c + d);
  if (y == z) {
    slope[y] = (float)((c + d) * rest);
    return;
  }
  slope[y] = (float)(c * (q + rest) - d * p); /* c - (c + d) p */
  slope[z] = (float)(d * (p + rest) - c * q);
}
