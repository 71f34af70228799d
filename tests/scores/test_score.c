/* Step functions: values against their formulas in double, gradients against central differences of those formulas;
 * every row of scores.def must be known here. */
#include "scores/score.h"
#include "support/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { VOCABULARY = 37, OPTIONS = 128 };

static double log_sum(const double *z, size_t n) {
  double top = -INFINITY, total = 0;
  for (size_t i = 0; i < n; i++) top = fmax(top, z[i]);
  for (size_t i = 0; i < n; i++) total += exp(z[i] - top);
  return top + log(total);
}

static double logit(const double *z, size_t n, size_t y) {
  return (void)n, z[y];
}
static double log_probability(const double *z, size_t n, size_t y) {
  return z[y] - log_sum(z, n);
}
static double probability(const double *z, size_t n, size_t y) {
  return exp(log_probability(z, n, y));
}
static double crossentropy(const double *z, size_t n, size_t y) {
  return -log_probability(z, n, y);
}
static double perplexity(const double *z, size_t n, size_t y) {
  return pow(2, crossentropy(z, n, y));
}
static double entropy(const double *z, size_t n, size_t y) {
  (void)y;
  double h = 0, all = log_sum(z, n);
  for (size_t i = 0; i < n; i++)
    if (exp(z[i] - all) > 0) h -= exp(z[i] - all) * (z[i] - all);
  return h;
}

/* Contrastive scores: the contrast's token is y + 2; its logits are those of the text, or (other) their own. */
static double other[VOCABULARY];
static bool is_forced;

static const double *contrast(const double *z) {
  return is_forced ? other : z;
}
static size_t contrast_token(size_t n, size_t y) {
  return (y + 2) % n;
}
static double contrast_logits(const double *z, size_t n, size_t y) {
  return contrast(z)[contrast_token(n, y)];
}
static double contrast_log_prob(const double *z, size_t n, size_t y) {
  return log_probability(contrast(z), n, contrast_token(n, y));
}
static double contrast_prob(const double *z, size_t n, size_t y) {
  return exp(contrast_log_prob(z, n, y));
}
static double contrast_logits_diff(const double *z, size_t n, size_t y) {
  return logit(z, n, y) - contrast_logits(z, n, y);
}
static double contrast_prob_diff(const double *z, size_t n, size_t y) {
  return probability(z, n, y) - contrast_prob(z, n, y);
}
static double contrast_log_prob_diff(const double *z, size_t n, size_t y) {
  return log_probability(z, n, y) - contrast_log_prob(z, n, y);
}
static double pcxmi(const double *z, size_t n, size_t y) {
  return -log2(probability(z, n, y) / contrast_prob(z, n, y));
}
static double in_context_pvi(const double *z, size_t n, size_t y) {
  return -log_probability(z, n, y) + contrast_log_prob(z, n, y);
}

/* Over the tokens with stays[i]. */
static double divergence(const double *z, size_t n, const bool *stays) {
  const double *q = contrast(z);
  double own = 0, theirs = 0, sum = 0;
  for (size_t i = 0; i < n; i++) own += stays[i] ? exp(z[i] - z[0]) : 0, theirs += stays[i] ? exp(q[i] - q[0]) : 0;
  for (size_t i = 0; i < n; i++)
    if (stays[i]) {
      double log_p = z[i] - z[0] - log(own), log_q = q[i] - q[0] - log(theirs);
      sum += exp(log_p) * (log_p - log_q);
    }
  return sum;
}
/* Transformers' filters, written down as they are there: ascending, cumulated. Which tokens stay does not depend on a
 * small step. */
