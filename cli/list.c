/* cinseq list: what this build can do. */
#include "cli.h"
#include <string.h>

static const cli_option options[] = {{"json", NULL, "bool", "false", NULL, "Print the descriptors as JSON.", "Output"},
                                     {0}};

static const char *const examples[] = {"cinseq list methods", "cinseq list kinds", "cinseq list models --json", NULL};

/* The rows of a kind; NULL: no such kind. New reference. */
static json_t *describe(const char *kind) {
  char *text = cinseq_describe(kind);
  json_t *rows = text ? json_loads(text, 0, NULL) : NULL;
  cinseq_free(text);
  return rows;
}

/* word NULL: none was given. */
static int unknown_kind(const cli_command *command, const char *word) {
  json_t *names = json_array(), *rows = describe("kinds"), *row, *list = json_string("");
  size_t i;
  json_array_foreach(rows, i, row) {
    json_t *id = json_object_get(row, "id");
    json_array_append(names, id);
    json_t *longer = json_sprintf("%s%s%s", json_string_value(list), i ? ", " : "", json_string_value(id));
    json_decref(list);
    list = longer;
  }
  const char *nearest = word ? cli_nearest(word, names) : NULL, *all = json_string_value(list);
  int code = !word     ? cli_usage_error(command, "expected one of %s", all)
             : nearest ? cli_usage_error(command, "no list of \"%s\": did you mean \"%s\"?", word, nearest)
                       : cli_usage_error(command, "no list of \"%s\", expected one of %s", word, all);
  json_decref(list);
  json_decref(rows);
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
  const json_t *row, *option, *ending;
  json_array_foreach(rows, i, row) {
    size_t n = json_string_length(json_object_get(row, "id"));
    if (n > widest) widest = n;
  }
  json_array_foreach(rows, i, row) {
    printf("%-*s  %s", (int)widest, json_string_value(json_object_get(row, "id")),
           json_string_value(json_object_get(row, "help")));
    json_array_foreach(json_object_get(row, "endings"), k, ending)
        printf("%s.%s", k ? ", " : " Files: ", json_string_value(ending));
    puts("");
    json_array_foreach(json_object_get(row, "options"), k, option) print_option(option);
  }
}

static int run(const cli_command *command, const json_t *values) {
  const json_t *arguments = json_object_get(values, "arguments");
  const char *kind = json_string_value(json_array_get(arguments, 0));
  if (json_array_size(arguments) != 1) return unknown_kind(command, NULL);
  json_t *rows = describe(kind);
  if (!rows) return unknown_kind(command, kind);
  if (cli_get_flag(values, "json")) {
    json_dumpf(rows, stdout, JSON_REAL_PRECISION(15));
    puts("");
  } else
    print_rows(rows);
  json_decref(rows);
  return cli_finish_output(command);
}

const cli_command cli_list_command = {
    .id = "list",
    .help = "Lists what this build can do; cinseq list kinds says of what there are lists.",
    .argument = "KIND",
    .argument_kind = "kinds",
    .options = options,
    .examples = examples,
    .run = run,
};
