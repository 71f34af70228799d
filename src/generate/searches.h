/* Declares every row of searches.def: made from the table, included by its members. */
#ifndef CI_GENERATE_SEARCHES_H
#define CI_GENERATE_SEARCHES_H
#include "generate/search.h"

#define CI_SEARCH(id, applies, run)                                                                                    \
  bool applies(const ci_generation *options);                                                                          \
  ci_status run(const ci_search *search, int branch, float *logits, ci_generated *out, ci_error *err);
#include "generate/searches.def"
#undef CI_SEARCH

#endif
