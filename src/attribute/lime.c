/* LIME (Ribeiro et al. 2016) on tokens: n_samples texts in which each token is masked with probability mask_prob, the
 * attributed function at each, and a ridge regression of it on which tokens were kept, whose coefficients are the
 * scores. A sample weighs as many values as its embeddings share with the text's (kept tokens x embedding size), as in
 * Inseq. A masked token's embedding is that of unk (or pad); special tokens are never masked. One draw serves all
 * steps: a step sees the beginning of each sample, so every column has the distribution it has in Inseq, but the
 * columns of one run are correlated. */
#include "attribute/attribution.h"
#include "attribute/ridge.h"
#include "base/random.h"
#include <math.h>
#include <string.h>

typedef struct {
  int64_t n_samples, perturbations_per_eval, seed;
  double mask_prob, alpha;
  const char *mask_token;
} arguments;

static const ci_option options_table[] = {
    {"n_samples", NULL, CI_INT, offsetof(arguments, n_samples), "50", 1, 1e6, NULL, "Masked texts."},
    {"mask_prob", NULL, CI_REAL, offsetof(arguments, mask_prob), "0.3", 1e-6, 0.999999, NULL,
     "How probably a token is masked."},
    {"mask_token", NULL, CI_WORD, offsetof(arguments, mask_token), "\"unk\"", 0, 0, "unk|pad",
     "What a masked token becomes."},
    {"alpha", NULL, CI_REAL, offsetof(arguments, alpha), "1", 1e-9, 1e9, NULL, "Penalty of the ridge regression."},
    {"perturbations_per_eval", NULL, CI_INT, offsetof(arguments, perturbations_per_eval), "1", 1, 1e9, NULL,
     "Accepted as Captum's; the work is cut by the memory budget, and the scores do not depend on it."},
    {"seed", NULL, CI_INT, offsetof(arguments, seed), "0", 0, 9007199254740991, NULL,
     "Start of the random numbers: the same seed, the same scores."},
    CI_OPTIONS_END};

typedef struct {
  ci_attribution *a;
  const arguments *arg;
  size_t samples;
  size_t rows[CI_SPACES];   /* 0: the side is not attributed */
  size_t features;          /* rows of both */
  unsigned char *masked;    /* [samples, features], the source's tokens first */
  unsigned char *kept;      /* its negation */
  float *values[CI_SPACES]; /* [rows, width] of the mask */
  double *y;                /* [samples, targets] */
  double *coefficients;     /* [targets, features] */
  ci_status *statuses;      /* [targets] */
} lime;

/* Which tokens each sample masks: number `position` of the stream `sample`, source positions after all target
 * positions. */
static void draw(lime *l) {
  const ci_attribution *a = l->a;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++) {
    const int32_t *ids = space == CI_ENCODER ? a->source.items : a->target.items;
    size_t at = space == CI_ENCODER ? 0 : l->rows[CI_ENCODER];
    uint64_t numbers = space == CI_ENCODER ? (uint64_t)1 << 32 : 0;
    for (size_t i = 0; i < l->samples; i++)
      for (size_t p = 0; p < l->rows[space]; p++) {
        bool special = ci_tokenizer_is_special(a->job->model->tokenizer, ids[p]);
        bool masked = !special && ci_random_uniform((uint64_t)l->arg->seed, i, numbers + p) < l->arg->mask_prob;
        l->masked[i * l->features + at + p] = masked;
        l->kept[i * l->features + at + p] = !masked;
      }
  }
}

static ci_status mask_values(lime *l, ci_space_id space, ci_error *err) {
  const ci_model *model = l->a->job->model;
  int64_t id = l->arg->mask_token[0] == 'p' ? model->pad : model->unk;
  if (id < 0)
    return ci_fail(err, CI_EMODEL, model->path, "the tokenizer has no %s token to mask with", l->arg->mask_token);
  int32_t *ids = ci_alloc(l->rows[space], sizeof *ids);
  l->values[space] = ci_alloc(l->rows[space] * ci_attribution_width(l->a, space), sizeof(float));
  for (size_t i = 0; ids && i < l->rows[space]; i++) ids[i] = (int32_t)id;
  ci_status status = ids && l->values[space]
                         ? ci_run_input_values(l->a->subject.run, space, ids, l->rows[space], l->values[space], err)
                         : ci_fail_memory(err);
  ci_free(ids);
  return status;
}

