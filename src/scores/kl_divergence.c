/* KL(P || Q) = sum_i p[i] (ln p[i] - ln q[i]), P of the text and Q of the contrast, both over the tokens that top_p and
 * then top_k leave of the sum of their logits (Inseq's "merged" filter; with it Inseq's result is NaN). d / d z[i] =
 * p[i] (ln p[i] - ln q[i] - KL). */
#include "scores/contrast.h"
#include "scores/nucleus.h"
#include <math.h>

typedef struct {
  ci_contrast_options contrast;
  int64_t top_k, min_tokens_to_keep;
  double top_p;
} arguments;

static const ci_option options_table[] = {CI_CONTRAST_OPTIONS,
                                          {"top_k", NULL, CI_INT, offsetof(arguments, top_k), "0", 0, 1e9, NULL,
                                           "Compare over this many likeliest tokens; 0: over all."},
                                          {"top_p", NULL, CI_REAL, offsetof(arguments, top_p), "1", 0, 1, NULL,
                                           "Compare over the tokens that hold this probability."},
                                          {"min_tokens_to_keep", NULL, CI_INT, offsetof(arguments, min_tokens_to_keep),
                                           "1", 1, 1e9, NULL, "Tokens that top_p and top_k leave at least."},
                                          CI_OPTIONS_END};

static ci_status check(const void *options, bool attributed, const char *where, ci_error *err) {
  if (!attributed || ((const arguments *)options)->contrast.force_inputs) return CI_OK;
  return ci_fail(
      err, CI_EINVAL, where,
      "kl_divergence compares two texts' distributions: to attribute it needs \"contrast_force_inputs\": true");
}

/* What is common to value and slope: the tokens that stay, and the logarithms of both sums over them. */
typedef struct {
  double least; /* of z + z' */
  double own, other;
} kept;

static kept choose(const ci_score_input *in, const arguments *arg) {
  const float *z = in->logits, *other = in->contrast.logits;
  kept k = {-INFINITY, in->log_sum, in->contrast.log_sum};
  size_t n = in->vocabulary, least = (size_t)arg->min_tokens_to_keep < n ? (size_t)arg->min_tokens_to_keep : n;
  if (arg->top_p >= 1 && !arg->top_k) return k;
  for (size_t i = 0; i < n; i++) in->scratch[i] = z[i] + other[i];
  k.least = (double)in->scratch[ci_nucleus(in->scratch, n, arg->top_p, (size_t)arg->top_k, least) - 1];
  double own = 0, contrast = 0;
  for (size_t i = 0; i < n; i++)
    if ((double)(z[i] + other[i]) >= k.least) {
      own += exp((double)z[i] - in->log_sum);
      contrast += exp((double)other[i] - in->contrast.log_sum);
    }
  k.own += log(own);
  k.other += log(contrast);
  return k;
}

static double divergence(const ci_score_input *in, const kept *k) {
  double sum = 0;
  for (size_t i = 0; i < in->vocabulary; i++) {
    double z = (double)in->logits[i], other = (double)in->contrast.logits[i], log_p = z - k->own;
    if ((double)(in->logits[i] + in->contrast.logits[i]) >= k->least && log_p > -700)
      sum += exp(log_p) * (log_p - (other - k->other));
  }
  return sum;
}

static double value(const ci_score_input *in, const void *options) {
  kept k = choose(in, options);
  return divergence(in, &k);
}

static void gradient(const ci_score_input *in, const void *options, float *slope) {
  kept k = choose(in, options);
  double whole = divergence(in, &k);
  for (size_t i = 0; i < in->vocabulary; i++) {
    double log_p = (double)in->logits[i] - k.own, log_q = (double)in->contrast.logits[i] - k.other;
    bool stays = (double)(in->logits[i] + in->contrast.logits[i]) >= k.least && log_p > -700;
    slope[i] = stays ? (float)(exp(log_p) * (log_p - log_q - whole)) : 0;
  }
}

extern const ci_score ci_score_kl_divergence;
const ci_score ci_score_kl_divergence = {
    .id = "kl_divergence",
    .help = "Kullback-Leibler divergence of the contrast's next-token distribution from the text's, in nats.",
    .options = options_table,
    .options_size = sizeof(arguments),
    .contrastive = true,
    .check = check,
    .span_function = "sum",
    .value = value,
    .gradient = gradient};
