/* The table of aggregators, pipelines of them, and Inseq's default pipeline for each kind of result. */
#include "aggregate/aggregator.h"
#include "base/memory.h"
#include "base/unknown.h"
#include <string.h>

static const ci_aggregator aggregators[] = {
#define CI_AGGREGATOR(id, help, options, apply) {id, help, options, apply},
#include "aggregate/aggregators.def"
#undef CI_AGGREGATOR
};

/* Inseq's defaults, by kind: the function of each stage of `scores`; NULL: none, the scores stay as they are. */
static const char *const default_functions[] = {
    [CI_PLAIN] = "mean", [CI_GRANULAR] = "vnorm", [CI_COARSE] = NULL, [CI_MULTIDIMENSIONAL] = "mean"};

const char *ci_scores_function(ci_result_kind kind) {
  return default_functions[kind] ? default_functions[kind] : "mean";
}

enum { AGGREGATORS = sizeof aggregators / sizeof *aggregators };

const ci_aggregator *ci_aggregators(size_t *count) {
  *count = AGGREGATORS;
  return aggregators;
}

const ci_aggregator *ci_aggregator_find(const char *id) {
  for (size_t i = 0; i < AGGREGATORS; i++)
    if (strcmp(aggregators[i].id, id) == 0) return &aggregators[i];
  return NULL;
}

static ci_status copy_all(const ci_sequence *from, ci_sequence *to, ci_error *err) {
  ci_status status = ci_sequence_copy_frame(from, to, err);
  if (!status) status = ci_array_copy(&from->source_attributions, &to->source_attributions, err);
  if (!status) status = ci_array_copy(&from->target_attributions, &to->target_attributions, err);
  if (!status)
    status = ci_named_arrays_copy(from->sequence_scores, from->sequence_scores_count, &to->sequence_scores,
                                  &to->sequence_scores_count, err);
  if (status) ci_sequence_free(to);
  return status;
}

ci_status ci_aggregator_options(const char *id, const ci_option *table, const json_t *arguments, void *options,
                                json_t **keep, ci_error *err) {
  json_t *unknown = json_array(); /* keys of other aggregators */
  *keep = json_array();
  ci_status status =
      *keep && unknown ? ci_options_parse(table, id, arguments, options, *keep, unknown, err) : ci_fail_memory(err);
  json_decref(unknown);
  return status;
}

/* One stage, with its own index. */
static ci_status apply_stage(const ci_aggregator *aggregator, const ci_aggregate_stage *stage,
                             const ci_sequence *sequence, const ci_sequence *paired, const json_t *arguments,
                             ci_sequence *out, ci_error *err) {
  json_t *own = stage->select ? json_object() : NULL;
  if (stage->select && (!own || json_object_update(own, (json_t *)arguments) ||
                        json_object_set(own, "select_idx", (json_t *)stage->select))) {
    json_decref(own);
    return ci_fail_memory(err);
  }
  ci_status status = aggregator->apply(sequence, paired, stage->function, own ? own : arguments, out, err);
  json_decref(own);
  return status;
}

ci_status ci_sequence_pipeline(const ci_sequence *sequence, const ci_sequence *paired, const ci_aggregate_stage *stages,
                               size_t count, const json_t *arguments, ci_sequence *out, ci_error *err) {
  ci_sequence other = {0}; /* paired, after the stages so far */
  ci_status status = CI_OK;
  *out = (ci_sequence){0};
  if (count == 0) return copy_all(sequence, out, err);
  for (size_t i = 0; i < count && !status; i++) {
    const ci_aggregator *aggregator = ci_aggregator_find(stages[i].aggregator);
    const ci_sequence *second = !paired ? NULL : i ? &other : paired;
    ci_sequence next = {0}, next_other = {0};
    status = aggregator ? apply_stage(aggregator, &stages[i], i ? out : sequence, second, arguments, &next, err)
                        : ci_fail(err, CI_EINVAL, stages[i].aggregator, "is no aggregator");
    if (!status && paired && i + 1 < count)
      status = apply_stage(aggregator, &stages[i], second, second, arguments, &next_other, err);
    ci_sequence_free(out);
    ci_sequence_free(&other);
    *out = next;
    other = next_other;
  }
  ci_sequence_free(&other);
  if (status) ci_sequence_free(out);
  return status;
}

