/* Declares every row of processors.def: made from the table, included by its members. */
#ifndef CI_GENERATE_PROCESSORS_H
#define CI_GENERATE_PROCESSORS_H
#include "generate/search.h"

#define CI_PROCESSOR(id, applies, check, apply)                                                                        \
  bool applies(const ci_search *search);                                                                               \
  void apply(const ci_search *search, const int32_t *ids, size_t count, float *scores);
#include "generate/processors.def"
#undef CI_PROCESSOR
ci_status ci_bad_words_check(const ci_search *search, ci_error *err);
ci_status ci_forced_bos_check(const ci_search *search, ci_error *err);
ci_status ci_forced_eos_check(const ci_search *search, ci_error *err);

#endif
