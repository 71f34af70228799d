/* Monte Carlo dropout (Gal and Ghahramani 2016, arXiv:1506.02142): n passes of the text with the dropout of training
 * give X_1 .. X_n, X being p[y] or with logprob ln p[y]; m and s are their mean and standard deviation (n - 1). zscore:
 * (X - m) / s, which is what Inseq computes;  mean: m, what its name says;  std: s As attributed function the passes
 * are constants: d / d z = (d X / d z) / s. */
#include "scores/score.h"
#include <math.h>
#include <string.h>

typedef struct {
  int64_t n_mcd_steps;
  bool logprob;
  int64_t seed;
  const char *statistic;
} arguments;

static const ci_option options_table[] = {
    {"n_mcd_steps", NULL, CI_INT, offsetof(arguments, n_mcd_steps), "5", 1, 1e6, NULL, "Passes with dropout."},
    {"logprob", NULL, CI_BOOL, offsetof(arguments, logprob), "false", 0, 0, NULL,
     "The logarithm of the probability instead."},
    {"seed", NULL, CI_INT, offsetof(arguments, seed), "0", 0, 9e15, NULL,
     "Of what is dropped: the same numbers again for the same seed."},
    {"statistic", NULL, CI_WORD, offsetof(arguments, statistic), "\"zscore\"", 0, 0, "zscore|mean|std",
     "The probability less the mean of the passes, in their standard deviations, which is Inseq's; their mean; their "
     "standard deviation."},
    CI_OPTIONS_END};

static bool is(const arguments *arg, const char *statistic) {
  return strcmp(arg->statistic, statistic) == 0;
}

static ci_status check(const void *options, bool attributed, const char *where, ci_error *err) {
  const arguments *arg = options;
  if (attributed && !is(arg, "zscore"))
    return ci_fail(err, CI_EINVAL, where,
                   "\"statistic\" \"%s\" is a constant of the passes: dropout has no gradient rule (only \"zscore\" "
                   "can be attributed)",
                   arg->statistic);
  if (arg->n_mcd_steps < 2 && !is(arg, "mean"))
    return ci_fail(err, CI_EINVAL, where, "\"n_mcd_steps\" is 1: a standard deviation needs 2 or more");
  return CI_OK;
}

static size_t passes(const void *options, uint64_t *seed) {
  const arguments *arg = options;
  *seed = (uint64_t)arg->seed;
  return (size_t)arg->n_mcd_steps;
}

static double as_asked(const arguments *arg, double log_p) {
  return arg->logprob ? log_p : exp(log_p);
}

static double mean_of(const ci_score_passes *p, const arguments *arg) {
  double sum = 0;
  for (size_t i = 0; i < p->count; i++) sum += as_asked(arg, p->log_probabilities[i]);
  return sum / (double)p->count;
}

/* 0 where no pass differs from the first, which rounding of the mean must not hide. */
static double deviation_of(const ci_score_passes *p, const arguments *arg) {
  double mean = mean_of(p, arg), sum = 0;
  bool differ = false;
  for (size_t i = 0; i < p->count; i++) {
    double d = as_asked(arg, p->log_probabilities[i]) - mean;
    differ = differ || p->log_probabilities[i] != p->log_probabilities[0];
    sum += d * d;
  }
  return differ ? sqrt(sum / (double)(p->count - 1)) : 0;
}

/* NaN, 0 / 0, where passes do not differ. */
static double value(const ci_score_input *in, const void *options) {
  const arguments *arg = options;
  if (is(arg, "mean")) return mean_of(&in->passes, arg);
  double deviation = deviation_of(&in->passes, arg);
  if (is(arg, "std")) return deviation;
  return deviation > 0
             ? (as_asked(arg, (double)in->logits[in->target] - in->log_sum) - mean_of(&in->passes, arg)) / deviation
             : (double)NAN;
}

/* 1 - p[y] is the sum of the others: where p[y] is nearly 1, the difference itself would be rounding. */
static void gradient(const ci_score_input *in, const void *options, float *slope) {
  const arguments *arg = options;
  ci_score_softmax(in, slope);
  double p = (double)slope[in->target], others = in->kernels->sum(slope, in->vocabulary) - p;
  double deviation = deviation_of(&in->passes, arg), factor = deviation > 0 ? (arg->logprob ? 1 : p) / deviation : 0;
  for (size_t i = 0; i < in->vocabulary; i++) slope[i] *= (float)-factor;
  slope[in->target] = (float)(factor * others);
}

extern const ci_score ci_score_mc_dropout_prob_avg;
const ci_score ci_score_mc_dropout_prob_avg = {
    .id = "mc_dropout_prob_avg",
    .help = "How far the probability is from its mean over passes with dropout, in their standard deviations.",
    .options = options_table,
    .options_size = sizeof(arguments),
    .passes = passes,
    .span_function = "prod",
    .check = check,
    .value = value,
    .gradient = gradient};
