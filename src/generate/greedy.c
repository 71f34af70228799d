/* Greedy search: the likeliest token, the first of several (torch.argmax). Its loop serves sampling too. */
#include "generate/searches.h"
#include "base/memory.h"
#include <string.h>

static ci_status add_token(ci_generated *out, size_t *capacity, int32_t token, ci_error *err) {
  if (ci_reserve((void **)&out->ids, capacity, out->count + 1, sizeof *out->ids)) return ci_fail_memory(err);
  out->ids[out->count++] = token;
  return CI_OK;
}

ci_status ci_search_single(const ci_search *search, int branch, float *logits,
                           ci_status (*pick)(void *state, const ci_search *search, const float *scores, int32_t *token,
                                             ci_error *err),
                           void *state, ci_generated *out, ci_error *err) {
  const ci_stepper *stepper = search->stepper;
  size_t capacity = 0;
  if (ci_reserve((void **)&out->ids, &capacity, search->prefix_count, sizeof *out->ids)) return ci_fail_memory(err);
  memcpy(out->ids, search->prefix, search->prefix_count * sizeof *out->ids);
  out->count = search->prefix_count;
  for (;;) {
    int32_t token = 0;
    int next;
    ci_status status = ci_search_check_logits(search, logits, err);
    if (status) return status;
    ci_processors_apply(search, out->ids, out->count, logits);
    status = pick(state, search, logits, &token, err);
    if (!status) status = add_token(out, &capacity, token, err);
    if (!status) status = ci_search_progress(search, out->count, err);
    if (status) return status;
    out->branch = branch;
    if (out->count >= search->max_length || ci_search_is_eos(search, token)) return CI_OK;
    status = stepper->advance(stepper->context, 1, &branch, &token, &next, logits, err);
    if (status) return status;
    branch = next;
  }
}

static ci_status pick_likeliest(void *state, const ci_search *search, const float *scores, int32_t *token,
                                ci_error *err) {
  (void)state, (void)err;
  size_t best = 0;
  for (size_t i = 1; i < search->stepper->vocabulary; i++)
    if (scores[i] > scores[best]) best = i;
  *token = (int32_t)best;
  return CI_OK;
}

bool ci_greedy_applies(const ci_generation *options) {
  return options->num_beams == 1 && !options->do_sample;
}

ci_status ci_greedy_run(const ci_search *search, int branch, float *logits, ci_generated *out, ci_error *err) {
  return ci_search_single(search, branch, logits, pick_likeliest, NULL, out, err);
}
