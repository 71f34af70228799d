/* An attribution method: a row of methods.def, one file each. It says what to ask of the engine and how to reduce the answer;
 * it has no loop over targets or branches of its own. */
#ifndef CI_ATTRIBUTE_METHOD_H
#define CI_ATTRIBUTE_METHOD_H
#include "aggregate/result.h"
#include "base/options.h"
#include "engine/run.h"

struct ci_attribution;

typedef struct {
  const char *id;    /* Inseq's */
  const char *help;
  const char *paper;
  const ci_option *options; /* Inseq's keyword arguments; NULL: none */
  size_t options_size;
  ci_result_kind kind;
  int n_dimensions;  /* of CI_MULTIDIMENSIONAL: extra dimensions that default aggregation takes the mean of */
  ci_keep keep;      /* what it reads of the forward that generation leaves behind */
  bool deterministic;
  bool forward_only; /* of CI_GRANULAR: takes no gradient of the attributed function */
  const char *goes_by; /* what the scores are about where that is not the attributed function; NULL: it is */
  /* What the scores promise, which tests/attribute/test_properties.c holds them to. */
  const char *complete_with; /* arguments, as JSON, with which a column adds up to f(x) - f(x') within 1 %; NULL: no such promise */
  bool conserves;            /* none is negative, and they add up to 1 over the tokens in every column and dimension beyond */
  bool sparse;               /* a token that is its own baseline has 0 */
  ci_status (*attribute)(struct ci_attribution *a, const void *options, ci_error *err);
} ci_method;

/* Rows by index; NULL past the end. */
const ci_method *ci_method_at(size_t index);
/* An error with the nearest name when there is none. */
ci_status ci_method_named(const char *id, const ci_method **method, ci_error *err);

#endif
