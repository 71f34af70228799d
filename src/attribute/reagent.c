/* ReAGent (Zhao & Shan 2024). A probe holds a score for each token, at first random. A step replaces tokens at random,
 * sees how the probability of the target falls, p - p', and moves the scores of the replaced tokens by logit((1 + p -
 * p') / 2), those of the others by its negative. A probe stops when the target is among the top_k predictions although
 * all but its keep_top_n best tokens are replaced. The result is the mean over all probes of softmax(scores).
 *
 * Targets share the probes: what is replaced in a step, and by what, holds for the whole text, so one branch tells the
 * fall of every target's probability. What a probe keeps is each target's own; these texts are branches that begin
 * where they part from the one before. Tokens come from replacements.h instead of a part-of-speech tagger; special
 * tokens stay. */
#include "attribute/attribution.h"
#include "attribute/replacements.h"
#include "base/random.h"
#include <math.h>
#include <string.h>

typedef struct {
  int64_t keep_top_n, stopping_condition_top_k, max_probe_steps, num_probes, replacement_window, seed;
  double keep_ratio, replacing_ratio;
  bool invert_keep;
} arguments;

static const ci_option options_table[] = {
    {"keep_top_n", NULL, CI_INT, offsetof(arguments, keep_top_n), "5", 0, 1e6, NULL,
     "Tokens that the test for stopping keeps; 0: keep_ratio says."},
    {"keep_ratio", NULL, CI_REAL, offsetof(arguments, keep_ratio), "null", 1e-6, 1, NULL,
     "The share of tokens that it keeps, when keep_top_n is 0."},
    {"invert_keep", NULL, CI_BOOL, offsetof(arguments, invert_keep), "false", 0, 0, NULL,
     "Replace the best tokens in the test, and keep the others."},
    {"stopping_condition_top_k", NULL, CI_INT, offsetof(arguments, stopping_condition_top_k), "3", 1, 1e6, NULL,
     "A probe stops when the target is among so many most probable tokens."},
    {"replacing_ratio", NULL, CI_REAL, offsetof(arguments, replacing_ratio), "0.3", 1e-6, 1, NULL,
     "How probably a step replaces a token."},
    {"max_probe_steps", NULL, CI_INT, offsetof(arguments, max_probe_steps), "3000", 1, 1e6, NULL,
     "Steps after which probes stop anyway."},
    {"num_probes", NULL, CI_INT, offsetof(arguments, num_probes), "16", 1, 1e5, NULL,
     "Probes, whose mean is the result."},
    {"replacement_window", NULL, CI_INT, offsetof(arguments, replacement_window), "500", 0, 1e7, NULL,
     "How many tokens of the same kind and of like rank may replace a token; 0: all of its kind."},
    {"seed", NULL, CI_INT, offsetof(arguments, seed), "0", 0, 9007199254740991, NULL,
     "Start of the random numbers: the same seed, the same scores."},
    CI_OPTIONS_END};

typedef struct {
  ci_attribution *a;
  const arguments *arg;
  ci_replacements *replacements;
  size_t probes, targets;
  size_t rows[CI_SPACES];   /* of both sides; 0: the side is not attributed */
  size_t features;          /* rows of both, the source's first */
  float *scores;            /* [probes, targets, features] */
  bool *stopped;            /* [probes, targets] */
  unsigned char *replaced;  /* [probes, features] by the step */
  unsigned char *tested;    /* [targets, features] by a probe's tests */
  int32_t *ids;             /* [features] drawn */
  float *values[CI_SPACES]; /* [probes, rows, width] of what was drawn */
  ci_variant *variants;     /* [probes] or [targets] */
  double *answers;          /* [probes, targets] */
  double *tests;            /* [targets, targets] */
  double *clean;            /* [targets] */
} reagent;

/* What is drawn in a step, each by streams of its own. */
enum { START, MASK, REPLACEMENT, TEST, PURPOSES };

static double draw(const reagent *r, size_t step, size_t probe, int purpose, size_t feature) {
  bool source = feature < r->rows[CI_ENCODER];
  uint64_t position = source ? ((uint64_t)1 << 32) + feature : feature - r->rows[CI_ENCODER];
  return ci_random_uniform((uint64_t)r->arg->seed, (step * r->probes + probe) * PURPOSES + (uint64_t)purpose, position);
}

static int32_t id_of(const reagent *r, size_t feature) {
  size_t source = r->rows[CI_ENCODER];
  return feature < source ? r->a->source.items[feature] : r->a->target.items[feature - source];
}

static const unsigned char *side_of(const reagent *r, const unsigned char *features, ci_space_id space) {
  return !r->rows[space] ? NULL : features + (space == CI_ENCODER ? 0 : r->rows[CI_ENCODER]);
}

