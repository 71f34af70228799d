/* No attribution at all, as Inseq's: the step scores alone, for what their pass over the text costs. */
#include "attribute/attribution.h"

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  (void)a, (void)options, (void)err;
  return CI_OK;
}

extern const ci_method ci_method_dummy;
const ci_method ci_method_dummy = {.id = "dummy",
                                   .help = "No attribution: step scores alone.",
                                   .kind = CI_PLAIN,
                                   .keep = CI_KEEP_KEYS,
                                   .deterministic = true,
                                   .attribute = attribute};
