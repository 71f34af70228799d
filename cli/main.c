/* cinseq COMMAND ...: finds the command, lets args.c read its flags, runs it. */
#include "cli.h"
#include <string.h>

static const cli_command *const commands[] = {
#define CLI_COMMAND(id) &cli_##id##_command,
#include "commands.def"
#undef CLI_COMMAND
};

const cli_command *cli_command_at(size_t index) {
  return index < sizeof commands / sizeof *commands ? commands[index] : NULL;
}

static void print_words(const char *label, const json_t *words) {
  size_t i;
  const json_t *word;
  printf("%s", label);
  json_array_foreach(words, i, word) printf("%s %s", i ? "," : "", json_string_value(word));
  puts("");
}

static int print_version(void) {
  char *text = cinseq_build_info();
  json_t *info = text ? json_loads(text, 0, NULL) : NULL;
  cinseq_free(text);
  printf("cinseq %s\n", cinseq_version());
  print_words("CPU features used:", json_object_get(info, "cpu"));
  print_words("matrix products:", json_object_get(info, "gemm"));
  const char *name, *separator = "";
  json_t *version;
  printf("libraries:");
  json_object_foreach(json_object_get(info, "libraries"), name, version) {
    printf("%s %s %s", separator, name, json_string_value(version));
    separator = ",";
  }
  puts("");
  json_decref(info);
  return cli_finish_output(NULL);
}

static int unknown_command(const char *word) {
  json_t *names = json_array();
  for (size_t i = 0; cli_command_at(i); i++) json_array_append_new(names, json_string(cli_command_at(i)->id));
  const char *nearest = cli_nearest(word, names);
  int code = *word == '-' ? cli_usage_error(NULL, "%s stands where a command is expected", word)
             : nearest    ? cli_usage_error(NULL, "no command \"%s\": did you mean \"%s\"?", word, nearest)
                          : cli_usage_error(NULL, "no command \"%s\"", word);
  json_decref(names);
  return code;
}

static const cli_command *find_command(const char *word) {
  for (size_t i = 0; cli_command_at(i); i++)
    if (strcmp(cli_command_at(i)->id, word) == 0) return cli_command_at(i);
  return NULL;
}

/* Whether a flag of help stands among the flags. */
static bool wants_help(int argc, char **argv) {
  for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
  return false;
}

static int run_command(const cli_command *command, int argc, char **argv) {
  if (wants_help(argc, argv)) {
    cli_help(command, stdout);
    return cli_finish_output(command);
  }
  if (!command->run) {
    fprintf(stderr, "cinseq %s: is planned, not there yet (see cinseq --help)\n", command->id);
    return CLI_USAGE;
  }
  json_t *values = NULL;
  int code = cli_parse(command, argc, argv, &values);
  if (!code) code = command->run(command, values);
  json_decref(values);
  return code;
}

int main(int argc, char **argv) {
  cli_watch_files();
  if (argc < 2) { /* as Inseq's command does */
    cli_help_all(stdout);
    return CLI_FAILURE;
  }
  const char *word = argv[1];
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
    const cli_command *about = argc > 2 ? find_command(argv[2]) : NULL;
    if (argc > 2 && !about) return unknown_command(argv[2]);
    if (about)
      cli_help(about, stdout);
    else
      cli_help_all(stdout);
    return cli_finish_output(NULL);
  }
  if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) return print_version();
  const cli_command *command = find_command(word);
  return command ? run_command(command, argc - 2, argv + 2) : unknown_command(word);
}
