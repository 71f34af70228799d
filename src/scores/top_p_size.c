/* How many tokens the nucleus of probability top_p has. A count has no slope. */
#include "scores/nucleus.h"
#include "scores/score.h"
#include <string.h>

typedef struct {
  double top_p;
} arguments;

static const ci_option options_table[] = {
    {"top_p", NULL, CI_REAL, offsetof(arguments, top_p), "null", 1e-9, 1, NULL, "Probability of the nucleus."},
    CI_OPTIONS_END};

static ci_status check(const void *options, bool attributed, const char *where, ci_error *err) {
  (void)attributed;
  if (((const arguments *)options)->top_p > 0) return CI_OK;
  return ci_fail(err, CI_EINVAL, where, "top_p_size needs \"top_p\", the probability of the nucleus, such as 0.9");
}

static double value(const ci_score_input *in, const void *options) {
  memcpy(in->scratch, in->logits, in->vocabulary * sizeof(float));
  return (double)ci_nucleus(in->scratch, in->vocabulary, ((const arguments *)options)->top_p, 0, 1);
}

extern const ci_score ci_score_top_p_size;
const ci_score ci_score_top_p_size = {.id = "top_p_size",
                                      .help =
                                          "Number of the likeliest tokens that together have the probability top_p.",
                                      .options = options_table,
                                      .options_size = sizeof(arguments),
                                      .integers = true,
                                      .check = check,
                                      .value = value};
