/* H = -sum_i p[i] ln p[i], in nats. d H / d z[i] = -p[i] (ln p[i] + H). */
#include "scores/score.h"
#include <math.h>

static double value(const ci_score_input *in, const void *options) {
  (void)options;
  double mean = 0; /* of ln p under p: what is far from 0 in the logits does not enter */
  for (size_t i = 0; i < in->vocabulary; i++) {
    double log_p = (double)in->logits[i] - in->log_sum;
    if (log_p > -700) mean += exp(log_p) * log_p;
  }
  return -mean;
}

static void gradient(const ci_score_input *in, const void *options, float *slope) {
  double entropy = value(in, options);
  for (size_t i = 0; i < in->vocabulary; i++) {
    double log_p = (double)in->logits[i] - in->log_sum;
    slope[i] = (float)(-exp(log_p) * (log_p + entropy));
  }
}

extern const ci_score ci_score_entropy;
const ci_score ci_score_entropy = {
    .id = "entropy", .help = "Entropy of the next-token distribution, in nats.", .span_function = "sum",
    .value = value, .gradient = gradient};
