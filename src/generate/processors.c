/* The table of logits processors. Their order is part of the result: penalties come before what forbids, what forces
 * overrides what forbids, sampling's filters come last. */
#include "generate/processors.h"

static const ci_processor processors[] = {
#define CI_PROCESSOR(id, applies, check, apply) {id, applies, check, apply},
#include "generate/processors.def"
#undef CI_PROCESSOR
};

ci_status ci_processors_check(const ci_search *search, ci_error *err) {
  ci_status status = CI_OK;
  for (size_t i = 0; i < sizeof processors / sizeof *processors && !status; i++)
    if (processors[i].check && processors[i].applies(search)) status = processors[i].check(search, err);
  return status;
}

void ci_processors_apply(const ci_search *search, const int32_t *ids, size_t count, float *scores) {
  for (size_t i = 0; i < sizeof processors / sizeof *processors; i++)
    if (processors[i].applies(search)) processors[i].apply(search, ids, count, scores);
}
