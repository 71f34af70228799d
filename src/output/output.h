/* What a result can be turned into: know nothing of models. One output = one file + one row in outputs.def. */
#ifndef CI_OUTPUT_OUTPUT_H
#define CI_OUTPUT_OUTPUT_H
#include "aggregate/result.h"
#include "base/text.h"
#include "output/show_options.h"

/* Appends the whole of a result. */
typedef ci_status ci_output_write(const ci_result *result, const ci_show_options *options, ci_text *out, ci_error *err);

/* A row of outputs.def.
 *   tables: draws heat tables, so it gets an aggregated result; false: the result as it is, unless aggregators are
 * named. read:   the other way round, a function of bytes and length; `where` names them in errors. NULL: cannot be
 * read. */
typedef struct {
  const char *id;
  const char *endings; /* of file names, separated by spaces */
  const char *help;
  bool tables;
  ci_output_write *write;
  ci_status (*read)(const char *where, const char *bytes, size_t length, ci_result **result, ci_error *err);
} ci_output;

const ci_output *ci_outputs(size_t *count);
const ci_output *ci_output_find(const char *id); /* NULL: unknown */
/* An error with the nearest id when there is none. */
ci_status ci_output_named(const char *id, const ci_output **output, ci_error *err);

/* Aggregates as the options and their view say, and writes. */
ci_status ci_output_render(const ci_output *output, const ci_result *result, const ci_show_options *options,
                           ci_text *out, ci_error *err);

#define CI_OUTPUT(id, endings, help, tables, write, read) ci_output_write write;
#include "output/outputs.def"
#undef CI_OUTPUT
extern const char *const ci_inseq_sequence_classes[]; /* by ci_result_kind */
ci_status ci_inseq_json_read(const char *where, const char *bytes, size_t length, ci_result **result, ci_error *err);

#endif
