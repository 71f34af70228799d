/* The pieces of Inseq's JSON that sequences and steps have in common: instances of classes, tokens, errors that name
 * their place. New values are NULL when memory is out; what takes a json_t * takes its reference, and NULL gives NULL.
 */
#ifndef CI_OUTPUT_INSEQ_OBJECTS_H
#define CI_OUTPUT_INSEQ_OBJECTS_H
#include "aggregate/result.h"

extern const char ci_inseq_data_module[]; /* "inseq.data.attribution" */

/* ---- writing ---- */

/* {"__instance_type__": [module, class], "attributes": attributes} */
json_t *ci_inseq_instance(const char *module, const char *class, json_t *attributes);
json_t *ci_inseq_tokens(const ci_token *tokens, size_t count);
/* object with key: value */
json_t *ci_inseq_with(json_t *object, const char *key, json_t *value);

/* ---- reading ---- */

/* `what` is the way to a value inside the file, for messages. */
typedef struct {
  const char *where;
  char what[160];
  ci_error *err;
} ci_inseq_reader;

ci_status ci_inseq_bad(const ci_inseq_reader *r, const char *problem); /* CI_EFILE: "what: problem" */
/* The attributes of an instance of module.class, or NULL; class NULL: any, *class is what it is. */
const json_t *ci_inseq_open(const json_t *value, const char *module, const char **class);
/* *tokens: [*count], in new memory that is the caller's even after a failure. */
ci_status ci_inseq_read_tokens(const ci_inseq_reader *r, const json_t *value, ci_token **tokens, size_t *count);

#endif
