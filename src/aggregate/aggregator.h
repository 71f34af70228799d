/* Aggregators: result in, result out. One aggregator = one file + one row in aggregators.def; a pipeline is a list of
 * stages, as in Inseq, each an aggregator with the aggregation function it uses, all reading the same arguments. */
#ifndef CI_AGGREGATE_AGGREGATOR_H
#define CI_AGGREGATE_AGGREGATOR_H
#include "aggregate/result.h"
#include "base/options.h"

/* A row of aggregators.def.
 *   options: the keys that apply reads from `arguments`.
 *   apply:   *out is a new sequence, freed by the caller, empty after a failure. paired: what the sequence is compared
 * with, after the same stages; NULL: nothing. function: an id of ci_function_find; NULL: the aggregator's default.
 * arguments: an object or NULL; keys of other aggregators are passed over. Arrays of a result that was read from a file
 * may have fewer rows and columns than there are tokens, or more. */
typedef struct {
  const char *id;
  const char *help;
  const ci_option *options;
  ci_status (*apply)(const ci_sequence *sequence, const ci_sequence *paired, const char *function,
                     const json_t *arguments, ci_sequence *out, ci_error *err);
} ci_aggregator;

#define CI_AGGREGATOR(id, help, options, apply)                                                                        \
  extern const ci_option options[];                                                                                    \
  ci_status apply(const ci_sequence *sequence, const ci_sequence *paired, const char *function,                        \
                  const json_t *arguments, ci_sequence *out, ci_error *err);
#include "aggregate/aggregators.def"
#undef CI_AGGREGATOR

const ci_aggregator *ci_aggregators(size_t *count);
const ci_aggregator *ci_aggregator_find(const char *id); /* NULL: unknown */

/* What reduces count values of one dimension to one. NaN propagates (absmax: is passed over). */
typedef struct {
  const char *id;
  const char *help;
  double (*reduce)(const float *values, size_t count, double order); /* count >= 1; order: of a norm */
} ci_function;
const ci_function *ci_functions(size_t *count);
const ci_function *ci_function_find(const char *id); /* NULL: unknown */
/* The function of `scores` where none is named: vnorm for results of gradient methods, the mean for others. */
const char *ci_scores_function(ci_result_kind kind);

/* Whether all names are aggregators or functions, and there are as many functions ("aggregate_fn") and indices
 * ("attribution_selectors") as names: CI_EINVAL with the nearest. names: array of strings, or NULL. */
ci_status ci_aggregators_check(const json_t *names, const json_t *arguments, ci_error *err);

/* Reads an aggregator's own options among `arguments`. keep: what they borrow from, json_decref'd by the caller, also
 * after a failure. */
ci_status ci_aggregator_options(const char *id, const ci_option *table, const json_t *arguments, void *options,
                                json_t **keep, ci_error *err);

/* In place, what the aggregator `scores` does last: attributions divided by the sum of magnitudes of their column over
 * source and target. */
ci_status ci_scores_normalize(ci_sequence *sequence, ci_error *err);

typedef struct {
  const char *aggregator;
  const char *function; /* NULL: the aggregator's default */
  const json_t *select; /* in place of the arguments' "select_idx"; NULL: that */
} ci_aggregate_stage;

/* Applies the stages in order, to `paired` (may be NULL) too. No stages: a copy. */
ci_status ci_sequence_pipeline(const ci_sequence *sequence, const ci_sequence *paired,
                               const ci_aggregate_stage *stages, size_t count, const json_t *arguments,
                               ci_sequence *out, ci_error *err);

/* *to: [count] in new memory. */
ci_status ci_tokens_copy(const ci_token *from, size_t count, ci_token **to, size_t *to_count, ci_error *err);
/* The parts of an aggregator's result that it leaves as they are. *to is overwritten. */
ci_status ci_array_copy(const ci_array *from, ci_array *to, ci_error *err);
ci_status ci_named_arrays_copy(const ci_named_array *from, size_t count, ci_named_array **to, size_t *to_count,
                               ci_error *err);
/* Kind, tokens, positions and step scores; no attributions, no sequence scores. */
ci_status ci_sequence_copy_frame(const ci_sequence *from, ci_sequence *to, ci_error *err);

#endif
