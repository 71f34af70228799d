/* cinseq view: a saved result again, from here or from Inseq: as tables, as a page, as another file. */
#include "cli.h"
#include <stdlib.h>

static const cli_request requests[] = {{"show", "Table", NULL}, {0}};

static const char *const examples[] = {"cinseq view result.json",
                                       "cinseq view result.json --hide --viz_path result.html",
                                       "cinseq view result.json --attribution_aggregators mean --no_normalize",
                                       "cinseq view result.json --attribution_aggregators vnorm subwords --aggregate_fn default sum",
                                       NULL};

/* The results of some files as one. */
static int load(const cli_command *command, const json_t *paths, cinseq_result **result) {
  size_t count = json_array_size(paths), loaded = 0;
  cinseq_result **parts = calloc(count, sizeof *parts);
  cinseq_error error = {0};
  int status = parts ? 0 : CINSEQ_ENOMEM;
  for (; loaded < count && !status; loaded++)
    status = cinseq_result_load(json_string_value(json_array_get(paths, loaded)), &parts[loaded], &error);
  if (!status && count == 1) *result = parts[0];
  else if (!status) status = cinseq_result_merge((const cinseq_result *const *)parts, count, result, &error);
  for (size_t i = 0; parts && i < loaded; i++)
    if (parts[i] != *result) cinseq_result_close(parts[i]);
  free(parts);
  return status ? cli_report(command, &error) : CLI_OK;
}

static int run(const cli_command *command, const json_t *values) {
  const json_t *arguments = json_object_get(values, "arguments");
  if (json_array_size(arguments) < 1) return cli_usage_error(command, "expected a file");
  int code = cli_check_requests(command, values);
  if (!code) code = cli_check_outputs(command, values);
  if (code) return code;
  cinseq_result *result = NULL;
  code = load(command, arguments, &result);
  if (!code) code = cli_output_result(command, values, result);
  cinseq_result_close(result);
  return code;
}

const cli_command cli_view_command = {
    .id = "view",
    .help = "Shows saved results again, of cinseq or of Inseq, or makes another file of them: of several, one.",
    .argument = "FILE.json ...",
    .shared = cli_result_options,
    .requests = requests,
    .examples = examples,
    .run = run,
};
