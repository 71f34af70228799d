/* One generation: limits as transformers 4.57.6 counts them (_prepare_generated_length, _validate_generated_length),
 * then the search that the options ask for. */
#include "generate/searches.h"
#include "base/memory.h"
#include <math.h>

static const ci_search_method searches[] = {
#define CI_SEARCH(id, applies, run) {id, applies, run},
#include "generate/searches.def"
#undef CI_SEARCH
};

enum { DEFAULT_NEW_TOKENS = 20 };

static const char kwargs_name[] = "generation_kwargs";

bool ci_search_is_eos(const ci_search *search, int32_t id) {
  for (size_t i = 0; i < search->options->eos_count; i++)
    if (search->options->eos_token_ids[i] == id) return true;
  return false;
}

ci_status ci_search_check_logits(const ci_search *search, const float *logits, ci_error *err) {
  bool finite = false;
  for (size_t i = 0; i < search->stepper->vocabulary; i++) {
    if (isnan(logits[i]) || logits[i] == INFINITY)
      return ci_fail(err, CI_EMODEL, "generation", "the logit of token %zu is %s", i,
                     isnan(logits[i]) ? "NaN" : "infinite");
    finite |= logits[i] > -INFINITY;
  }
  return finite ? CI_OK : ci_fail(err, CI_EMODEL, "generation", "all logits are -inf");
}

ci_status ci_search_progress(const ci_search *search, size_t length, ci_error *err) {
  const ci_stepper *stepper = search->stepper;
  size_t done = length - search->prefix_count, total = search->max_length - search->prefix_count;
  if (!stepper->progress || !stepper->progress(stepper->context, done, total)) return CI_OK;
  return ci_fail(err, CI_ECANCEL, "generation", "cancelled after %zu tokens", done);
}

/* Lengths may be as large as a request likes: sums stop at the largest. */
static size_t add(size_t prefix, int64_t more) {
  size_t sum;
  return __builtin_add_overflow(prefix, (uint64_t)more, &sum) ? SIZE_MAX : sum;
}

static ci_status set_limits(ci_search *search, bool encoder_decoder, size_t positions, ci_error *err) {
  const ci_generation *g = search->options;
  size_t prefix = search->prefix_count, most;
  const char *name = encoder_decoder ? "the decoder's prefix" : "the prompt";
  if (g->max_new_tokens >= 0)
    most = add(prefix, g->max_new_tokens);
  else if (g->max_length >= 0)
    most = (uint64_t)g->max_length;
  else
    most = add(prefix, DEFAULT_NEW_TOKENS);
  if (prefix >= most)
    return ci_fail(err, CI_EINVAL, kwargs_name,
                   "%s has %zu tokens, which leaves none to generate: \"max_length\" is %zu and "
                   "counts them; expected more, or \"max_new_tokens\"",
                   name, prefix, most);
  if (positions && prefix >= positions)
    return ci_fail(err, CI_EINVAL, NULL, "%s has %zu tokens, expected fewer than the %zu positions of the model", name,
                   prefix, positions);
  search->max_length = positions && most > positions ? positions : most;
  if (g->min_new_tokens >= 0)
    search->min_length = add(prefix, g->min_new_tokens);
  else
    search->min_length = g->min_length > 0 ? (size_t)g->min_length : 0;
  return CI_OK;
}

static ci_status check_prefix(const ci_search *search, ci_error *err) {
  if (!search->prefix_count) return ci_fail(err, CI_EINVAL, "generation", "there is no token to start from");
  for (size_t i = 0; i < search->prefix_count; i++)
    if (search->prefix[i] < 0 || (size_t)search->prefix[i] >= search->stepper->vocabulary)
      return ci_fail(err, CI_EINVAL, "generation", "id %d at position %zu, expected ids below %zu",
                     (int)search->prefix[i], i, search->stepper->vocabulary);
  return CI_OK;
}

static ci_status run_search(const ci_search *search, int branch, float *logits, ci_generated *out, ci_error *err) {
  for (size_t i = 0; i < sizeof searches / sizeof *searches; i++)
    if (searches[i].applies(search->options)) return searches[i].run(search, branch, logits, out, err);
  return ci_fail(err, CI_EINVAL, kwargs_name, "no search does what these options ask for");
}

ci_status ci_generate(const ci_generation *generation, const ci_stepper *stepper, const int32_t *prefix,
                      size_t prefix_count, bool encoder_decoder, size_t positions, int branch, float *logits,
                      ci_generated *out, ci_error *err) {
  *out = (ci_generated){.branch = -1};
  ci_search search = {.options = generation, .stepper = stepper, .prefix = prefix, .prefix_count = prefix_count};
  ci_status status = check_prefix(&search, err);
  if (!status) status = set_limits(&search, encoder_decoder, positions, err);
  if (!status) status = ci_processors_check(&search, err);
  if (status) return status;
  search.scratch = ci_alloc(stepper->vocabulary, sizeof *search.scratch);
  search.seen = ci_alloc_zeroed(stepper->vocabulary, sizeof *search.seen);
  if (!search.scratch || !search.seen) status = ci_fail_memory(err);
  if (!status) status = run_search(&search, branch, logits, out, err);
  ci_free(search.scratch);
  ci_free(search.seen);
  if (status) {
    ci_free(out->ids);
    *out = (ci_generated){.branch = -1};
  }
  return status;
}
