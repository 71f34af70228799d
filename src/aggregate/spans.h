/* Spans of tokens that become one token: what the aggregators spans, subwords and split share. */
#ifndef CI_AGGREGATE_SPANS_H
#define CI_AGGREGATE_SPANS_H
#include "aggregate/aggregator.h"

/* Half-open. */
typedef struct {
  size_t start, end;
} ci_token_span;

/* In ascending order, not empty, not overlapping. */
typedef struct {
  ci_token_span *items;
  size_t count, capacity;
} ci_token_spans;

/* What ci_spans_options describes: the arguments of those that are given spans. */
typedef struct {
  json_t *source, *target;
} ci_given_spans;

/* [start, end] or an array of these; NULL or null: none. CI_EINVAL with the span where one is empty, overlaps, or lies
 * outside of `length` tokens. ci_token_spans_free also after a failure. */
ci_status ci_token_spans_read(const json_t *value, const char *name, size_t length, ci_token_spans *spans,
                              ci_error *err);
ci_status ci_token_spans_add(ci_token_spans *spans, size_t start, size_t end, ci_error *err);
void ci_token_spans_free(ci_token_spans *spans);

/* Every span becomes a token: texts joined, scores reduced with `function` (NULL: absmax, and for step scores what
 * `arguments` says in "step_score_functions" by name, or what suits them), along the generated tokens and then along the attributed ones. A span over the first generated token
 * keeps the scores of what was generated of it (spec 4.2). */
ci_status ci_sequence_merge(const ci_sequence *sequence, const ci_token_spans *source, const ci_token_spans *target,
                            const char *function, const json_t *arguments, ci_sequence *out, ci_error *err);

#endif
