/* See inseq_steps.h. A step in the file is an instance of ...StepOutput over a batch of B texts:
 *
 *   {"prefix": [B lists of tokens], "target": [B lists of one token], "source": [B lists of tokens] or null,
 *    "source_attributions": [B, S, ...] or null, "target_attributions": [B, P, ...] or null,
 *    "step_scores": {name: [B]}, "sequence_scores": {name: [B, ...]}}
 *
 * with arrays as ndarray.h has them. Here a step is a sequence of one text with one column (result.h). */
#include "output/inseq_steps.h"
#include "base/memory.h"
#include "output/ndarray.h"
#include <stdio.h>
#include <string.h>

static const char *const step_classes[] = {
    [CI_PLAIN] = "FeatureAttributionStepOutput",
    [CI_GRANULAR] = "GranularFeatureAttributionStepOutput",
    [CI_COARSE] = "CoarseFeatureAttributionStepOutput",
    [CI_MULTIDIMENSIONAL] = "MultiDimensionalFeatureAttributionStepOutput",
};
enum { STEP_CLASSES = sizeof step_classes / sizeof *step_classes };

/* ---- writing ---- */

static json_t *write(const ci_ndarray *array, const ci_saving *saving) {
  return saving->use_primitives ? ci_ndarray_lists(array) : ci_ndarray_write(array, saving->ndarray_compact);
}

/* A batch of one; `column`: without the second dimension, which is 1. */
static json_t *new_array(const ci_array *array, bool column, const ci_saving *saving) {
  if (!array->data) return json_null();
  ci_ndarray made = {.rank = 1, .shape = {1}, .data = array->data};
  for (int i = 0; i < array->rank && made.rank < CI_NDARRAY_RANK; i++)
    if (!column || i != 1) made.shape[made.rank++] = array->shape[i];
  return write(&made, saving);
}

/* Of step scores the array is a batch of one already. */
static json_t *new_named(const ci_named_array *arrays, size_t count, bool scalars, const ci_saving *saving) {
  json_t *object = json_object();
  for (size_t i = 0; i < count; i++) {
    const ci_array *values = &arrays[i].values;
    ci_ndarray scalar = {.rank = 1, .shape = {1}, .data = values->data};
    object = ci_inseq_with(object, arrays[i].name, scalars ? write(&scalar, saving) : new_array(values, false, saving));
  }
  return object;
}

static json_t *new_batch(const ci_token *tokens, size_t count) {
  json_t *list = ci_inseq_tokens(tokens, count);
  return list ? json_pack("[o]", list) : NULL;
}

json_t *ci_inseq_step(const ci_result *result, size_t index, const ci_saving *saving) {
  const ci_sequence *s = &result->steps[index];
  json_t *a = json_object();
  a = ci_inseq_with(a, "source", s->source_count ? new_batch(s->source, s->source_count) : json_null());
  a = ci_inseq_with(a, "prefix", new_batch(s->target, s->attr_pos_start));
  a = ci_inseq_with(a, "target", new_batch(s->target + s->attr_pos_start, 1));
  a = ci_inseq_with(a, "source_attributions", new_array(&s->source_attributions, true, saving));
  a = ci_inseq_with(a, "target_attributions", new_array(&s->target_attributions, true, saving));
  a = ci_inseq_with(a, "step_scores", new_named(s->step_scores, s->step_scores_count, true, saving));
  a = ci_inseq_with(a, "sequence_scores", new_named(s->sequence_scores, s->sequence_scores_count, false, saving));
  return ci_inseq_instance(ci_inseq_data_module, step_classes[s->kind], a);
}

/* ---- reading ---- */

/* A step of the file; texts are its members number `text`. */
typedef struct {
  ci_inseq_reader *r;
  const json_t *attributes;
  size_t step, count, text;
  ci_sequence *out;
} batch;

/* What the error messages of the next calls name. */
static void name(batch *b, const char *member) {
  snprintf(b->r->what, sizeof b->r->what, "step %zu, %s", b->step, member);
}

/* Member `text` of an array [B, ...]; `column`: with a second dimension of 1. */
static ci_status take(batch *b, const json_t *value, bool column, ci_array *out) {
  if (!value || json_is_null(value)) return CI_OK;
  ci_ndarray all;
  size_t shape[CI_NDARRAY_RANK + 1], size = 1;
  int rank = 0;
  ci_status status = ci_ndarray_read(b->r->where, b->r->what, value, &all, b->r->err);
  if (status) return status;
  if (all.rank < 1 + column || all.shape[0] != b->count) {
    ci_free(all.data);
    return ci_inseq_bad(b->r, "has not a member for each text");
  }
  for (int i = 1; i < all.rank; i++) {
    shape[rank++] = all.shape[i];
    size *= all.shape[i];
    if (column && i == 1) shape[rank++] = 1;
  }
  if (!rank) shape[rank++] = 1; /* a score of a step */
  status = ci_array_create(out, rank, shape, b->r->err);
  if (!status && size) memcpy(out->data, all.data + b->text * size, size * sizeof *out->data);
  ci_free(all.data);
  return status;
}

