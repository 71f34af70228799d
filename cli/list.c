/* cinseq list: what this build can do. */
#include "cli.h"
#include <string.h>

static const cli_option options[] = {{"json", NULL, "bool", "false", NULL, "Print the descriptors as JSON.", "Output"},
                                     {0}};

static const char *const kinds[] = {"methods", "scores",     "models",  "aggregators", "formats",
                                    "tokenizers", "outputs", "installed", NULL};

static const char *const examples[] = {"cinseq list methods", "cinseq list models --json", NULL};

static int unknown_kind(const cli_command *command, const char *word) {
  json_t *names = json_array();
  for (size_t i = 0; kinds[i]; i++) json_array_append_new(names, json_string(kinds[i]));
  const char *nearest = cli_nearest(word, names);
  int code = nearest ? cli_usage_error(command, "no list of \"%s\": did you mean \"%s\"?", word, nearest)
                     : cli_usage_error(command, "no list of \"%s\", expected %s", word, command->argument);
  json_decref(names);
  return code;
}

static void print_option(const json_t *option) {
  char fallback[256];
  size_t n = json_dumpb(json_object_get(option, "default"), fallback, sizeof fallback - 1,
                        JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
  fallback[n < sizeof fallback ? n : 0] = 0;
  printf("    %s=%s: %s\n", json_string_value(json_object_get(option, "name")), fallback,
         json_string_value(json_object_get(option, "help")));
}

static void print_rows(const json_t *rows) {
  size_t i, k, widest = 0;
  const json_t *row, *option;
  json_array_foreach(rows, i, row) {
    size_t n = json_string_length(json_object_get(row, "id"));
    if (n > widest) widest = n;
  }
  json_array_foreach(rows, i, row) {
    printf("%-*s  %s\n", (int)widest, json_string_value(json_object_get(row, "id")),
           json_string_value(json_object_get(row, "help")));
    json_array_foreach(json_object_get(row, "options"), k, option) print_option(option);
  }
}

static int run(const cli_command *command, const json_t *values) {
  const json_t *arguments = json_object_get(values, "arguments");
  const char *kind = json_string_value(json_array_get(arguments, 0));
  if (json_array_size(arguments) != 1) return cli_usage_error(command, "expected one of %s", command->argument);
  bool known = false;
  for (size_t i = 0; kinds[i]; i++) known = known || strcmp(kinds[i], kind) == 0;
  if (!known) return unknown_kind(command, kind);
  char *text = cinseq_describe(kind);
  json_t *rows = text ? json_loads(text, 0, NULL) : NULL;
  if (!cli_get_flag(values, "json"))
    print_rows(rows);
  else if (text)
    puts(text);
  json_decref(rows);
  cinseq_free(text);
  return cli_finish_output(command);
}

const cli_command cli_list_command = {
    .id = "list",
    .help = "Lists methods, scores, models and more.",
    .argument = "methods|scores|models|aggregators|formats|tokenizers|outputs|installed",
    .options = options,
    .examples = examples,
    .run = run,
};