/* The tokens that a target sees are the first of the features. */
static size_t seen_by(const reagent *r, size_t target) {
  return r->rows[CI_ENCODER] + (r->rows[CI_DECODER] ? r->a->start + target : 0);
}

static bool has_active(const reagent *r, size_t probe) {
  return memchr(r->stopped + probe * r->targets, 0, r->targets) != NULL;
}

static double probability(const float *logits, size_t vocabulary, int32_t target) {
  float most = logits[0];
  for (size_t i = 1; i < vocabulary; i++)
    if (logits[i] > most) most = logits[i];
  double sum = 0;
  for (size_t i = 0; i < vocabulary; i++) sum += exp((double)logits[i] - (double)most);
  return exp((double)logits[target] - (double)most) / sum;
}

static double probability_of(void *context, const float *logits, size_t target, float *scratch) {
  const reagent *r = context;
  (void)scratch;
  return probability(logits, r->a->job->model->vocabulary, r->a->target.items[r->a->start + target]);
}

/* 1 when the target is among the top_k, 0 when it is not. */
static double is_on_top(void *context, const float *logits, size_t target, float *scratch) {
  const reagent *r = context;
  (void)scratch;
  int64_t better = 0;
  float own = logits[r->a->target.items[r->a->start + target]];
  for (size_t i = 0; i < r->a->job->model->vocabulary; i++) better += logits[i] > own;
  return isfinite(own) ? better < r->arg->stopping_condition_top_k : NAN;
}

/* Draws a replacement of every token for a probe; changes[features]: whether there is one. */
static ci_status draw_tokens(reagent *r, size_t step, size_t probe, int purpose, unsigned char *changes,
                             ci_error *err) {
  ci_status status = CI_OK;
  for (size_t f = 0; f < r->features; f++) {
    r->ids[f] = ci_replacements_draw(r->replacements, id_of(r, f), draw(r, step, probe, purpose, f));
    changes[f] = r->ids[f] != id_of(r, f);
  }
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++) {
    size_t rows = r->rows[space], width = ci_attribution_width(r->a, space);
    const int32_t *ids = r->ids + (space == CI_ENCODER ? 0 : r->rows[CI_ENCODER]);
    if (rows)
      status = ci_run_input_values(r->a->subject.run, space, ids, rows, r->values[space] + probe * rows * width, err);
  }
  return status;
}

/* The variant that takes a probe's drawn tokens where `chosen` says so. */
static ci_variant variant_of(const reagent *r, size_t probe, const unsigned char *chosen, size_t first, size_t count) {
  ci_variant v = {.first_target = first, .target_count = count};
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++) {
    if (!r->rows[space]) continue;
    v.chosen[space] = side_of(r, chosen, space);
    v.values[space] = r->values[space] + probe * r->rows[space] * ci_attribution_width(r->a, space);
  }
  return v;
}

static ci_status ask(reagent *r, size_t count, double (*value)(void *, const float *, size_t, float *), double *answers,
                     ci_error *err) {
  ci_subject *s = &r->a->subject;
  ci_objective objective = {.context = r, .value = value};
  int (*progress)(void *, size_t, size_t) = s->progress;
  s->progress = NULL; /* a step's parts are not the whole's */
  ci_status status = ci_subject_vary(s, r->variants, count, &objective, answers, err);
  s->progress = progress;
  return status;
}

/* Moves the scores of a probe for one target by the fall of its probability. */
static void move(reagent *r, size_t probe, size_t target, double fall) {
  const double least = 1e-7; /* a fall of the whole probability has no logit */
  double share = fmin(fmax(0.5 + fall / 2, least), 1 - least), step = log(share / (1 - share));
  float *scores = r->scores + (probe * r->targets + target) * r->features;
  const unsigned char *replaced = r->replaced + probe * r->features;
  for (size_t f = 0; f < seen_by(r, target); f++) scores[f] += (float)(replaced[f] ? step : -step);
}

