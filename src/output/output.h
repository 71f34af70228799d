/* Files of results: know nothing of models. One output = one file + one row in outputs.def. */
#ifndef CI_OUTPUT_OUTPUT_H
#define CI_OUTPUT_OUTPUT_H
#include "aggregate/result.h"
#include "base/text.h"

/* A row of outputs.def.
 *   write: appends the whole file.
 *   read:  the other way round, a function of bytes and length; `where` names them in errors. NULL: cannot be read. */
typedef struct {
  const char *id;
  const char *help;
  ci_status (*write)(const ci_result *result, ci_text *out, ci_error *err);
  ci_status (*read)(const char *where, const char *bytes, size_t length, ci_result **result, ci_error *err);
} ci_output;

const ci_output *ci_outputs(size_t *count);
const ci_output *ci_output_find(const char *id); /* NULL: unknown */

ci_status ci_inseq_json_write(const ci_result *result, ci_text *out, ci_error *err);
ci_status ci_inseq_json_read(const char *where, const char *bytes, size_t length, ci_result **result, ci_error *err);
ci_status ci_html_write(const ci_result *result, ci_text *out, ci_error *err); /* html.h */

#endif
