/* Step attributions (output_step_attributions) in Inseq's JSON. Inseq 0.7.1 writes them and cannot load them. */
#ifndef CI_OUTPUT_INSEQ_STEPS_H
#define CI_OUTPUT_INSEQ_STEPS_H
#include "output/inseq_objects.h"
#include "output/saving.h"

/* A member of "step_attributions". NULL when memory is out. */
json_t *ci_inseq_step(const ci_result *result, size_t index, const ci_saving *saving);
/* The other way round. A step of a batch becomes one of each of its texts, in the batch's order. */
ci_status ci_inseq_steps_read(ci_inseq_reader *r, const json_t *value, ci_result *result);

#endif
