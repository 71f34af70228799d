/* 2 ^ (-ln p[y]): Inseq's definition, base 2 on nats (spec section 3), kept so that numbers compare with the literature that
 * used it. d / d z = ln 2 * value * (p - onehot(y)). */
#include "scores/score.h"
#include <math.h>

static double value(const ci_score_input *in, const void *options) {
  (void)options;
  return exp2(in->log_sum - (double)in->logits[in->target]);
}

static void gradient(const ci_score_input *in, const void *options, float *slope) {
  float factor = (float)(0.69314718055994531 * value(in, options));
  ci_score_softmax(in, slope);
  slope[in->target] -= (float)in->kernels->sum(slope, in->vocabulary);
  for (size_t i = 0; i < in->vocabulary; i++) slope[i] *= factor;
}

extern const ci_score ci_score_perplexity;
const ci_score ci_score_perplexity = {.id = "perplexity",
                                      .help = "Perplexity of the generated token: 2 to the power of the cross-entropy.",
                                      .span_function = "prod",
    .value = value,
                                      .gradient = gradient};
