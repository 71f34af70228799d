/* What an attribution gives: Inseq's data model (FeatureAttributionOutput and its sequences). */
#ifndef CI_AGGREGATE_RESULT_H
#define CI_AGGREGATE_RESULT_H
#include "base/error.h"
#include "base/json.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a token stands in its text, as far as that is known (files do not say). */
typedef enum { CI_WORD_UNKNOWN, CI_WORD_BEGINS, CI_WORD_GOES_ON } ci_word_place;

typedef struct {
  int32_t id;
  char *token;
  ci_word_place word;
} ci_token;

/* A row-major float array; data NULL: None. Dimensions of attributions: [attributed tokens, generated tokens, ...]. */
typedef struct {
  int rank;
  size_t shape[4];
  float *data;
  bool integers; /* saved as I64 (top_p_size) */
} ci_array;

typedef struct {
  char *name;
  ci_array values; /* step scores: [G]; sequence scores: as Inseq's (S,S,N,H ...) */
} ci_named_array;

/* Inseq's output classes. They fix the class name in files and the default aggregation. */
typedef enum {
  CI_PLAIN,            /* FeatureAttributionSequenceOutput */
  CI_GRANULAR,         /* [S,G,D]: vnorm over D */
  CI_COARSE,           /* [S,G]: none, not normalised */
  CI_MULTIDIMENSIONAL, /* [S,G,N,H] (n_dimensions 2) or [S,G,N] (1): mean of the last dimension, n_dimensions times */
} ci_result_kind;

typedef struct cinseq_sequence {
  ci_result_kind kind;
  int n_dimensions;
  ci_token *source;
  size_t source_count;
  ci_token *target; /* decoder-only: the prompt and what follows; encoder-decoder: from the decoder start on */
  size_t target_count;
  size_t attr_pos_start, attr_pos_end; /* of the generated tokens that have columns: end - start = G */
  ci_array source_attributions;        /* decoder-only: None */
  ci_array target_attributions;        /* NaN where a token was not generated yet */
  ci_named_array *step_scores;
  size_t step_scores_count;
  ci_named_array *sequence_scores;
  size_t sequence_scores_count;
} ci_sequence;

struct cinseq_result {
  json_t *info; /* Inseq's info keys */
  ci_sequence *sequences;
  size_t count;
  /* What each step gave, if that was asked for: of all sequences, one after the other. A step is a sequence with one
   * column: target is the prefix and the token that was generated; target attributions have no row for that token. Of a
   * text's steps only the first has sequence scores. */
  ci_sequence *steps;
  size_t step_count;
  json_t *statistics; /* what cinseq_result_statistics gives; NULL for a loaded result */
};
typedef struct cinseq_result ci_result;

ci_result *ci_result_create(size_t sequences); /* NULL when memory is out; info is an empty object */
void ci_result_close(ci_result *result);
/* rank <= 4; zeroed. Checked multiplication. */
ci_status ci_array_create(ci_array *array, int rank, const size_t *shape, ci_error *err);
void ci_array_free(ci_array *array);
size_t ci_array_size(const ci_array *array); /* number of elements */

/* A copy of `sequence`, aggregated; paired: what the aggregator `pair` compares with, or NULL. names: array of ids of aggregators, or of functions that the aggregator `scores`
 * then uses, applied one after the other; arguments: an object with their options, or NULL. names NULL: Inseq's default
 * aggregation for its kind (spec 4.2): Granular vnorm over the last dimension then joint L1 normalisation of source and
 * target by column; MultiDimensional mean then normalise, n_dimensions times; Coarse as it is; the result is 2-D.
 * arguments: "aggregate_fn" are functions of the aggregators, one for each; "attribution_selectors" indices likewise.
 * Errors: CI_EINVAL when fewer than two dimensions would be left. */
ci_status ci_sequence_aggregate(const ci_sequence *sequence, const ci_sequence *paired, const json_t *names,
                                const json_t *arguments, ci_sequence *out, ci_error *err);
/* The same of all sequences of a result; its steps stay as they are. "paired_attr" among the arguments is a file. */
ci_status ci_result_aggregate(const ci_result *result, const json_t *names, const json_t *arguments, ci_result **out,
                              ci_error *err);
/* other - result, sequence by sequence (Inseq's pair, in its order). */
ci_status ci_result_pair(const ci_result *result, const ci_result *other, ci_result **out, ci_error *err);
/* One result with the sequences of all, in order. They must be of one model, method and kind. */
ci_status ci_result_merge(const ci_result *const results[], size_t count, ci_result **out, ci_error *err);
void ci_sequence_free(ci_sequence *sequence); /* its members, not itself */

/* What everything else relies on: rows are tokens (of the target, the last may have none), columns are the generated tokens,
 * source and target agree in all but rows. Errors: CI_EFILE, where, "what: ...". Counts the dimensions of a
 * MultiDimensional one. */
ci_status ci_sequence_check(ci_sequence *sequence, const char *where, const char *what, ci_error *err);

/* Makes the steps of a result that is not aggregated and has none yet. */
ci_status ci_result_add_steps(ci_result *result, ci_error *err);

/* Inseq 0.7.1's file (spec 5). Saving is whole or not at all. options_json: ci_saving_options, or NULL. */
ci_status ci_result_save(const ci_result *result, const char *path, const char *options_json, ci_error *err);
/* The same, those of Inseq 0.5 and 0.6, and any of them in gzip. */
ci_status ci_result_load(const char *path, ci_result **result, ci_error *err);

#endif
