/* cinseq generate: the model's output for each input, as text or as JSON lines. */
#include "cli.h"
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    CLI_MODEL_OPTION,
    {"json", NULL, "bool", "false", NULL, "Print a JSON object a line: input_ids, output_ids, text.", "Output"},
    CLI_QUIET_OPTION,
    CLI_VERBOSE_OPTIONS,
    {0}};

static const cli_request requests[] = {{"open", "Model", NULL}, {"generate", "Generation", NULL}, {0}};

static const char *const examples[] = {
    "cinseq generate -m zh-en-mini -i \"今天学到了很多，我很开心。\"",
    "cinseq generate -m stories260K -i \"Once upon a time\" --generation_kwargs '{\"max_new_tokens\": 30}' --json",
    NULL};

/* Ids that were not given: those of a decoder-only model follow the input, those of an encoder-decoder the start token.
 */
static size_t count_new(const json_t *line) {
  const json_t *input = json_object_get(line, "input_ids"), *output = json_object_get(line, "output_ids");
  size_t given = json_array_size(input), count = json_array_size(output), i = 0;
  while (i < given && i < count && json_equal(json_array_get(input, i), json_array_get(output, i))) i++;
  return i == given ? count - given : count > 0 ? count - 1 : 0;
}

/* Prints what was asked for and counts the new tokens. */
static size_t print_lines(const char *lines, bool as_json) {
  size_t tokens = 0;
  while (*lines) {
    size_t n = strcspn(lines, "\n");
    json_t *line = json_loadb(lines, n, 0, NULL);
    tokens += count_new(line);
    const json_t *text = json_object_get(line, "text");
    if (as_json)
      cli_put_text(stdout, lines, n, false);
    else
      cli_put_text(stdout, json_string_value(text), json_string_length(text), false);
    fputc('\n', stdout);
    json_decref(line);
    lines += n;
    lines += *lines == '\n';
  }
  return tokens;
}

static int run(const cli_command *command, const json_t *values) {
  const json_t *given = json_object_get(values, "generate");
  if (!json_object_get(given, "input_texts") && !json_object_get(given, "input_ids"))
    return cli_usage_error(command, "--input_texts (-i) is needed");
  int code = cli_check_requests(command, values);
  if (code) return code;
  cli_progress progress;
  cli_progress_start(&progress, cli_get_flag(values, "quiet"));
  cinseq_model *model = NULL;
  cinseq_error error = {0};
  char *lines = NULL, *request = json_dumps(given, 0);
  code = cli_open_model(command, values, &progress.hooks, &model);
  double start = cli_seconds();
  int status = code ? 0 : cinseq_generate(model, request, &progress.hooks, &lines, &error);
  double seconds = cli_seconds() - start;
  free(request);
  cli_progress_end(&progress);
  if (status) code = cli_report(command, &error);
  if (!code) {
    size_t tokens = print_lines(lines, cli_get_flag(values, "json"));
    code = cli_finish_output(command);
    if (!code && !cli_get_flag(values, "quiet")) cli_closing_line("generated", tokens, seconds, cli_peak_bytes());
  }
  cinseq_free(lines);
  cli_close_model(model);
  return code;
}

const cli_command cli_generate_command = {
    .id = "generate",
    .help = "Generates text, with the ids that transformers would give.",
    .options = options,
    .requests = requests,
    .examples = examples,
    .run = run,
};