/* An aggregator by its id; a function stands for `scores` with it. */
static ci_status read_stage(const char *name, ci_aggregate_stage *stage, ci_error *err) {
  const char *names[64];
  size_t rows, count = 0;
  const ci_function *functions = ci_functions(&rows);
  *stage = (ci_aggregate_stage){.aggregator = ci_aggregator_find(name) ? name : "scores"};
  if (!ci_aggregator_find(name)) stage->function = name;
  if (!stage->function || ci_function_find(name)) return CI_OK;
  for (size_t i = 0; i < AGGREGATORS; i++) names[count++] = aggregators[i].id;
  for (size_t i = 0; i < rows && count < sizeof names / sizeof *names; i++) names[count++] = functions[i].id;
  return ci_fail_unknown(err, "attribution_aggregators", "aggregator or function", name, names, count);
}

/* The function of stage i of those that are given beside the names; "default": the aggregator's own. */
static ci_status read_function(const json_t *functions, size_t i, ci_aggregate_stage *stage, ci_error *err) {
  const char *names[64] = {"default"}, *name = json_string_value(json_array_get(functions, i));
  size_t rows, count = 1;
  const ci_function *table = ci_functions(&rows);
  if (!name || strcmp(name, "default") == 0) return CI_OK;
  if (ci_function_find(name) && stage->function && strcmp(stage->function, name) != 0)
    return ci_fail(err, CI_EINVAL, "aggregate_fn", "\"%s\" for \"%s\", which is a function itself", name, stage->function);
  if (ci_function_find(name)) return stage->function = name, CI_OK;
  for (size_t k = 0; k < rows && count < sizeof names / sizeof *names; k++) names[count++] = table[k].id;
  return ci_fail_unknown(err, "aggregate_fn", "function", name, names, count);
}

/* "step_score_functions": {name of a step score: function}. */
static ci_status check_score_functions(const json_t *arguments, ci_error *err) {
  const char *names[64], *key;
  json_t *value;
  size_t rows, count = 0;
  const ci_function *table = ci_functions(&rows);
  for (size_t k = 0; k < rows && count < sizeof names / sizeof *names; k++) names[count++] = table[k].id;
  json_object_foreach(json_object_get(arguments, "step_score_functions"), key, value) {
    const char *name = json_string_value(value);
    if (!name) return ci_fail(err, CI_EINVAL, "step_score_functions", "\"%s\" is no function's name", key);
    if (!ci_function_find(name)) return ci_fail_unknown(err, "step_score_functions", "function", name, names, count);
  }
  return CI_OK;
}

static ci_status check_count(const char *where, const json_t *list, size_t count, ci_error *err) {
  if (!json_is_array(list) || json_array_size(list) == count) return CI_OK;
  return ci_fail(err, CI_EINVAL, where, "%zu for %zu aggregators, expected one for each", json_array_size(list), count);
}

/* A list that may be given as its only member: new reference, or NULL where nothing is given. */
static json_t *list_of(const json_t *arguments, const char *key) {
  json_t *value = json_object_get(arguments, key);
  if (!value || json_is_null(value)) return NULL;
  return json_is_array(value) ? json_incref(value) : json_pack("[O]", value);
}

/* Stages by names, functions and indices. *keep owns what they borrow beside the arguments. */
static ci_status read_stages(const json_t *names, const json_t *arguments, ci_aggregate_stage *stages, json_t **keep,
                             ci_error *err) {
  size_t count = json_array_size(names);
  json_t *functions = list_of(arguments, "aggregate_fn"), *selectors = list_of(arguments, "attribution_selectors");
  *keep = json_array();
  ci_status status = *keep ? check_count("aggregate_fn", functions, count, err) : ci_fail_memory(err);
  if (!status) status = check_count("attribution_selectors", selectors, count, err);
  for (size_t i = 0; i < count && !status; i++) {
    status = read_stage(json_string_value(json_array_get(names, i)), &stages[i], err);
    if (!status) status = read_function(functions, i, &stages[i], err);
    stages[i].select = json_array_get(selectors, i);
  }
  if (functions && json_array_append_new(*keep, functions)) status = ci_fail_memory(err);
  if (selectors && json_array_append_new(*keep, selectors)) status = ci_fail_memory(err);
  return status;
}

