/* -ln p[y]. d / d z = p - onehot(y). Inseq's raises an error for a single sentence (differences.md). */
#include "scores/score.h"

static double value(const ci_score_input *in, const void *options) {
  (void)options;
  return in->log_sum - (double)in->logits[in->target];
}

static void gradient(const ci_score_input *in, const void *options, float *slope) {
  (void)options;
  ci_score_softmax(in, slope);
  slope[in->target] -= (float)in->kernels->sum(slope, in->vocabulary); /* the sum is 1: what remains is exact */
}

extern const ci_score ci_score_crossentropy;
const ci_score ci_score_crossentropy = {
    .id = "crossentropy", .help = "Cross-entropy of the generated token, in nats.", .span_function = "sum",
    .value = value, .gradient = gradient};
