/* cinseq info: what a model folder holds, without running it. */
#include "cli.h"
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    CLI_MODEL_OPTION, {"json", NULL, "bool", "false", NULL, "Print it as JSON.", "Output"}, {0}};

static const cli_request requests[] = {{"open", "Model", NULL}, {0}};

static const char *const examples[] = {"cinseq info zh-en-mini", "cinseq info -m stories260K --json", NULL};

/* "key  value" lines; what is inside an object is indented. */
static void print_object(const json_t *object, int depth) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)object, key, value) {
    char text[512];
    printf("%*s", depth * 2, "");
    cli_put_text(stdout, key, strlen(key), true);
    if (json_is_object(value)) {
      puts("");
      print_object(value, depth + 1);
      continue;
    }
    size_t n = json_is_string(value) ? (size_t)snprintf(text, sizeof text, "%s", json_string_value(value))
                                     : json_dumpb(value, text, sizeof text - 1, JSON_ENCODE_ANY);
    text[n < sizeof text ? n : sizeof text - 1] = 0;
    int pad = 20 - depth * 2 - (int)strlen(key);
    printf("%*s  ", pad > 0 ? pad : 0, "");
    cli_put_text(stdout, text, strlen(text), true);
    puts("");
  }
}

static int run(const cli_command *command, const json_t *values) {
  const json_t *arguments = json_object_get(values, "arguments"), *path = json_array_get(arguments, 0);
  if (json_array_size(arguments) > 1) return cli_usage_error(command, "expected one model");
  if (path) json_object_set(json_object_get(values, "cli"), "model_name_or_path", (json_t *)path);
  cinseq_model *model = NULL;
  cli_progress progress;
  cli_progress_start(&progress, false);
  int code = cli_open_model(command, values, &progress.hooks, &model);
  cli_progress_end(&progress);
  if (code) return code;
  char *text = cinseq_model_info(model);
  json_t *info = text ? json_loads(text, 0, NULL) : NULL;
  if (cli_get_flag(values, "json"))
    puts(text ? text : "{}");
  else
    print_object(info, 0);
  json_decref(info);
  cinseq_free(text);
  cli_close_model(model);
  return cli_finish_output(command);
}

const cli_command cli_info_command = {
    .id = "info",
    .help = "Says what a model folder holds: architecture, shapes, files, tokenizer.",
    .argument = "MODEL",
    .argument_kind = "installed",
    .options = options,
    .requests = requests,
    .examples = examples,
    .run = run,
};
