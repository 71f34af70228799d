/* Passes of a text with the dropout of training, for step functions that look at how much a prediction wavers. */
#ifndef CI_ATTRIBUTE_PASSES_H
#define CI_ATTRIBUTE_PASSES_H
#include "base/error.h"
#include <stddef.h>

struct ci_attribution;

typedef struct {
  double *log_probabilities; /* [targets, count] of the generated tokens */
  size_t count;              /* 0: no step function asks for passes */
} ci_passes;

/* Computes the passes that the attributed function (CI_OF_OBJECTIVE) or the step scores read, if any does; the text is
 * produced already. One draw serves all targets. */
ci_status ci_passes_open(struct ci_attribution *a, int whose, ci_passes *passes, ci_error *err);
void ci_passes_free(ci_passes *passes);

#endif
