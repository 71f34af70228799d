/* What becomes of a result, whether it was just computed or loaded: tables on stdout, files. */
#include "cli.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

int cli_check_outputs(const cli_command *command, const json_t *values) {
  int code = check_path(command, values, "save_path");
  return code ? code : check_path(command, values, "viz_path");
}

int cli_output_result(const cli_command *command, const json_t *values, const cinseq_result *result) {
  int shown = cli_get_flag(values, "hide_attributions") ? CLI_OK : show(command, values, result);
  int drawn = save_page(command, values, result), saved = save(command, values, result);
  return shown ? shown : drawn ? drawn : saved;
}
