/* The aggregator `pair`: two results of the same shape, element by element: by default the other's less this one's (Inseq's order), else
 * a function of the two. Tokens that differ become "this → other". */
#include "aggregate/aggregator.h"
#include "base/memory.h"
#include <string.h>

typedef struct {
  const char *file;
} pair_options;

const ci_option ci_pair_options[] = {
    {"paired_attr", NULL, CI_WORD, offsetof(pair_options, file), "null", 0, 0, "@files",
     "File of the result that this one is compared with: its scores less those of this one."},
    CI_OPTIONS_END};

static ci_status pair_tokens(const char *side, const ci_token *a, size_t count, const ci_token *b, size_t other, ci_token **to,
                             size_t *to_count, ci_error *err) {
  if (count != other) return ci_fail(err, CI_EINVAL, "pair", "%s texts have %zu and %zu tokens: expected as many", side, count, other);
  ci_status status = ci_tokens_copy(a, count, to, to_count, err);
  for (size_t i = 0; i < count && !status; i++) {
    if (strcmp(a[i].token, b[i].token) == 0) continue;
    ci_text label = {0};
    ci_text_add_format(&label, "%s \u2192 %s", a[i].token, b[i].token);
    char *text = ci_text_take(&label);
    if (!text) return ci_text_free(&label), ci_fail_memory(err);
    ci_free((*to)[i].token);
    (*to)[i].token = text;
    (*to)[i].id = -1;
  }
  return status;
}

static bool same_shape(const ci_array *a, const ci_array *b) {
  if (!a->data != !b->data || a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->shape[i] != b->shape[i]) return false;
  return true;
}

static ci_status pair_arrays(const char *name, const ci_array *a, const ci_array *b, const ci_function *f, ci_array *out, ci_error *err) {
  if (!same_shape(a, b)) return ci_fail(err, CI_EINVAL, "pair", "the two results' %s have different shapes", name);
  ci_status status = ci_array_copy(a, out, err);
  for (size_t i = 0; i < ci_array_size(out) && !status; i++) {
    const float two[] = {a->data[i], b->data[i]};
    out->data[i] = f ? (float)f->reduce(two, 2, 2) : two[1] - two[0];
  }
  return status;
}

static const ci_array *find(const ci_named_array *arrays, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(arrays[i].name, name) == 0) return &arrays[i].values;
  return NULL;
}

static ci_status pair_named(const ci_named_array *a, size_t count, const ci_named_array *b, size_t other, const ci_function *f,
                            ci_named_array **to, size_t *to_count, ci_error *err) {
  ci_status status = ci_named_arrays_copy(a, count, to, to_count, err);
  for (size_t i = 0; i < count && !status; i++) {
    const ci_array *second = find(b, other, a[i].name);
    if (!second) return ci_fail(err, CI_EINVAL, "pair", "the other result has no scores \"%s\"", a[i].name);
    ci_array_free(&(*to)[i].values);
    status = pair_arrays(a[i].name, &a[i].values, second, f, &(*to)[i].values, err);
  }
  return status;
}

ci_status ci_pair_aggregate(const ci_sequence *a, const ci_sequence *b, const char *function, const json_t *arguments, ci_sequence *out,
                            ci_error *err) {
  (void)arguments; /* the file is read once for all sequences (ci_result_aggregate) */
  const ci_function *f = function ? ci_function_find(function) : NULL;
  *out = (ci_sequence){0};
  if (!b) return ci_fail(err, CI_EINVAL, "paired_attr", "is needed by the aggregator pair");
  *out = (ci_sequence){.kind = a->kind, .n_dimensions = a->n_dimensions, .attr_pos_start = a->attr_pos_start, .attr_pos_end = a->attr_pos_end};
  ci_status status = CI_OK;
  if (b->attr_pos_start != a->attr_pos_start || b->attr_pos_end != a->attr_pos_end)
    status = ci_fail(err, CI_EINVAL, "pair", "positions %zu to %zu are attributed in one, %zu to %zu in the other", a->attr_pos_start,
                     a->attr_pos_end, b->attr_pos_start, b->attr_pos_end);
  if (!status)
    status = pair_tokens("source", a->source, a->source_count, b->source, b->source_count, &out->source, &out->source_count, err);
  if (!status)
    status = pair_tokens("target", a->target, a->target_count, b->target, b->target_count, &out->target, &out->target_count, err);
  if (!status)
    status = pair_arrays("source attributions", &a->source_attributions, &b->source_attributions, f, &out->source_attributions, err);
  if (!status)
    status = pair_arrays("target attributions", &a->target_attributions, &b->target_attributions, f, &out->target_attributions, err);
  if (!status)
    status = pair_named(a->step_scores, a->step_scores_count, b->step_scores, b->step_scores_count, f, &out->step_scores,
                        &out->step_scores_count, err);
  if (!status)
    status = pair_named(a->sequence_scores, a->sequence_scores_count, b->sequence_scores, b->sequence_scores_count, f,
                        &out->sequence_scores, &out->sequence_scores_count, err);
  if (status) ci_sequence_free(out);
  return status;
}