static bool stays[VOCABULARY];
static double top_k_divergence(const double *z, size_t n, size_t y) {
  (void)y;
  for (size_t i = 0; i < n; i++) {
    size_t above = 0;
    for (size_t j = 0; j < n; j++) above += z[j] + contrast(z)[j] > z[i] + contrast(z)[i];
    stays[i] = above < 4;
  }
  return divergence(z, n, stays);
}
static size_t nucleus(const double *sum, size_t n, double top_p, bool *kept) {
  size_t count = 0;
  for (size_t i = 0; i < n; i++) {
    double total = log_sum(sum, n), cumulated = 0;
    bool largest = true;
    for (size_t j = 0; j < n; j++) {
      largest = largest && sum[j] <= sum[i];
      if (sum[j] <= sum[i]) cumulated += exp(sum[j] - total);
    }
    kept[i] = largest || cumulated > 1 - top_p;
    count += kept[i];
  }
  return count;
}
static double top_p_divergence(const double *z, size_t n, size_t y) {
  (void)y;
  double sum[VOCABULARY];
  for (size_t i = 0; i < n; i++) sum[i] = z[i] + contrast(z)[i];
  nucleus(sum, n, 0.8, stays);
  return divergence(z, n, stays);
}
static double kl_divergence(const double *z, size_t n, size_t y) {
  (void)y;
  for (size_t i = 0; i < n; i++) stays[i] = true;
  return divergence(z, n, stays);
}
static double top_p_size(const double *z, size_t n, size_t y) {
  (void)y;
  return (double)nucleus(z, n, 0.9, stays);
}

/* Passes with dropout, which do not depend on the logits. */
static const double passes[] = {-2.5, -1.25, -3, -2.75};
enum { PASSES = sizeof passes / sizeof *passes };

static double z_score(double x, bool log, double *mean, double *deviation) {
  *mean = *deviation = 0;
  for (size_t i = 0; i < PASSES; i++) *mean += (log ? passes[i] : exp(passes[i])) / PASSES;
  for (size_t i = 0; i < PASSES; i++) *deviation += pow((log ? passes[i] : exp(passes[i])) - *mean, 2) / (PASSES - 1);
  *deviation = sqrt(*deviation);
  return (x - *mean) / *deviation;
}
static double mc_dropout(const double *z, size_t n, size_t y) {
  double mean, deviation;
  return z_score(probability(z, n, y), false, &mean, &deviation);
}
static double mc_dropout_log(const double *z, size_t n, size_t y) {
  double mean, deviation;
  return z_score(log_probability(z, n, y), true, &mean, &deviation);
}

static const struct {
  const char *id;
  const char *options; /* JSON */
  double (*formula)(const double *z, size_t n, size_t y);
} cases[] = {
    {"logit", "{}", logit},
    {"probability", "{}", probability},
    {"probability", "{\"logprob\": false}", probability},
    {"probability", "{\"logprob\": true}", log_probability},
    {"entropy", "{}", entropy},
    {"crossentropy", "{}", crossentropy},
    {"perplexity", "{}", perplexity},
    {"contrast_logits", "{}", contrast_logits},
    {"contrast_prob", "{}", contrast_prob},
    {"contrast_prob", "{\"logprob\": true}", contrast_log_prob},
    {"contrast_logits_diff", "{}", contrast_logits_diff},
    {"contrast_prob_diff", "{}", contrast_prob_diff},
    {"contrast_prob_diff", "{\"logprob\": true}", contrast_log_prob_diff},
    {"pcxmi", "{}", pcxmi},
    {"in_context_pvi", "{}", in_context_pvi},
    {"kl_divergence", "{\"contrast_force_inputs\": true}", kl_divergence},
    {"kl_divergence", "{\"contrast_force_inputs\": true, \"top_k\": 4}", top_k_divergence},
    {"kl_divergence", "{\"contrast_force_inputs\": true, \"top_p\": 0.8}", top_p_divergence},
    {"mc_dropout_prob_avg", "{\"n_mcd_steps\": 4}", mc_dropout},
    {"mc_dropout_prob_avg", "{\"n_mcd_steps\": 4, \"logprob\": true}", mc_dropout_log},
    {"top_p_size", "{\"top_p\": 0.9}", top_p_size},
};
enum { CASES = sizeof cases / sizeof *cases };

/* The logits of one step: flat, one large, spread, far from zero. */
static void fill(int kind, uint64_t *random, float *z, size_t n, size_t *target) {
  random_floats(random, z, n, kind == 0 ? 0.1f : 3);
  *target = 5 % n;
  if (kind == 1) z[*target] += 20;
  if (kind == 2) z[(*target + 3) % n] += 12;
  for (size_t i = 0; i < n && kind == 3; i++) z[i] -= 500;
}