static ci_status take_named(batch *b, const char *member, ci_named_array **arrays, size_t *count) {
  const json_t *object = json_object_get(b->attributes, member);
  const char *key;
  json_t *value;
  *arrays = ci_alloc_zeroed(json_object_size(object), sizeof **arrays);
  if (!*arrays) return ci_fail_memory(b->r->err);
  json_object_foreach((json_t *)object, key, value) {
    ci_named_array *array = &(*arrays)[(*count)++];
    array->name = ci_duplicate(key);
    if (!array->name) return ci_fail_memory(b->r->err);
    name(b, member);
    ci_status status = take(b, value, false, &array->values);
    if (status) return status;
  }
  return CI_OK;
}

/* Prefix and target of a text, one behind the other. */
static ci_status take_target(batch *b) {
  json_t *prefix = json_array_get(json_object_get(b->attributes, "prefix"), b->text),
         *target = json_array_get(json_object_get(b->attributes, "target"), b->text);
  name(b, "target");
  if (!json_is_array(prefix) || json_array_size(target) != 1)
    return ci_inseq_bad(b->r, "is not one token behind a prefix");
  json_t *both = json_copy(prefix);
  ci_status status = both && !json_array_extend(both, target) ? CI_OK : ci_fail_memory(b->r->err);
  if (!status) status = ci_inseq_read_tokens(b->r, both, &b->out->target, &b->out->target_count);
  json_decref(both);
  b->out->attr_pos_start = json_array_size(prefix);
  b->out->attr_pos_end = b->out->attr_pos_start + 1;
  return status;
}

static ci_status take_source(batch *b) {
  const json_t *source = json_object_get(b->attributes, "source");
  name(b, "source");
  if (source && !json_is_null(source))
    return ci_inseq_read_tokens(b->r, json_array_get(source, b->text), &b->out->source, &b->out->source_count);
  b->out->source = ci_alloc_zeroed(0, sizeof *b->out->source);
  return b->out->source ? CI_OK : ci_fail_memory(b->r->err);
}

static ci_status check_step(batch *b) {
  const ci_sequence *s = b->out;
  const struct {
    const char *member;
    const ci_array *array;
    size_t rows;
  } sides[] = {{"source_attributions", &s->source_attributions, s->source_count},
               {"target_attributions", &s->target_attributions, s->attr_pos_start}};
  for (int i = 0; i < 2; i++) {
    name(b, sides[i].member);
    if (sides[i].array->data && sides[i].array->shape[0] != sides[i].rows)
      return ci_inseq_bad(b->r, "has not a row for each token");
  }
  name(b, "step_scores");
  for (size_t i = 0; i < s->step_scores_count; i++)
    if (ci_array_size(&s->step_scores[i].values) != 1) return ci_inseq_bad(b->r, "has not a value for each text");
  return CI_OK;
}

static ci_status take_text(batch *b) {
  ci_status status = take_target(b);
  if (!status) status = take_source(b);
  name(b, "source_attributions");
  if (!status)
    status = take(b, json_object_get(b->attributes, "source_attributions"), true, &b->out->source_attributions);
  name(b, "target_attributions");
  if (!status)
    status = take(b, json_object_get(b->attributes, "target_attributions"), true, &b->out->target_attributions);
  if (!status) status = take_named(b, "step_scores", &b->out->step_scores, &b->out->step_scores_count);
  if (!status) status = take_named(b, "sequence_scores", &b->out->sequence_scores, &b->out->sequence_scores_count);
  return status ? status : check_step(b);
}

static ci_status read_step(ci_inseq_reader *r, size_t step, const json_t *value, ci_result *result, size_t *capacity) {
  const char *class = NULL;
  batch b = {.r = r, .step = step, .attributes = ci_inseq_open(value, ci_inseq_data_module, &class)};
  int kind = 0;
  while (b.attributes && kind < STEP_CLASSES && strcmp(class, step_classes[kind]) != 0) kind++;
  b.count = json_array_size(json_object_get(b.attributes, "prefix"));
  name(&b, "prefix");
  if (!b.attributes || kind == STEP_CLASSES || b.count == 0) return ci_inseq_bad(r, "is no step of Inseq");
  ci_status status = CI_OK;
  for (b.text = 0; b.text < b.count && !status; b.text++) {
    if (ci_reserve((void **)&result->steps, capacity, result->step_count + 1, sizeof *result->steps))
      return ci_fail_memory(r->err);
    b.out = &result->steps[result->step_count++];
    *b.out = (ci_sequence){.kind = (ci_result_kind)kind};
    status = take_text(&b);
    const ci_array *any = b.out->source_attributions.data ? &b.out->source_attributions : &b.out->target_attributions;
    if (b.out->kind == CI_MULTIDIMENSIONAL && any->data) b.out->n_dimensions = any->rank - 2;
  }
  return status;
}

ci_status ci_inseq_steps_read(ci_inseq_reader *r, const json_t *value, ci_result *result) {
  ci_status status = CI_OK;
  size_t i, capacity = 0;
  const json_t *step;
  if (value && !json_is_null(value) && !json_is_array(value)) return ci_inseq_bad(r, "step_attributions is no array");
  json_array_foreach(value, i, step) if (!status) status = read_step(r, i, step, result, &capacity);
  return status;
}
