/* cinseq attribute: the heat tables on stdout, the result in a file. */
#include "cli.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const cli_option options[] = {
    CLI_MODEL_OPTION,
    {"save_path", "-o", "word", "null", NULL, "File to save the result in, as Inseq's JSON.", "Output"},
    {"viz_path", NULL, "word", "null", NULL, "File to save the heat tables in, as one HTML page.", "Output"},
    {"hide_attributions", "--hide", "bool", "false", NULL, "Do not print the tables.", "Output"},
    CLI_VERBOSE_OPTIONS,
    {"color", NULL, "word", "\"auto\"", "auto|always|never",
     "Colours of the tables; auto: where stdout is a terminal and NO_COLOR is not set.", "Table"},
    {"width", NULL, "int", "null", NULL, "Columns to draw in; 0: no limit; without it those of the terminal.", "Table"},
    {0}};

static const cli_request requests[] = {{"open", "Model"}, {"attribute", "Attribution"}, {"show", "Table"}, {0}};

static const char *const examples[] = {
    "cinseq attribute -m zh-en-mini -i \"今天学到了很多，我很开心。\" --step_scores probability",
    "cinseq attribute -m stories260K -i \"Once upon a time\" --generation_kwargs '{\"max_new_tokens\": 15}' -a "
    "attention",
    "cinseq attribute -m zh-en-mini -i \"我很开心。\" -g \"I am very happy.\" -a integrated_gradients "
    "--attribution_kwargs '{\"n_steps\": 20}' --hide -o result.json",
    NULL};

/* Learns that a file cannot be written before the work, not after it. */
static int check_path(const cli_command *command, const json_t *values, const char *name) {
  const char *path = cli_get_text(values, name);
  if (!path) return CLI_OK;
  const char *slash = strrchr(path, '/');
  char *folder = slash == NULL ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
  int failed = folder ? access(folder, W_OK | X_OK) : 0;
  free(folder);
  if (!failed) return CLI_OK;
  fprintf(stderr, "cinseq %s: --%s: cannot write %s: %s\n", command->id, name, path, strerror(errno));
  return CLI_FAILURE;
}

/* What the terminal can do, by the variables that terminals set. */
static const char *choose_color(const json_t *values) {
  const char *wanted = cli_get_text(values, "color"), *no_color = getenv("NO_COLOR"), *term = getenv("TERM"),
             *colorterm = getenv("COLORTERM");
  bool automatic = !wanted || strcmp(wanted, "auto") == 0;
  if (wanted && strcmp(wanted, "never") == 0) return "none";
  if (automatic && (!isatty(STDOUT_FILENO) || (no_color && *no_color) || (term && strcmp(term, "dumb") == 0)))
    return "none";
  return colorterm && (strcmp(colorterm, "truecolor") == 0 || strcmp(colorterm, "24bit") == 0) ? "truecolor" : "256";
}

static int show(const cli_command *command, const json_t *values, const cinseq_result *result) {
  json_t *wanted = json_deep_copy(json_object_get(values, "show")),
         *width = json_object_get(json_object_get(values, "cli"), "width");
  if (!wanted) wanted = json_object();
  json_object_set_new(wanted, "color", json_string(choose_color(values)));
  json_object_set_new(wanted, "width",
                      json_integer(json_is_integer(width) ? json_integer_value(width) : cli_width(stdout)));
  char *text = NULL, *json = json_dumps(wanted, 0);
  cinseq_error error = {0};
  int status = cinseq_result_show(result, json, &text, &error);
  if (!status) fputs(text, stdout);
  cinseq_free(text);
  free(json);
  json_decref(wanted);
  return status ? cli_report(command, &error) : cli_finish_output(command);
}

static int save(const cli_command *command, const json_t *values, const cinseq_result *result) {
  const char *path = cli_get_text(values, "save_path");
  cinseq_error error = {0};
  if (!path) return CLI_OK;
  fprintf(stderr, "Saving attributions to %s\n", path);
  int status = cinseq_result_save(result, path, &error);
  return status ? cli_report(command, &error) : CLI_OK;
}

static int save_page(const cli_command *command, const json_t *values, const cinseq_result *result) {
  const char *path = cli_get_text(values, "viz_path");
  if (!path) return CLI_OK;
  char *page = NULL, *json = json_dumps(json_object_get(values, "show"), 0);
  cinseq_error error = {0};
  fprintf(stderr, "Saving visualization to %s\n", path);
  int status = cinseq_result_html(result, json, &page, &error);
  if (!status) status = cinseq_file_write(path, page, &error);
  cinseq_free(page);
  free(json);
  return status ? cli_report(command, &error) : CLI_OK;
}

static void print_statistics(const json_t *values, const cinseq_result *result) {
  char *text = cinseq_result_statistics(result);
  json_t *s = text ? json_loads(text, 0, NULL) : NULL;
  if (cli_get_flag(values, "very_verbose"))
    fprintf(stderr, "%s\n", text ? text : "{}");
  else if (cli_get_flag(values, "verbose"))
    fprintf(stderr, "%lld sequences, %lld source and %lld target tokens\n",
            (long long)json_integer_value(json_object_get(s, "sequences")),
            (long long)json_integer_value(json_object_get(s, "source_tokens")),
            (long long)json_integer_value(json_object_get(s, "target_tokens")));
  cli_closing_line("attributed", (size_t)json_integer_value(json_object_get(s, "attributed_tokens")),
                   json_number_value(json_object_get(s, "seconds")), cli_peak_bytes());
  json_decref(s);
  cinseq_free(text);
}

static int run(const cli_command *command, const json_t *values) {
  const json_t *given = json_object_get(values, "attribute");
  if (!json_object_get(given, "input_texts")) return cli_usage_error(command, "--input_texts (-i) is needed");
  int code = check_path(command, values, "save_path");
  if (!code) code = check_path(command, values, "viz_path");
  if (code) return code;
  cli_progress progress;
  cli_progress_start(&progress);
  cinseq_model *model = NULL;
  cinseq_result *result = NULL;
  cinseq_error error = {0};
  code = cli_open_model(command, values, &progress.hooks, &model);
  char *request = json_dumps(given, 0);
  int status = code ? 0 : cinseq_attribute(model, request, &progress.hooks, &result, &error);
  free(request);
  cli_progress_end(&progress);
  if (status) code = cli_report(command, &error);
  if (!code && !cli_get_flag(values, "hide_attributions")) code = show(command, values, result);
  if (result) {
    int drawn = save_page(command, values, result), saved = save(command, values, result);
    code = code ? code : drawn ? drawn : saved;
  }
  if (!code) print_statistics(values, result);
  cinseq_result_close(result);
  cinseq_model_close(model);
  return code;
}

const cli_command cli_attribute_command = {
    .id = "attribute",
    .help = "Says which input tokens each generated token came from, and draws it as a heat table.",
    .options = options,
    .requests = requests,
    .examples = examples,
    .run = run,
};