static void check_case(size_t number, size_t vocabulary, int kind) {
  ci_error err = {0};
  const ci_score *score;
  assert_int_equal(ci_score_named(cases[number].id, "--step_scores", &score, &err), CI_OK);
  assert_true(score->options_size <= OPTIONS);
  char options[OPTIONS];
  json_t *object = json_loads(cases[number].options, 0, NULL), *keep = json_array();
  assert_int_equal(ci_options_parse(score->options, "step", object, options, keep, NULL, &err), CI_OK);
  uint64_t random = 1 + (uint64_t)kind;
  float z[VOCABULARY], slope[VOCABULARY], scratch[VOCABULARY];
  double exact[VOCABULARY];
  size_t target;
  float theirs[VOCABULARY];
  fill(kind, &random, z, vocabulary, &target);
  random_floats(&random, theirs, vocabulary, 2);
  for (size_t i = 0; i < vocabulary; i++) other[i] = (double)theirs[i];
  for (size_t i = 0; i < vocabulary; i++) exact[i] = (double)z[i];
  ci_score_input in = {.logits = z, .vocabulary = vocabulary, .target = (int32_t)target, .kernels = ci_kernels_best()};
  ci_score_prepare(&in, scratch);
  if (score->passes) in.passes = (ci_score_passes){passes, PASSES};
  if (score->contrastive)
    in.contrast = (ci_score_contrast){is_forced ? theirs : z, (int32_t)contrast_token(vocabulary, target),
                                      is_forced ? log_sum(other, vocabulary) : in.log_sum};
  if (score->check && score->check(options, score->gradient != NULL, "step", &err))
    fail_msg("%s: %s", score->id, err.message);
  double expected = cases[number].formula(exact, vocabulary, target), found = score->value(&in, options);
  if (!(fabs(found - expected) <= 1e-6 * fabs(expected) + (score->contrastive ? 1e-6 : 1e-13)))
    fail_msg("%s %s, logits %d: %.9g, expected %.9g", score->id, cases[number].options, kind, found, expected);
  json_decref(object);
  json_decref(keep);
  if (score->integers) return; /* a count has no slope */
  assert_non_null(score->gradient);
  for (size_t i = 0; i < vocabulary; i++) slope[i] = NAN;
  in.scratch = slope;
  score->gradient(&in, options, slope);
  double size = 0, differences[VOCABULARY];
  for (size_t i = 0; i < vocabulary; i++) {
    const double h = 1e-4, old = exact[i];
    exact[i] = old + h;
    double above = cases[number].formula(exact, vocabulary, target);
    exact[i] = old - h;
    differences[i] = (above - cases[number].formula(exact, vocabulary, target)) / (2 * h);
    exact[i] = old;
    size = fmax(size, fabs(differences[i]));
  }
  for (size_t i = 0; i < vocabulary; i++)
    if (!(fabs((double)slope[i] - differences[i]) <= 2e-5 * size + 1e-7))
      fail_msg("%s %s, logits %d: slope %zu is %.9g, differences say %.9g", score->id, cases[number].options, kind, i,
               (double)slope[i], differences[i]);
}

static void values_and_slopes(void **state) {
  (void)state;
  for (size_t number = 0; number < 2 * CASES; number++)
    for (int kind = 0; kind < 4; kind++) {
      is_forced = number >= CASES;
      check_case(number % CASES, VOCABULARY, kind);
      check_case(number % CASES, 1, kind);
      check_case(number % CASES, 16, kind);
    }
}

static void every_score_is_covered(void **state) {
  (void)state;
  size_t rows = 0;
  for (const ci_score *score; (score = ci_score_at(rows)) != NULL; rows++) {
    bool covered = false;
    for (size_t i = 0; i < CASES; i++) covered = covered || strcmp(cases[i].id, score->id) == 0;
    if (!covered) fail_msg("score %s: no formula here", score->id);
    assert_non_null(score->help);
    assert_true(!score->options == !score->options_size);
  }
  assert_true(rows >= 5);
}