/* One step of all probes that are not done. */
static ci_status step_scores(reagent *r, size_t step, ci_error *err) {
  ci_status status = CI_OK;
  size_t count = 0, *probes = ci_alloc(r->probes, sizeof *probes);
  if (!probes) return ci_fail_memory(err);
  for (size_t p = 0; p < r->probes && !status; p++) {
    if (!has_active(r, p)) continue;
    unsigned char *replaced = r->replaced + p * r->features;
    status = draw_tokens(r, step, p, REPLACEMENT, replaced, err);
    for (size_t f = 0; f < r->features; f++)
      replaced[f] = replaced[f] && draw(r, step, p, MASK, f) < r->arg->replacing_ratio;
    r->variants[count] = variant_of(r, p, replaced, 0, r->targets);
    probes[count++] = p;
  }
  if (!status) status = ask(r, count, probability_of, r->answers, err);
  for (size_t i = 0; i < count && !status; i++)
    for (size_t t = 0; t < r->targets && !status; t++) {
      double p = r->answers[i * r->targets + t];
      bool same = !memchr(r->replaced + probes[i] * r->features, 1, seen_by(r, t));
      if (!same && !isfinite(p))
        status = ci_fail(err, CI_EMODEL, r->a->job->model->path,
                         "the probability of token %zu is not finite in step %zu of probe %zu", r->a->start + t, step,
                         probes[i] + 1);
      else if (!r->stopped[probes[i] * r->targets + t])
        move(r, probes[i], t, same ? 0 : r->clean[t] - p);
    }
  ci_free(probes);
  return status;
}

/* tested[seen]: what the test replaces, all but the best tokens (or those), ties to the first. changes: tokens with a
 * replacement. */
static void choose_tested(const reagent *r, const float *scores, size_t seen, const unsigned char *changes,
                          unsigned char *tested) {
  size_t keep = r->arg->keep_top_n ? (size_t)r->arg->keep_top_n : (size_t)ceil(r->arg->keep_ratio * (double)seen);
  if (keep > seen) keep = seen;
  memset(tested, !r->arg->invert_keep, seen);
  memset(tested + seen, 0, r->features - seen);
  for (size_t n = 0; n < keep; n++) {
    size_t best = seen;
    for (size_t f = 0; f < seen; f++)
      if (tested[f] == !r->arg->invert_keep && (best == seen || scores[f] > scores[best])) best = f;
    tested[best] = r->arg->invert_keep;
  }
  for (size_t f = 0; f < seen; f++) tested[f] = tested[f] && changes[f];
}

/* Which of a probe's targets stop. */
static ci_status test_probe(reagent *r, size_t step, size_t probe, ci_error *err) {
  unsigned char *changes = r->replaced + probe * r->features;
  bool *stopped = r->stopped + probe * r->targets;
  size_t count = 0;
  ci_status status = draw_tokens(r, step, probe, TEST, changes, err);
  for (size_t t = 0; t < r->targets && !status; t++) {
    unsigned char *tested = r->tested + count * r->features;
    if (stopped[t]) continue;
    choose_tested(r, r->scores + (probe * r->targets + t) * r->features, seen_by(r, t), changes, tested);
    r->variants[count++] = variant_of(r, probe, tested, t, 1);
  }
  if (!status) status = ask(r, count, is_on_top, r->tests, err);
  for (size_t i = 0, t = 0; i < count && !status; i++, t++) {
    while (stopped[t]) t++;
    double hit = r->tests[i * r->targets + t];
    bool same = !memchr(r->tested + i * r->features, 1, seen_by(r, t));
    const float *logits = ci_run_logits(r->a->subject.run, r->a->subject.output_rows[t]);
    if (same) hit = is_on_top(r, logits, t, NULL);
    if (isnan(hit))
      status =
          ci_fail(err, CI_EMODEL, r->a->job->model->path,
                  "the logits of token %zu are not finite in step %zu of probe %zu", r->a->start + t, step, probe + 1);
    stopped[t] = hit > 0;
  }
  return status;
}

static ci_status run(reagent *r, ci_error *err) {
  ci_subject *s = &r->a->subject;
  ci_status status = CI_OK;
  size_t active = 1, most = (size_t)r->arg->max_probe_steps;
  for (size_t p = 0; p < r->probes; p++)
    for (size_t t = 0; t < r->targets; t++)
      for (size_t f = 0; f < r->features; f++)
        r->scores[(p * r->targets + t) * r->features + f] = (float)draw(r, 0, p, START, f);
  for (size_t t = 0; t < r->targets; t++)
    r->clean[t] = probability_of(r, ci_run_logits(s->run, s->output_rows[t]), t, NULL);
  for (size_t step = 1; step <= most && active && !status; step++) {
    status = step_scores(r, step, err);
    for (size_t p = 0; p < r->probes && !status; p++)
      if (has_active(r, p)) status = test_probe(r, step, p, err);
    active = 0;
    for (size_t i = 0; i < r->probes * r->targets; i++) active += !r->stopped[i];
    size_t pairs = r->probes * r->targets;
    if (s->progress && s->progress(s->progress_context, pairs - active, pairs))
      atomic_store(&s->compute->cancelled, true);
    if (!status) status = ci_compute_check(s->compute, err);
  }
  return status;
}

