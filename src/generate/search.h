/* What every search shares: the limits of one call and the processors' scratch. Internal to src/generate. */
#ifndef CI_GENERATE_SEARCH_H
#define CI_GENERATE_SEARCH_H
#include "generate/generate.h"

typedef struct {
  const ci_generation *options;
  const ci_stepper *stepper;
  const int32_t *prefix;
  size_t prefix_count;
  size_t max_length; /* of prefix and continuation; more than prefix_count */
  size_t min_length; /* no eos before; 0: none */
  float *scratch;    /* [vocabulary] */
  uint8_t *seen;     /* [vocabulary], all 0 between calls */
} ci_search;

/* A row of searches.def: the first that applies runs. `branch` holds the prefix, `logits` [vocabulary] followed it. */
typedef struct {
  const char *id;
  bool (*applies)(const ci_generation *options);
  ci_status (*run)(const ci_search *search, int branch, float *logits, ci_generated *out, ci_error *err);
} ci_search_method;

/* A row of processors.def.
 *   applies: whether the options ask for it
 *   check:   options against the vocabulary, once before the first step; NULL: nothing to check
 *   apply:   changes scores[vocabulary] of what follows ids[0..count), count >= 1 */
typedef struct {
  const char *id;
  bool (*applies)(const ci_search *search);
  ci_status (*check)(const ci_search *search, ci_error *err);
  void (*apply)(const ci_search *search, const int32_t *ids, size_t count, float *scores);
} ci_processor;

ci_status ci_processors_check(const ci_search *search, ci_error *err);
void ci_processors_apply(const ci_search *search, const int32_t *ids, size_t count, float *scores);

bool ci_search_is_eos(const ci_search *search, int32_t id);
/* CI_EMODEL when a logit is NaN or +inf, or all are -inf. */
ci_status ci_search_check_logits(const ci_search *search, const float *logits, ci_error *err);
/* To be called when a token column is decided: CI_ECANCEL when the caller wants to stop. length counts the prefix. */
ci_status ci_search_progress(const ci_search *search, size_t length, ci_error *err);

/* The loop of greedy search and sampling: one branch, pick() names the next token from processed scores. */
ci_status ci_search_single(const ci_search *search, int branch, float *logits,
                           ci_status (*pick)(void *state, const ci_search *search, const float *scores, int32_t *token,
                                             ci_error *err),
                           void *state, ci_generated *out, ci_error *err);
#endif
