/* p[y] = softmax(z)[y]; with logprob its logarithm. d p[y] / d z = p[y] (onehot(y) - p); d log p[y] / d z = onehot(y) - p. */
#include "scores/score.h"
#include <math.h>

typedef struct {
  bool logprob;
} arguments;

static const ci_option options_table[] = {
    {"logprob", NULL, CI_BOOL, offsetof(arguments, logprob), "false", 0, 0, NULL, "The logarithm of the probability instead."},
    CI_OPTIONS_END};

static double value(const ci_score_input *in, const void *options) {
  double log_p = (double)in->logits[in->target] - in->log_sum;
  return ((const arguments *)options)->logprob ? log_p : exp(log_p);
}

/* 1 - p[y] is the sum of the others: where p[y] is nearly 1, the difference itself would be rounding. */
static void gradient(const ci_score_input *in, const void *options, float *slope) {
  ci_score_softmax(in, slope);
  double p = (double)slope[in->target], others = in->kernels->sum(slope, in->vocabulary) - p;
  float factor = ((const arguments *)options)->logprob ? 1 : (float)p;
  for (size_t i = 0; i < in->vocabulary; i++) slope[i] *= -factor;
  slope[in->target] = factor * (float)others;
}

extern const ci_score ci_score_probability;
const ci_score ci_score_probability = {.id = "probability",
                                       .help = "Probability of the generated token.",
                                       .options = options_table,
                                       .options_size = sizeof(arguments),
                                       .span_function = "prod",
    .value = value,
                                       .gradient = gradient};
