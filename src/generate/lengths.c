/* Processors that act at a certain length: min_length (and min_new_tokens, which ci_generate turns into it) keeps the
 * eos tokens away, forced_bos_token_id and forced_eos_token_id leave one token only. */
#include "generate/processors.h"
#include <math.h>

bool ci_min_length_applies(const ci_search *search) {
  return search->min_length > 0;
}

void ci_min_length(const ci_search *search, const int32_t *ids, size_t count, float *scores) {
  (void)ids;
  if (count >= search->min_length) return;
  for (size_t i = 0; i < search->options->eos_count; i++) {
    int32_t id = search->options->eos_token_ids[i];
    if (id >= 0 && (size_t)id < search->stepper->vocabulary) scores[id] = -INFINITY;
  }
}

static ci_status check_id(const ci_search *search, const char *name, int64_t id, ci_error *err) {
  if ((uint64_t)id < search->stepper->vocabulary) return CI_OK;
  return ci_fail(err, CI_EINVAL, "generation_kwargs", "\"%s\" is %lld, expected an id below %zu", name, (long long)id,
                 search->stepper->vocabulary);
}

static void leave_only(const ci_search *search, int64_t id, float *scores) {
  for (size_t i = 0; i < search->stepper->vocabulary; i++) scores[i] = -INFINITY;
  scores[id] = 0;
}

bool ci_forced_bos_applies(const ci_search *search) {
  return search->options->forced_bos_token_id >= 0;
}

ci_status ci_forced_bos_check(const ci_search *search, ci_error *err) {
  return check_id(search, "forced_bos_token_id", search->options->forced_bos_token_id, err);
}

void ci_forced_bos(const ci_search *search, const int32_t *ids, size_t count, float *scores) {
  (void)ids;
  if (count == 1) leave_only(search, search->options->forced_bos_token_id, scores);
}

bool ci_forced_eos_applies(const ci_search *search) {
  return search->options->forced_eos_token_id >= 0;
}

ci_status ci_forced_eos_check(const ci_search *search, ci_error *err) {
  return check_id(search, "forced_eos_token_id", search->options->forced_eos_token_id, err);
}

void ci_forced_eos(const ci_search *search, const int32_t *ids, size_t count, float *scores) {
  (void)ids;
  if (count + 1 == search->max_length) leave_only(search, search->options->forced_eos_token_id, scores);
}