/* mean[features]: the mean over the probes of softmax(scores), for one target. */
static void finish(const reagent *r, size_t target, double *mean) {
  size_t seen = seen_by(r, target);
  memset(mean, 0, r->features * sizeof *mean);
  for (size_t p = 0; p < r->probes; p++) {
    const float *scores = r->scores + (p * r->targets + target) * r->features;
    float most = scores[0];
    double sum = 0;
    for (size_t f = 1; f < seen; f++)
      if (scores[f] > most) most = scores[f];
    for (size_t f = 0; f < seen; f++) sum += exp((double)scores[f] - (double)most);
    for (size_t f = 0; f < seen; f++) mean[f] += exp((double)scores[f] - (double)most) / sum / (double)r->probes;
  }
}

/* A token's score stands at each dimension of its embedding, as in Inseq. */
static ci_status store(const reagent *r, ci_space_id space, double *mean, ci_error *err) {
  ci_attribution *a = r->a;
  size_t width = ci_attribution_width(a, space), at = space == CI_ENCODER ? 0 : r->rows[CI_ENCODER];
  ci_array *array;
  ci_status status = ci_attribution_array(a, space, 3, width, 1, &array, err);
  for (size_t t = 0; t < r->targets && !status; t++) {
    size_t seen = space == CI_ENCODER ? r->rows[space] : a->start + t;
    finish(r, t, mean);
    for (size_t k = 0; k < seen; k++)
      for (size_t i = 0; i < width; i++) array->data[(k * r->targets + t) * width + i] = (float)mean[at + k];
  }
  return status;
}

static ci_status open(reagent *r, ci_error *err) {
  size_t pairs, cells, most = r->probes > r->targets ? r->probes : r->targets;
  if (__builtin_mul_overflow(r->probes, r->targets, &pairs) || __builtin_mul_overflow(pairs, r->features, &cells))
    return ci_fail_memory(err);
  r->scores = ci_alloc(cells, sizeof *r->scores);
  r->stopped = ci_alloc_zeroed(pairs, sizeof *r->stopped);
  r->replaced = ci_alloc_zeroed(r->probes * r->features, 1);
  r->tested = ci_alloc_zeroed(r->targets * r->features, 1);
  r->ids = ci_alloc(r->features, sizeof *r->ids);
  r->variants = ci_alloc_zeroed(most, sizeof *r->variants);
  r->answers = ci_alloc(pairs, sizeof *r->answers);
  r->tests = ci_alloc(r->targets * r->targets, sizeof *r->tests);
  r->clean = ci_alloc(r->targets + r->features, sizeof *r->clean); /* and room for the means */
  bool there = r->scores && r->stopped && r->replaced && r->tested && r->ids && r->variants && r->answers && r->tests &&
               r->clean;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++) {
    if (!r->rows[space]) continue;
    size_t row = r->rows[space] * ci_attribution_width(r->a, space);
    r->values[space] = __builtin_mul_overflow(r->probes, row, &cells) ? NULL : ci_alloc(cells, sizeof(float));
    there = there && r->values[space];
  }
  return there ? ci_replacements_open(r->a->job->model, (size_t)r->arg->replacement_window, &r->replacements, err)
               : ci_fail_memory(err);
}

static void close_all(reagent *r) {
  void *const owned[] = {r->scores,
                         r->stopped,
                         r->replaced,
                         r->tested,
                         r->ids,
                         r->variants,
                         r->answers,
                         r->tests,
                         r->clean,
                         r->values[CI_ENCODER],
                         r->values[CI_DECODER]};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) ci_free(owned[i]);
  ci_replacements_close(r->replacements);
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  reagent r = {.a = a,
               .arg = options,
               .probes = (size_t)((const arguments *)options)->num_probes,
               .targets = a->subject.target_count};
  if (!r.arg->keep_top_n && r.arg->keep_ratio <= 0)
    return ci_fail(err, CI_EINVAL, "keep_ratio", "is needed when keep_top_n is 0: a number above 0, up to 1");
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++)
    r.features += r.rows[space] = a->wants[space] ? ci_subject_rows(&a->subject, space) : 0;
  ci_status status = open(&r, err);
  if (!status) status = run(&r, err);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++)
    if (r.rows[space]) status = store(&r, space, r.clean + r.targets, err);
  close_all(&r);
  return status;
}

extern const ci_method ci_method_reagent;
const ci_method ci_method_reagent = {
    .id = "reagent",
    .help = "Fall of the probability when tokens are replaced at random, by probes that stop when few tokens suffice.",
    .paper = "Zhao & Shan 2024, arXiv:2402.00794",
    .options = options_table,
    .options_size = sizeof(arguments),
    .kind = CI_GRANULAR,
    .goes_by = "the probability of the generated token",
    .keep = CI_KEEP_KEYS,
    .forward_only = true,
    .conserves = true,
    .attribute = attribute};
