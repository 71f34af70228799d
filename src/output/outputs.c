/* The table of outputs. */
#include "output/output.h"
#include "output/view.h"
#include <string.h>

static const ci_output outputs[] = {
#define CI_OUTPUT(id, endings, help, tables, write, read) {id, endings, help, tables, write, read},
#include "output/outputs.def"
#undef CI_OUTPUT
};

enum { OUTPUTS = sizeof outputs / sizeof *outputs };

const ci_output *ci_outputs(size_t *count) {
  *count = OUTPUTS;
  return outputs;
}

const ci_output *ci_output_find(const char *id) {
  for (size_t i = 0; i < OUTPUTS; i++)
    if (strcmp(outputs[i].id, id) == 0) return &outputs[i];
  return NULL;
}

ci_status ci_output_named(const char *id, const ci_output **output, ci_error *err) {
  const char *names[OUTPUTS];
  for (size_t i = 0; i < OUTPUTS; i++) names[i] = outputs[i].id;
  *output = ci_output_find(id);
  if (*output) return CI_OK;
  const char *nearest = ci_nearest(id, names, OUTPUTS);
  return ci_fail(err, CI_EINVAL, "output", "no output \"%s\"%s%s%s", id, nearest ? ": did you mean \"" : "",
                 nearest ? nearest : " (see: cinseq list outputs)", nearest ? "\"?" : "");
}

ci_status ci_output_render(const ci_output *output, const ci_result *result, const ci_show_options *options,
                           ci_text *out, ci_error *err) {
  if (!output->tables && !options->aggregators) return output->write(result, options, out, err);
  ci_result *aggregated = NULL;
  ci_status status = output->tables
                         ? ci_view_prepare(ci_view_of(options), result, options, &aggregated, err)
                         : ci_result_aggregate(result, options->aggregators, options->arguments, &aggregated, err);
  if (!status) status = output->write(aggregated, options, out, err);
  ci_result_close(aggregated);
  return status;
}