ci_status ci_aggregators_check(const json_t *names, const json_t *arguments, ci_error *err) {
  ci_aggregate_stage *stages = ci_alloc_zeroed(json_array_size(names), sizeof *stages);
  json_t *keep = NULL;
  ci_status status = CI_OK;
  if (!stages) return ci_fail_memory(err);
  if (names) status = read_stages(names, arguments, stages, &keep, err);
  if (!status) status = check_score_functions(arguments, err);
  json_decref(keep);
  ci_free(stages);
  return status;
}

static const ci_array *attributions_of(const ci_sequence *sequence) {
  return sequence->target_attributions.data ? &sequence->target_attributions : &sequence->source_attributions;
}

static ci_status aggregate_by(const ci_sequence *sequence, const ci_sequence *paired, const json_t *names,
                              const json_t *arguments, ci_sequence *out, ci_error *err) {
  size_t count = json_array_size(names);
  ci_aggregate_stage *stages = ci_alloc_zeroed(count, sizeof *stages);
  json_t *keep = NULL;
  ci_status status = stages ? read_stages(names, arguments, stages, &keep, err) : ci_fail_memory(err);
  if (!status) status = ci_sequence_pipeline(sequence, paired, stages, count, arguments, out, err);
  json_decref(keep);
  ci_free(stages);
  if (status || !attributions_of(out)->data || attributions_of(out)->rank >= 2) return status;
  ci_sequence_free(out);
  return ci_fail(err, CI_EINVAL, "attribution_aggregators",
                 "attributions of %d dimensions have too few for this: two are tokens by tokens",
                 attributions_of(sequence)->rank);
}

ci_status ci_sequence_aggregate(const ci_sequence *sequence, const ci_sequence *paired, const json_t *names,
                                const json_t *arguments, ci_sequence *out, ci_error *err) {
  enum { MOST = sizeof sequence->source_attributions.shape / sizeof *sequence->source_attributions.shape };
  *out = (ci_sequence){0};
  if (names) return aggregate_by(sequence, paired, names, arguments, out, err);
  const ci_array *any = attributions_of(sequence);
  const char *function = default_functions[sequence->kind];
  int wanted = sequence->kind == CI_MULTIDIMENSIONAL ? any->rank - 2 : 1; /* some may be reduced already */
  /* Two dimensions: was aggregated already. Inseq would take the norm over the generated tokens. */
  if (!function || !any->data || any->rank <= 2) wanted = 0;
  ci_aggregate_stage stages[MOST];
  size_t count = 0;
  const json_t *selectors = json_object_get(arguments, "attribution_selectors");
  if (wanted) {
    ci_status status = check_count("attribution_selectors", selectors, (size_t)wanted, err);
    if (status) return status;
  }
  for (; (int)count < wanted && count < MOST; count++)
    stages[count] =
        (ci_aggregate_stage){"scores", function, json_is_array(selectors) ? json_array_get(selectors, count) : NULL};
  if (any->data && any->rank - (int)count != 2)
    return ci_fail(err, CI_EINVAL, "scores", "attributions of %d dimensions have %zu left to aggregate, expected %d",
                   any->rank, count, any->rank - 2);
  return ci_sequence_pipeline(sequence, NULL, stages, count, arguments, out, err);
}

/* Steps stay as they were, as Inseq leaves them. */
static ci_status copy_steps(const ci_result *from, ci_result *to, ci_error *err) {
  to->steps = ci_alloc_zeroed(from->step_count, sizeof *to->steps);
  ci_status status = to->steps ? CI_OK : ci_fail_memory(err);
  for (size_t i = 0; i < from->step_count && !status; i++)
    status = copy_all(&from->steps[i], &to->steps[to->step_count++], err);
  return status;
}

/* The result with the sequences of another; its info is a copy. */
static ci_status open_like(const ci_result *result, size_t sequences, ci_result **out, ci_error *err) {
  *out = ci_result_create(sequences);
  if (!*out) return ci_fail_memory(err);
  json_decref((*out)->info);
  (*out)->info = json_deep_copy(result->info); /* threads may share the result: not even its references are counted */
  return (*out)->info ? CI_OK : ci_fail_memory(err);
}

