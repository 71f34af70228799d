/* --help, made from the descriptors. */
#include "cli.h"
#include <string.h>

enum { INDENT = 6, NARROWEST = 40, USUAL = 100 };

/* Words of text from column `indent` on, broken before `width`. The cursor stands at the indent. */
static void print_wrapped(FILE *out, const char *text, int indent, int width) {
  int column = indent;
  while (*text) {
    int n = (int)strcspn(text, " ");
    if (column > indent && column + 1 + n > width) {
      fprintf(out, "\n%*s", indent, "");
      column = indent;
    }
    column += fprintf(out, "%s%.*s", column > indent ? " " : "", n, text);
    text += n;
    text += *text == ' ';
  }
  fputc('\n', out);
}

/* "a, b, c" of an array of strings. NULL: no memory. */
static json_t *join(const json_t *words) {
  json_t *text = json_string("");
  size_t i;
  const json_t *word;
  json_array_foreach(words, i, word) {
    json_t *longer = json_sprintf("%s%s%s", json_string_value(text), i ? ", " : "", json_string_value(word));
    json_decref(text);
    text = longer;
  }
  return text;
}

json_t *cli_option_help(const json_t *option) {
  const json_t *fallback = json_object_get(option, "default");
  json_t *text = json_incref(json_object_get(option, "help")), *longer = NULL;
  if (json_object_get(option, "choices")) {
    json_t *choices = join(json_object_get(option, "choices"));
    longer = json_sprintf("%s One of %s.", json_string_value(text), json_string_value(choices));
    json_decref(choices);
    json_decref(text);
    text = longer;
  }
  bool empty = json_is_null(fallback) || json_is_false(fallback) ||
               (json_is_object(fallback) && json_object_size(fallback) == 0) ||
               (json_is_array(fallback) && json_array_size(fallback) == 0);
  if (empty) return text;
  char value[256] = "";
  size_t n = json_dumpb(fallback, value, sizeof value - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
  value[n < sizeof value ? n : 0] = 0;
  if (json_is_string(fallback)) snprintf(value, sizeof value, "%s", json_string_value(fallback));
  longer = json_is_true(fallback) ? json_sprintf("%s (default: true; off: --no_%s)", json_string_value(text),
                                                 json_string_value(json_object_get(option, "name")))
                                  : json_sprintf("%s (default: %s)", json_string_value(text), value);
  json_decref(text);
  return longer;
}

const char *cli_placeholder(const json_t *option) {
  static const struct {
    const char *type, *kind, *shown; /* kind NULL: any other */
  } rows[] = {{"bool", NULL, ""},
              {"int", NULL, " N"},
              {"ints", NULL, " N..."},
              {"real", NULL, " X"},
              {"word", "files", " FILE"},
              {"word", "installed", " MODEL"},
              {"word", "methods", " METHOD"},
              {"word", "scores", " SCORE"},
              {"words", "scores", " SCORE..."},
              {"word", NULL, " WORD"},
              {"words", NULL, " NAME..."},
              {"texts", NULL, " TEXT..."},
              {"table", NULL, " JSON"},
              {"json", NULL, " JSON"}};
  const char *type = json_string_value(json_object_get(option, "type")),
             *kind = json_string_value(json_object_get(option, "kind"));
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcmp(rows[i].type, type) == 0 && (!rows[i].kind || (kind && strcmp(rows[i].kind, kind) == 0)))
      return rows[i].shown;
  return "";
}

static void print_option(const json_t *option, FILE *out, int width) {
  size_t i;
  const json_t *flag;
  fputs("  ", out);
  json_array_foreach(json_object_get(option, "flags"), i, flag) fprintf(out, "%s, ", json_string_value(flag));
  fprintf(out, "--%s%s\n%*s", json_string_value(json_object_get(option, "name")), cli_placeholder(option), INDENT, "");
  json_t *text = cli_option_help(option);
  print_wrapped(out, text ? json_string_value(text) : "", INDENT, width);
  json_decref(text);
}

static int help_width(FILE *out) {
  int width = cli_width(out);
  return width == 0 || width > USUAL ? USUAL : width < NARROWEST ? NARROWEST : width;
}

static void print_group(const json_t *options, const json_t *group, FILE *out, int width) {
  size_t i;
  const json_t *option;
  fprintf(out, "\n%s\n", json_string_value(group));
  json_array_foreach(options, i, option) if (json_equal(json_object_get(option, "group"), group))
      print_option(option, out, width);
}

/* Adds a name that is not there yet. */
static void add_group(json_t *groups, json_t *name) {
  size_t i;
  const json_t *group;
  json_array_foreach(groups, i, group) if (json_equal(group, name)) return;
  json_array_append(groups, name);
}

/* The groups of the requests first, then those of the command's own options. */
json_t *cli_groups(const cli_command *command, const json_t *options) {
  json_t *groups = json_array(), *option;
  size_t i;
  for (const cli_request *r = command->requests; r && r->id; r++) {
    json_t *name = json_string(r->group);
    add_group(groups, name);
    json_decref(name);
  }
  json_array_foreach(options, i, option) add_group(groups, json_object_get(option, "group"));
  return groups;
}

static void print_groups(const cli_command *command, const json_t *options, FILE *out, int width) {
  json_t *groups = cli_groups(command, options), *group;
  size_t i;
  json_array_foreach(groups, i, group) print_group(options, group, out, width);
  json_decref(groups);
}

const char cli_exit_codes[] = "0 done, 1 failure, 2 wrong use, 130 interrupted.";

void cli_help(const cli_command *command, FILE *out) {
  json_t *options = cli_options(command);
  fprintf(out, "usage: cinseq %s%s%s [FLAG]...\n\n%s\n", command->id, command->argument ? " " : "",
          command->argument ? command->argument : "", command->help);
  print_groups(command, options, out, help_width(out));
  if (command->examples) fputs("\nExamples\n", out);
  for (const char *const *example = command->examples; example && *example; example++) fprintf(out, "  %s\n", *example);
  fprintf(out, "\nExit code: %s\n", cli_exit_codes);
  json_decref(options);
}

void cli_help_all(FILE *out) {
  fputs("usage: cinseq COMMAND ...\n\nSays which input tokens each generated token of a language model came "
        "from.\n\nCommands\n",
        out);
  for (size_t i = 0; cli_command_at(i); i++)
    fprintf(out, "  %-19s%s\n", cli_command_at(i)->id, cli_command_at(i)->help);
  fputs("\nFlags\n  --help      this text; with a command: its flags and examples\n"
        "  --version   version, CPU features in use, libraries\n\nExamples\n",
        out);
  for (size_t i = 0; cli_command_at(i); i++)
    if (cli_command_at(i)->examples) fprintf(out, "  %s\n", cli_command_at(i)->examples[0]);
}
