/* What becomes of a result, whether it was just computed or loaded: tables on stdout, files. */
#include "cli.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

const cli_option cli_result_options[] = {
    {"save_path", "-o", "word", "null", "@files", "File to save the result in, as Inseq's JSON.", "Output"},
    {"viz_path", NULL, "word", "null", "@files",
     "File to save the heat tables in; its ending says as what: .html, .csv, .tex, ... (cinseq list outputs).",
     "Output"},
    {"json", NULL, "bool", "false", NULL,
     "Print the result as Inseq's JSON, as --save_path saves it, in place of the tables.", "Output"},
    {"hide_attributions", "--hide", "bool", "false", NULL, "Do not print the tables.", "Output"},
    {"color", NULL, "word", "\"auto\"", "auto|always|never",
     "Colours of the tables; auto: where stdout is a terminal and NO_COLOR is not set.", "Table"},
    {"width", NULL, "int", "null", NULL, "Columns to draw in; 0: no limit; without it those of the terminal.", "Table"},
    CLI_QUIET_OPTION,
    {0}};

/* Learns that a file cannot be written before the work, not after it. */
static int check_path(const cli_command *command, const json_t *values, const char *name) {
  const char *path = cli_get_text(values, name);
  if (!path) return CLI_OK;
  const char *slash = strrchr(path, '/');
  char *folder = slash == NULL ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
  int failed = folder ? access(folder, W_OK | X_OK) : 0;
  free(folder);
  struct stat info;
  if (!failed && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) failed = errno = EISDIR;
  if (!failed) return CLI_OK;
  fprintf(stderr, "cinseq %s: --%s: cannot write %s: %s\n", command->id, name, path, strerror(errno));
  return CLI_FAILURE;
}

/* *output is the id of what the ending of path stands for. CLI_OK, or CLI_USAGE after a message. */
static int find_output(const cli_command *command, const char *path, json_t **output) {
  char *text = cinseq_describe("outputs");
  json_t *rows = text ? json_loads(text, 0, NULL) : NULL, *row, *ending, *known = json_string("");
  const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
  size_t i, k;
  *output = NULL;
  json_array_foreach(rows, i, row) json_array_foreach(json_object_get(row, "endings"), k, ending) {
    const char *name = json_string_value(ending);
    if (dot && strcasecmp(dot + 1, name) == 0) *output = json_incref(json_object_get(row, "id"));
    json_t *longer = json_sprintf("%s%s.%s", json_string_value(known), i + k ? ", " : "", name);
    json_decref(known);
    known = longer;
  }
  int code = *output ? CLI_OK
                     : cli_usage_error(command,
                                       "--viz_path: what is %s to be? Its name should end in one of %s; pictures are "
                                       "drawn in Python: save_figure",
                                       path, json_string_value(known));
  json_decref(known);
  json_decref(rows);
  cinseq_free(text);
  return code;
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

/* The result as `output` in new memory of cinseq_free's; keys of `more` are put on top of what was given for "show". */
static int render(const cli_command *command, const json_t *values, const cinseq_result *result, const char *output,
                  const json_t *more, char **text) {
  json_t *options = json_object();
  json_object_update(options, json_object_get(values, "show"));
  json_object_update(options, (json_t *)more);
  char *json = json_dumps(options, 0);
  cinseq_error error = {0};
  int status = cinseq_result_render(result, output, json, text, &error);
  free(json);
  json_decref(options);
  return status ? cli_report(command, &error) : CLI_OK;
}

/* What goes to stdout: Inseq's JSON, or the tables. */
static int show(const cli_command *command, const json_t *values, const cinseq_result *result) {
  bool as_json = cli_get_flag(values, "json");
  if (!as_json && cli_get_flag(values, "hide_attributions")) return CLI_OK;
  const json_t *given = json_object_get(json_object_get(values, "cli"), "width");
  json_int_t width = json_is_integer(given) ? json_integer_value(given) : cli_width(stdout);
  json_t *terminal = json_pack("{s:s, s:I}", "color", choose_color(values), "width", width);
  char *text = NULL;
  int code = render(command, values, result, as_json ? "json" : "terminal", terminal, &text);
  if (!code) fputs(text, stdout);
  if (!code && as_json) fputs("\n", stdout);
  cinseq_free(text);
  json_decref(terminal);
  return code ? code : cli_finish_output(command);
}

static int save(const cli_command *command, const json_t *values, const cinseq_result *result, const char *output,
                const char *path) {
  char *text = NULL;
  cinseq_error error = {0};
  int code = render(command, values, result, output, NULL, &text);
  if (!code && cinseq_file_write(path, text, &error)) code = cli_report(command, &error);
  cinseq_free(text);
  return code;
}

static int save_result(const cli_command *command, const json_t *values, const cinseq_result *result) {
  const char *path = cli_get_text(values, "save_path");
  if (!path) return CLI_OK;
  bool aggregates = json_object_get(json_object_get(values, "show"), "attribution_aggregators") != NULL;
  if (!cli_get_flag(values, "quiet"))
    fprintf(stderr, "Saving %sattributions to %s\n", aggregates ? "aggregated " : "", path);
  cinseq_result *aggregated = NULL;
  cinseq_error error = {0};
  char *options = json_dumps(json_object_get(values, "show"), 0);
  int status = aggregates ? cinseq_result_aggregate(result, options, &aggregated, &error) : 0;
  if (!status) status = cinseq_result_save(aggregated ? aggregated : result, path, &error);
  cinseq_result_close(aggregated);
  free(options);
  return status ? cli_report(command, &error) : CLI_OK;
}

static int save_drawing(const cli_command *command, const json_t *values, const cinseq_result *result) {
  const char *path = cli_get_text(values, "viz_path");
  if (!path) return CLI_OK;
  if (!cli_get_flag(values, "quiet")) fprintf(stderr, "Saving visualization to %s\n", path);
  json_t *output = NULL;
  int code = find_output(command, path, &output);
  if (!code) code = save(command, values, result, json_string_value(output), path);
  json_decref(output);
  return code;
}

int cli_check_outputs(const cli_command *command, const json_t *values) {
  const char *drawing = cli_get_text(values, "viz_path");
  json_t *output = NULL;
  int code = drawing ? find_output(command, drawing, &output) : CLI_OK;
  json_decref(output);
  if (!code) code = check_path(command, values, "save_path");
  return code ? code : check_path(command, values, "viz_path");
}

int cli_output_result(const cli_command *command, const json_t *values, const cinseq_result *result) {
  int shown = show(command, values, result), drawn = save_drawing(command, values, result),
      saved = save_result(command, values, result);
  return shown ? shown : drawn ? drawn : saved;
}