static ci_status finish(ci_status status, ci_result **out) {
  if (!status) return status;
  ci_result_close(*out);
  *out = NULL;
  return status;
}

static ci_status check_pair(const ci_result *result, const ci_result *other, ci_error *err) {
  if (result->count == other->count) return CI_OK;
  return ci_fail(err, CI_EINVAL, "pair", "the results have %zu and %zu sequences: expected as many", result->count,
                 other->count);
}

ci_status ci_result_aggregate(const ci_result *result, const json_t *names, const json_t *arguments, ci_result **out,
                              ci_error *err) {
  const char *path = json_string_value(json_object_get(arguments, "paired_attr"));
  ci_result *other = NULL;
  ci_status status = open_like(result, result->count, out, err);
  if (!status && path) status = ci_result_load(path, &other, err);
  if (!status && other) status = check_pair(result, other, err);
  for (size_t i = 0; i < result->count && !status; i++)
    status = ci_sequence_aggregate(&result->sequences[i], other ? &other->sequences[i] : NULL, names, arguments,
                                   &(*out)->sequences[i], err);
  if (!status) status = copy_steps(result, *out, err);
  ci_result_close(other);
  return finish(status, out);
}

ci_status ci_result_pair(const ci_result *result, const ci_result *other, ci_result **out, ci_error *err) {
  static const ci_aggregate_stage pair = {.aggregator = "pair"};
  ci_status status = open_like(result, result->count, out, err);
  if (!status) status = check_pair(result, other, err);
  for (size_t i = 0; i < result->count && !status; i++)
    status =
        ci_sequence_pipeline(&result->sequences[i], &other->sequences[i], &pair, 1, NULL, &(*out)->sequences[i], err);
  return finish(status, out);
}

/* Inseq's conditions for results that become one. */
static ci_status check_alike(const json_t *a, const json_t *b, size_t number, ci_error *err) {
  static const char *const keys[] = {"attribute_target",     "attribution_method", "constrained_decoding",
                                     "include_eos_baseline", "model_class",        "model_name",
                                     "step_scores",          "tokenizer_class",    "tokenizer_name"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    if (!json_equal(json_object_get(a, keys[i]), json_object_get(b, keys[i])) &&
        (json_object_get(a, keys[i]) || json_object_get(b, keys[i])))
      return ci_fail(err, CI_EINVAL, "merge", "result %zu differs from the first in \"%s\"", number + 1, keys[i]);
  return CI_OK;
}

/* Lists of texts grow, attr_pos_end is the largest. */
static ci_status merge_info(json_t *info, const json_t *more, ci_error *err) {
  static const char *const lists[] = {"input_texts", "generated_texts"};
  for (size_t i = 0; i < 2; i++) {
    json_t *copy = json_deep_copy(json_object_get(more, lists[i]));
    int failed = copy && json_is_array(json_object_get(info, lists[i]))
                     ? json_array_extend(json_object_get(info, lists[i]), copy)
                     : 0;
    json_decref(copy);
    if (failed) return ci_fail_memory(err);
  }
  const json_t *end = json_object_get(more, "attr_pos_end"), *own = json_object_get(info, "attr_pos_end");
  if (json_integer_value(end) > json_integer_value(own) &&
      json_object_set_new(info, "attr_pos_end", json_integer(json_integer_value(end))))
    return ci_fail_memory(err);
  return CI_OK;
}

ci_status ci_result_merge(const ci_result *const results[], size_t count, ci_result **out, ci_error *err) {
  size_t sequences = 0, at = 0;
  *out = NULL;
  if (!count) return ci_fail(err, CI_EINVAL, "merge", "there are no results to merge");
  for (size_t i = 0; i < count; i++) sequences += results[i]->count;
  ci_status status = open_like(results[0], sequences, out, err);
  for (size_t i = 0; i < count && !status; i++) {
    if (i) status = check_alike(results[0]->info, results[i]->info, i, err);
    if (i && !status) status = merge_info((*out)->info, results[i]->info, err);
    for (size_t k = 0; k < results[i]->count && !status; k++)
      status = copy_all(&results[i]->sequences[k], &(*out)->sequences[at++], err);
  }
  return finish(status, out);
}