/* y: the attributed function of each sample and target. */
static ci_status evaluate(lime *l, ci_error *err) {
  ci_attribution *a = l->a;
  size_t targets = a->subject.target_count;
  ci_variant *variants = ci_alloc_zeroed(l->samples, sizeof *variants);
  if (!variants) return ci_fail_memory(err);
  for (size_t i = 0; i < l->samples; i++) {
    variants[i] = (ci_variant){.values = {l->values[0], l->values[1]}, .target_count = targets};
    if (l->rows[CI_ENCODER]) variants[i].chosen[CI_ENCODER] = l->masked + i * l->features;
    if (l->rows[CI_DECODER]) variants[i].chosen[CI_DECODER] = l->masked + i * l->features + l->rows[CI_ENCODER];
  }
  ci_status status = ci_subject_vary(&a->subject, variants, l->samples, &a->objective, l->y, err);
  ci_free(variants);
  for (size_t t = 0; t < targets && !status; t++) {
    double clean = a->objective.value(a->objective.context, ci_run_logits(a->subject.run, a->subject.output_rows[t]), t,
                                      a->scratch);
    for (size_t i = 0; i < l->samples && !status; i++) {
      double *y = &l->y[i * targets + t];
      bool same =
          !memchr(l->masked + i * l->features, 1, l->rows[CI_ENCODER] + (l->rows[CI_DECODER] ? a->start + t : 0));
      if (same) *y = clean; /* nothing that the target sees is masked */
      if (!isfinite(*y))
        status = ci_fail(err, CI_EMODEL, a->job->model->path, "\"%s\" of token %zu is not finite in masked text %zu",
                         a->job->objective.score->id, a->start + t, i + 1);
    }
  }
  return status;
}

/* The regressions of targets [first, last). */
static void fit(void *context, size_t first, size_t last) {
  lime *l = context;
  size_t targets = l->a->subject.target_count;
  double *y = ci_alloc(2 * l->samples, sizeof *y), *weights = y + l->samples;
  for (size_t t = first; t < last; t++) {
    size_t seen = l->rows[CI_ENCODER] + (l->rows[CI_DECODER] ? l->a->start + t : 0);
    l->statuses[t] = y ? CI_OK : CI_ENOMEM;
    for (size_t i = 0; y && i < l->samples; i++) {
      double scalars = 0;
      for (size_t p = 0; p < seen; p++) scalars += l->kept[i * l->features + p];
      y[i] = l->y[i * targets + t];
      weights[i] = scalars * (double)ci_attribution_width(l->a, l->rows[CI_DECODER] ? CI_DECODER : CI_ENCODER);
    }
    if (y)
      l->statuses[t] = ci_ridge(l->kept, l->features, y, weights, l->samples, seen, l->arg->alpha,
                                l->coefficients + t * l->features, NULL);
  }
  ci_free(y);
}

static ci_status fit_all(lime *l, ci_error *err) {
  size_t targets = l->a->subject.target_count, n = l->samples < l->features ? l->samples : l->features;
  ci_compute_rows(l->a->job->compute, targets, (double)n * (double)l->samples * (double)l->features, fit, l);
  for (size_t t = 0; t < targets; t++)
    if (l->statuses[t]) return ci_fail_memory(err);
  return CI_OK;
}

/* A token's coefficient at each dimension of its embedding: the mean over them is the coefficient. */
static ci_status store(lime *l, ci_space_id space, ci_error *err) {
  ci_attribution *a = l->a;
  size_t width = ci_attribution_width(a, space), targets = a->subject.target_count,
         at = space == CI_ENCODER ? 0 : l->rows[CI_ENCODER];
  ci_array *array;
  ci_status status = ci_attribution_array(a, space, 3, width, 1, &array, err);
  for (size_t t = 0; t < targets && !status; t++) {
    size_t seen = space == CI_ENCODER ? l->rows[space] : a->start + t;
    for (size_t r = 0; r < seen; r++)
      for (size_t i = 0; i < width; i++)
        array->data[(r * targets + t) * width + i] = (float)l->coefficients[t * l->features + at + r];
  }
  return status;
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  lime l = {.a = a, .arg = options};
  size_t targets = a->subject.target_count, cells;
  l.samples = (size_t)l.arg->n_samples;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++)
    l.features += l.rows[space] = a->wants[space] ? ci_subject_rows(&a->subject, space) : 0;
  bool fits = !__builtin_mul_overflow(l.samples, l.features, &cells);
  l.masked = fits ? ci_alloc(cells, 1) : NULL;
  l.kept = fits ? ci_alloc(cells, 1) : NULL;
  l.y = __builtin_mul_overflow(l.samples, targets, &cells) ? NULL : ci_alloc(cells, sizeof *l.y);
  l.coefficients = ci_alloc_zeroed(targets * l.features, sizeof *l.coefficients);
  l.statuses = ci_alloc_zeroed(targets, sizeof *l.statuses);
  ci_status status = l.masked && l.kept && l.y && l.coefficients && l.statuses ? CI_OK : ci_fail_memory(err);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++)
    if (l.rows[space]) status = mask_values(&l, space, err);
  if (!status) draw(&l);
  if (!status) status = evaluate(&l, err);
  if (!status) status = fit_all(&l, err);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++) {
    if (!status && l.rows[space]) status = store(&l, space, err);
    ci_free(l.values[space]);
  }
  ci_free(l.masked);
  ci_free(l.kept);
  ci_free(l.y);
  ci_free(l.coefficients);
  ci_free(l.statuses);
  return status;
}

extern const ci_method ci_method_lime;
const ci_method ci_method_lime = {
    .id = "lime",
    .help = "Coefficients of a ridge regression of the attributed function on which tokens are masked.",
    .paper = "Ribeiro et al. 2016, arXiv:1602.04938",
    .options = options_table,
    .options_size = sizeof(arguments),
    .kind = CI_GRANULAR,
    .keep = CI_KEEP_KEYS,
    .forward_only = true,
    .sparse = true,
    .attribute = attribute};
