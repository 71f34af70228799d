/* |f(x) - f(x with a window of tokens replaced by their baselines)| (Zeiler & Fergus 2014), as Captum slides the
 * window: windows begin `stride` tokens apart, the last one of a step may hang over its end, and a token's score is the
 * absolute mean over the step's windows that cover it. A window on the source is a branch of both sides; one of decoder
 * tokens from position i on is a branch that starts there and shares all rows before. A step's windows are among those
 * of the last step, and what hangs over a step's end it does not see, so one set of branches serves all steps. Tokens
 * that are their own baselines change nothing: such a window is 0 without a forward. */
#include "attribute/attribution.h"
#include <math.h>

typedef struct {
  json_t *sliding_window_shapes, *strides;
  int64_t perturbations_per_eval;
} arguments;

static const ci_option options_table[] = {
    {"sliding_window_shapes", NULL, CI_JSON, offsetof(arguments, sliding_window_shapes), "null", 0, 0, NULL,
     "Tokens in a window: 2, or [2, embedding size] as Captum has it; [[2, D], [1, D]] for source and target."},
    {"strides", NULL, CI_JSON, offsetof(arguments, strides), "null", 0, 0, NULL,
     "Tokens from one window to the next: null 1, 2, or [2], or [[2], [1]] for source and target; at most the "
     "window's."},
    {"perturbations_per_eval", NULL, CI_INT, offsetof(arguments, perturbations_per_eval), "1", 1, 1e9, NULL,
     "Accepted as Captum's; the work is cut by the memory budget, and the scores do not depend on it."},
    CI_OPTIONS_END};

/* The windows of one space. */
typedef struct {
  size_t length, stride;
  size_t first, count; /* their perturbations: [first, first + count), those that change nothing left out */
  size_t *window;      /* [count] the number of each */
} windows;

/* How many windows a sequence of `rows` tokens has. */
static size_t count_of(const windows *w, size_t rows) {
  return rows <= w->length ? 1 : (rows - w->length + w->stride - 1) / w->stride + 1;
}

/* The first number of 2, [2], [2, 64], or of member `index` of [[2, 64], [1, 64]]. width 0: the second number is free.
 */
static ci_status read_one(const char *option, const json_t *value, size_t index, size_t width, size_t most, size_t *out,
                          ci_error *err) {
  int64_t number, second;
  if (!value || json_is_null(value)) return *out = 1, CI_OK;
  if (json_is_array(json_array_get(value, 0))) value = json_array_get(value, json_array_size(value) > 1 ? index : 0);
  const json_t *first = json_is_array(value) ? json_array_get(value, 0) : value;
  if (!ci_json_as_int(first, &number) || json_array_size(value) > 2)
    return ci_fail(err, CI_EINVAL, option, "expected a number of tokens, or [tokens, embedding size] for each input");
  if (number < 1 || (uint64_t)number > most)
    return ci_fail(err, CI_EINVAL, option, "is %lld tokens, expected 1 to %zu", (long long)number, most);
  if (width && json_array_size(value) == 2 &&
      (!ci_json_as_int(json_array_get(value, 1), &second) || (uint64_t)second != width))
    return ci_fail(err, CI_EINVAL, option, "must cover whole embeddings: expected [%lld, %zu]", (long long)number,
                   width);
  *out = (size_t)number;
  return CI_OK;
}

static ci_status read_windows(const ci_attribution *a, ci_space_id space, const arguments *arg, windows *w,
                              ci_error *err) {
  size_t index = space == CI_DECODER && a->wants[CI_ENCODER], rows = ci_subject_rows(&a->subject, space);
  ci_status status = read_one("sliding_window_shapes", arg->sliding_window_shapes, index,
                              ci_attribution_width(a, space), rows, &w->length, err);
  return status ? status : read_one("strides", arg->strides, index, 0, w->length, &w->stride, err);
}

/* The windows of one space that change something. */
static ci_status list(ci_attribution *a, ci_space_id space, windows *w, ci_perturbation *out, size_t *count,
                      ci_error *err) {
  const float *baseline;
  ci_status status = ci_attribution_baseline(a, space, &baseline, err);
  size_t rows = ci_subject_rows(&a->subject, space), width = ci_attribution_width(a, space);
  int32_t *ids = ci_alloc(rows, sizeof *ids);
  w->window = ci_alloc(rows, sizeof *w->window);
  if (!status && !(ids && w->window)) status = ci_fail_memory(err);
  if (!status) ci_attribution_baseline_ids(a, space, ids);
  const int32_t *own = space == CI_ENCODER ? a->source.items : a->target.items;
  w->first = *count;
  for (size_t k = 0; !status && k < count_of(w, rows); k++) {
    size_t first = k * w->stride, end = first + w->length < rows ? first + w->length : rows;
    bool changes = false;
    for (size_t i = first; i < end; i++) changes = changes || ids[i] != own[i];
    if (!changes) continue;
    w->window[w->count++] = k;
    out[(*count)++] = (ci_perturbation){space, first, end - first, baseline + first * width};
  }
  ci_free(ids);
  return status;
}

