/* cinseq dump: the values of a model's nodes for a text, as a safetensors file. */
#include "cli.h"
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    CLI_MODEL_OPTION,
    {"nodes", NULL, "word", "null", NULL, "Which nodes: a pattern of their names, or a module of transformers.",
     "Output"},
    {"output", "-o", "word", "null", NULL, "The safetensors file that is written.", "Output"},
    CLI_QUIET_OPTION,
    CLI_VERBOSE_OPTIONS,
    {0}};

static const cli_request requests[] = {{"open", "Model", NULL},
                                       {"attribute", "Text",
                                        "input_texts generated_texts generated_ids generate_from_target_prefix "
                                        "attr_pos_start attr_pos_end chat skip_special_tokens generation_kwargs seed "
                                        "device threads memory_budget gemm"},
                                       {0}};

static const char *const examples[] = {
    "cinseq dump -m stories260K -i \"Once upon a time\" --nodes 'decoder.*.output' -o blocks.safetensors", NULL};

static int run(const cli_command *command, const json_t *values) {
  const json_t *given = json_object_get(values, "attribute"), *own = json_object_get(values, "cli");
  const char *nodes = json_string_value(json_object_get(own, "nodes")),
             *path = json_string_value(json_object_get(own, "output"));
  if (!json_object_get(given, "input_texts")) return cli_usage_error(command, "--input_texts (-i) is needed");
  if (!nodes || !path) return cli_usage_error(command, "--nodes and --output (-o) are needed");
  int code = cli_check_requests(command, values);
  if (code) return code;
  cli_progress progress;
  cli_progress_start(&progress, cli_get_flag(values, "quiet"));
  cinseq_model *model = NULL;
  cinseq_error error = {0};
  char *request = json_dumps(given, 0);
  code = cli_open_model(command, values, &progress.hooks, &model);
  int status = code ? 0 : cinseq_dump(model, request, nodes, path, &progress.hooks, &error);
  free(request);
  cli_progress_end(&progress);
  if (status) code = cli_report(command, &error);
  cli_close_model(model);
  return code;
}

const cli_command cli_dump_command = {
    .id = "dump",
    .help = "Writes the values of a model's nodes for a text.",
    .options = options,
    .requests = requests,
    .examples = examples,
    .run = run,
};
