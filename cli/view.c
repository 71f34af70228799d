/* cinseq view: a saved result again, from here or from Inseq: as tables, as a page, as another file. */
#include "cli.h"

static const cli_request requests[] = {{"show", "Table"}, {0}};

static const char *const examples[] = {"cinseq view result.json",
                                       "cinseq view result.json --hide --viz_path result.html",
                                       "cinseq view result.json --attribution_aggregators mean --no_normalize", NULL};

static int run(const cli_command *command, const json_t *values) {
  const json_t *arguments = json_object_get(values, "arguments");
  if (json_array_size(arguments) != 1) return cli_usage_error(command, "expected one file");
  int code = cli_check_requests(command, values);
  if (!code) code = cli_check_outputs(command, values);
  if (code) return code;
  cinseq_result *result = NULL;
  cinseq_error error = {0};
  if (cinseq_result_load(json_string_value(json_array_get(arguments, 0)), &result, &error))
    return cli_report(command, &error);
  code = cli_output_result(command, values, result);
  cinseq_result_close(result);
  return code;
}

const cli_command cli_view_command = {
    .id = "view",
    .help = "Shows a saved result again, of cinseq or of Inseq, or makes another file of it.",
    .argument = "FILE.json",
    .shared = cli_result_options,
    .requests = requests,
    .examples = examples,
    .run = run,
};