/* Column t: differences of its windows, spread over the tokens they cover. sums[rows]: scratch. */
static ci_status store_column(const ci_attribution *a, ci_space_id space, const windows *w, size_t t,
                              const double *values, double clean, double *sums, float *out, ci_error *err) {
  size_t targets = a->subject.target_count,
         rows = space == CI_ENCODER ? ci_subject_rows(&a->subject, space) : a->start + t;
  size_t step_windows = count_of(w, rows);
  for (size_t r = 0; r < rows; r++) sums[r] = 0;
  for (size_t i = 0; i < w->count && w->window[i] < step_windows; i++) {
    size_t first = w->window[i] * w->stride;
    double value = values[(w->first + i) * targets + t];
    if (!isfinite(value))
      return ci_fail(err, CI_EMODEL, a->job->model->path,
                     "\"%s\" of token %zu is not finite with tokens %zu to %zu occluded", a->job->objective.score->id,
                     a->start + t, first, first + w->length - 1);
    for (size_t r = first; r < rows && r < first + w->length; r++) sums[r] += clean - value;
  }
  for (size_t r = 0; r < rows; r++) {
    size_t last = r / w->stride < step_windows ? r / w->stride : step_windows - 1;
    size_t before = r < w->length ? 0 : (r - w->length) / w->stride + 1; /* windows that end at or before r */
    out[r * targets] = last < before ? 0 : (float)fabs(sums[r] / (double)(last + 1 - before));
  }
  return CI_OK;
}

static ci_status store(ci_attribution *a, ci_space_id space, const windows *w, const double *values,
                       const double *clean, ci_error *err) {
  ci_array *array;
  ci_status status = ci_attribution_array(a, space, 2, 1, 1, &array, err);
  double *sums = ci_alloc(ci_subject_rows(&a->subject, space) + 1, sizeof *sums);
  if (!status && !sums) status = ci_fail_memory(err);
  for (size_t t = 0; t < a->subject.target_count && !status; t++)
    status = store_column(a, space, w, t, values, clean[t], sums, array->data + t, err);
  ci_free(sums);
  return status;
}

/* Inseq writes the default window into the arguments, and so into the result. */
static ci_status note_window(ci_attribution *a, ci_error *err) {
  json_t *given = a->job->attribution_args, *shape = NULL;
  json_int_t width = (json_int_t)ci_attribution_width(a, CI_DECODER);
  if (json_object_get(given, "sliding_window_shapes")) return CI_OK;
  if (a->wants[CI_ENCODER] && a->wants[CI_DECODER])
    shape = json_pack("[[iI][iI]]", 1, width, 1, width);
  else
    shape = json_pack("[iI]", 1, width);
  return json_object_set_new(given, "sliding_window_shapes", shape) ? ci_fail_memory(err) : CI_OK;
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  ci_subject *s = &a->subject;
  windows w[CI_SPACES] = {0};
  size_t most = s->source_count + s->row_count, count = 0;
  ci_perturbation *p = ci_alloc(most, sizeof *p);
  double *values = ci_alloc(most * s->target_count, sizeof *values), *clean = ci_alloc(s->target_count, sizeof *clean);
  ci_status status = p && values && clean ? note_window(a, err) : ci_fail_memory(err);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER && !status; space++) {
    if (!a->wants[space]) continue;
    status = read_windows(a, space, options, &w[space], err);
    if (!status) status = list(a, space, &w[space], p, &count, err);
  }
  for (size_t t = 0; t < s->target_count && !status; t++)
    clean[t] = a->objective.value(a->objective.context, ci_run_logits(s->run, s->output_rows[t]), t, a->scratch);
  if (!status) status = ci_subject_perturb(s, p, count, &a->objective, values, err);
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++) {
    if (!status && a->wants[space]) status = store(a, space, &w[space], values, clean, err);
    ci_free(w[space].window);
  }
  ci_free(p);
  ci_free(values);
  ci_free(clean);
  return status;
}

extern const ci_method ci_method_occlusion;
const ci_method ci_method_occlusion = {.id = "occlusion",
                                       .help =
                                           "Change of the attributed function when tokens' embeddings are replaced.",
                                       .paper = "Zeiler & Fergus 2014, arXiv:1311.2901",
                                       .options = options_table,
                                       .options_size = sizeof(arguments),
                                       .kind = CI_COARSE,
                                       .keep = CI_KEEP_KEYS,
                                       .deterministic = true,
                                       .sparse = true,
                                       .attribute = attribute};
