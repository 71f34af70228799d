/* cinseq attribute: the heat tables on stdout, the result in a file. */
#include "cli.h"
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {CLI_MODEL_OPTION, CLI_VERBOSE_OPTIONS, CLI_KEEP_OPTION, {0}};

static const cli_request requests[] = {
    {"open", "Model", NULL}, {"attribute", "Attribution", NULL}, {"show", "Table", NULL}, {0}};

static const char *const examples[] = {
    "cinseq attribute -m zh-en-mini -i \"今天学到了很多，我很开心。\" --step_scores probability",
    "cinseq attribute -m stories260K -i \"Once upon a time\" --generation_kwargs '{\"max_new_tokens\": 15}' -a "
    "attention",
    "cinseq attribute -m zh-en-mini -i \"我很开心。\" -g \"I am very happy.\" -a integrated_gradients "
    "--attribution_kwargs '{\"n_steps\": 20}' --hide -o result.json",
    "printf '我很开心。\\n他在这里。\\n' | cinseq attribute -m zh-en-mini -i - --hide --viz_path result.csv", NULL};

static void print_statistics(const json_t *values, const cinseq_result *result) {
  char *text = cinseq_result_statistics(result);
  json_t *s = text ? json_loads(text, 0, NULL) : NULL;
  if (cli_get_flag(values, "very_verbose"))
    fprintf(stderr, "%s\n", text ? text : "{}");
  else if (cli_get_flag(values, "verbose"))
    fprintf(stderr, "%lld sequence%s, %lld source and %lld target tokens\n",
            (long long)json_integer_value(json_object_get(s, "sequences")),
            json_integer_value(json_object_get(s, "sequences")) == 1 ? "" : "s",
            (long long)json_integer_value(json_object_get(s, "source_tokens")),
            (long long)json_integer_value(json_object_get(s, "target_tokens")));
  cli_closing_line("attributed", (size_t)json_integer_value(json_object_get(s, "attributed_tokens")),
                   json_number_value(json_object_get(s, "seconds")), cli_peak_bytes());
  json_decref(s);
  cinseq_free(text);
}

/* The request as it was given, and what the program wants of interrupted runs. Free with free. */
static char *request_text(const json_t *values) {
  json_t *request = json_copy(json_object_get(values, "attribute"));
  json_object_set_new(request, "keep_finished", json_boolean(cli_get_flag(values, "keep_finished")));
  char *text = json_dumps(request, 0);
  json_decref(request);
  return text;
}

/* Of a run that Ctrl-C has ended. The exit code. */
static int report_interrupted(const cli_command *command, const json_t *values, size_t done, size_t texts) {
  bool saved = cli_get_text(values, "save_path") || cli_get_text(values, "viz_path"),
       hidden = cli_get_flag(values, "hide_attributions");
  fprintf(stderr, "cinseq %s: interrupted: %zu of %zu texts are done%s\n", command->id, done, texts,
          saved    ? " and saved"
          : hidden ? ""
                   : " and shown");
  return CLI_INTERRUPTED;
}

int cli_attribute(const cli_command *command, const json_t *values) {
  const json_t *given = json_object_get(values, "attribute");
  int code = cli_check_requests(command, values);
  if (!code) code = cli_check_outputs(command, values);
  if (code) return code;
  cli_progress progress;
  cli_progress_start(&progress, cli_get_flag(values, "quiet"));
  cinseq_model *model = NULL;
  cinseq_result *result = NULL;
  cinseq_error error = {0};
  code = cli_open_model(command, values, &progress.hooks, &model);
  char *request = request_text(values);
  int status = code ? 0 : cinseq_attribute(model, request, &progress.hooks, &result, &error);
  free(request);
  cli_progress_end(&progress);
  if (status) code = cli_report(command, &error);
  if (result) code = cli_output_result(command, values, result);
  if (!code && !cli_get_flag(values, "quiet")) print_statistics(values, result);
  size_t texts = json_array_size(json_object_get(given, "input_texts"));
  if (!code && cinseq_result_count(result) < texts)
    code = report_interrupted(command, values, cinseq_result_count(result), texts);
  cinseq_result_close(result);
  cli_close_model(model);
  return code;
}

static int run(const cli_command *command, const json_t *values) {
  if (!json_object_get(json_object_get(values, "attribute"), "input_texts"))
    return cli_usage_error(command, "--input_texts (-i) is needed");
  return cli_attribute(command, values);
}

const cli_command cli_attribute_command = {
    .id = "attribute",
    .help = "Says which input tokens each generated token came from, and draws it as a heat table.",
    .options = options,
    .shared = cli_result_options,
    .requests = requests,
    .examples = examples,
    .run = run,
};
