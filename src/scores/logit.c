/* z[y]: the logit of the generated token. */
#include "scores/score.h"
#include <string.h>

static double value(const ci_score_input *in, const void *options) {
  (void)options;
  return (double)in->logits[in->target];
}

static void gradient(const ci_score_input *in, const void *options, float *slope) {
  (void)options;
  memset(slope, 0, in->vocabulary * sizeof(float));
  slope[in->target] = 1;
}

extern const ci_score ci_score_logit;
const ci_score ci_score_logit = {
    .id = "logit", .help = "Logit of the generated token.", .value = value, .gradient = gradient};
