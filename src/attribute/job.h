/* A request, understood: which method, which scores, with which arguments. */
#ifndef CI_ATTRIBUTE_JOB_H
#define CI_ATTRIBUTE_JOB_H
#include "attribute/attribution.h"

/* Reads a request of either kind (attribute: true) and opens what it needs. ci_job_close also after a failure. The request
 * struct is the job's. model NULL: only reads and checks; such a job cannot be run. scores: the caller's step functions [score_count]. */
ci_status ci_job_open(const ci_model *model, const char *request_json, bool attribute, const cinseq_score *scores, size_t score_count,
                      const cinseq_hooks *hooks, ci_job **job,
                      ci_error *err);
void ci_job_close(ci_job *job);

/* What can be said of the texts before anything is computed: the last of thousands may be empty, or too long for the model. */
ci_status ci_job_check_texts(ci_job *job, ci_error *err);
ci_status ci_job_run(ci_job *job, ci_result **result, ci_error *err);
/* Writes the values of the nodes whose names fit a pattern ("decoder.*.output") to a safetensors file. */
ci_status ci_job_dump(ci_job *job, const char *pattern, const char *path, ci_error *err);
/* Appends one line of JSON for the text at `index`. */
ci_status ci_attribution_generate(ci_job *job, size_t index, ci_text *lines, ci_error *err);

#endif