/* Options that are in range, each by itself, and make no sense together. */
static void senseless_options_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *id, *options, *message;
    bool attributed;
  } wrong[] = {{"top_p_size", "{}", "top_p", false},
               {"kl_divergence", "{}", "contrast_force_inputs", true},
               {"mc_dropout_prob_avg", "{\"statistic\": \"mean\"}", "no gradient rule", true},
               {"mc_dropout_prob_avg", "{\"n_mcd_steps\": 1}", "needs 2 or more", false}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    ci_error err = {0};
    const ci_score *score;
    char options[OPTIONS];
    assert_int_equal(ci_score_named(wrong[i].id, "step", &score, &err), CI_OK);
    json_t *object = json_loads(wrong[i].options, 0, NULL), *keep = json_array();
    assert_int_equal(ci_options_parse(score->options, "step", object, options, keep, NULL, &err), CI_OK);
    assert_int_equal(score->check(options, wrong[i].attributed, "step", &err), CI_EINVAL);
    assert_non_null(strstr(err.message, wrong[i].message));
    json_decref(object);
    json_decref(keep);
  }
}

/* The statistics of passes, and 0 / 0 where they do not differ, however their mean is rounded. */
static void passes_have_statistics(void **state) {
  (void)state;
  static const double same[] = {-1.1, -1.1, -1.1};
  static const char *const statistics[] = {"mean", "std", "zscore"};
  ci_error err = {0};
  const ci_score *score;
  assert_int_equal(ci_score_named("mc_dropout_prob_avg", "step", &score, &err), CI_OK);
  for (size_t i = 0; i < 3; i++) {
    char options[OPTIONS];
    float z[3] = {0, 1, 2}, scratch[3];
    double mean, deviation;
    json_t *object = json_pack("{s:s}", "statistic", statistics[i]), *keep = json_array();
    assert_int_equal(ci_options_parse(score->options, "step", object, options, keep, NULL, &err), CI_OK);
    ci_score_input in = {.logits = z, .vocabulary = 3, .target = 1, .kernels = ci_kernels_best(), .passes = {passes, PASSES}};
    ci_score_prepare(&in, scratch);
    z_score(0, false, &mean, &deviation);
    if (i < 2) assert_true(fabs(score->value(&in, options) - (i ? deviation : mean)) < 1e-12);
    in.passes = (ci_score_passes){same, 3};
    double value = score->value(&in, options);
    if (i == 0) assert_true(fabs(value - exp(-1.1)) < 1e-12);
    if (i == 1) assert_true(value == 0);
    if (i == 2) assert_true(isnan(value));
    json_decref(object);
    json_decref(keep);
  }
}

static void softmax_sums_to_one(void **state) {
  (void)state;
  float z[VOCABULARY], p[VOCABULARY], scratch[VOCABULARY];
  uint64_t random = 4;
  random_floats(&random, z, VOCABULARY, 8);
  ci_score_input in = {.logits = z, .vocabulary = VOCABULARY, .kernels = ci_kernels_best()};
  ci_score_prepare(&in, scratch);
  ci_score_softmax(&in, p);
  double sum = 0, exact[VOCABULARY];
  for (size_t i = 0; i < VOCABULARY; i++) exact[i] = (double)z[i];
  for (size_t i = 0; i < VOCABULARY; i++) {
    sum += (double)p[i];
    assert_float_equal(p[i], probability(exact, VOCABULARY, i), 1e-6);
  }
  assert_float_equal(sum, 1, 1e-5);
  assert_float_equal(in.log_sum, log_sum(exact, VOCABULARY), 1e-5);
}

static void names(void **state) {
  (void)state;
  ci_error err = {0};
  const ci_score *score;
  assert_int_equal(ci_score_named("probabilty", "--attributed_fn", &score, &err), CI_EINVAL);
  assert_string_equal(err.where, "--attributed_fn");
  assert_non_null(strstr(err.message, "did you mean \"probability\""));
  assert_int_equal(ci_score_named("zzz", "--attributed_fn", &score, &err), CI_EINVAL);
  assert_null(strstr(err.message, "did you mean"));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(values_and_slopes), cmocka_unit_test(every_score_is_covered),
                                     cmocka_unit_test(softmax_sums_to_one), cmocka_unit_test(passes_have_statistics), cmocka_unit_test(names),
                                     cmocka_unit_test(senseless_options_are_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
