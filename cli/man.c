/* cinseq man: the manual page, in the man(7) macros, made from the descriptors. */
#include "cli.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const cli_option options[] = {{0}};

static const char *const examples[] = {"cinseq man | man -l -", NULL};

/* The code point at *at, which moves past it. Texts are well-formed: they are our own. */
static unsigned long next_code_point(const char **at) {
  const unsigned char *bytes = (const unsigned char *)*at;
  int more = bytes[0] < 0x80 ? 0 : bytes[0] < 0xE0 ? 1 : bytes[0] < 0xF0 ? 2 : 3;
  unsigned long code = more ? bytes[0] & (0x3Fu >> more) : bytes[0];
  for (int i = 1; i <= more && bytes[i]; i++) code = code << 6 | (bytes[i] & 0x3F);
  *at += 1 + more;
  return code;
}

/* Text that means nothing to roff. A line of it may start with a dot or a quote, so no line starts with it alone. */
static void print_text(const char *text) {
  while (*text) {
    unsigned long code = next_code_point(&text);
    if (code >= 0x80)
      printf("\\[u%04lX]", code);
    else if (strchr("\\-'`^~\"", (int)code))
      fputs(code == '\\'   ? "\\e"
            : code == '-'  ? "\\-"
            : code == '\'' ? "\\(aq"
            : code == '`'  ? "\\(ga"
            : code == '^'  ? "\\(ha"
            : code == '~'  ? "\\(ti"
                           : "\\(dq",
            stdout);
    else
      putchar((int)code);
  }
}

/* A line of running text. */
static void print_line(const char *text) {
  if (!*text) return;
  fputs("\\&", stdout);
  print_text(text);
  putchar('\n');
}

static void print_bold(const char *text) {
  fputs("\\fB", stdout);
  print_text(text);
  fputs("\\fR", stdout);
}

static void print_option(const json_t *option) {
  char name[128];
  size_t i;
  const json_t *flag;
  const char *placeholder = cli_placeholder(option);
  fputs(".TP\n", stdout);
  json_array_foreach(json_object_get(option, "flags"), i, flag) {
    print_bold(json_string_value(flag));
    fputs(", ", stdout);
  }
  snprintf(name, sizeof name, "--%s", json_string_value(json_object_get(option, "name")));
  print_bold(name);
  if (*placeholder) {
    fputs(" \\fI", stdout);
    print_text(placeholder + 1);
    fputs("\\fR", stdout);
  }
  putchar('\n');
  json_t *help = cli_option_help(option);
  print_line(help ? json_string_value(help) : "");
  json_decref(help);
}

static void print_group(const json_t *listed, const json_t *group) {
  size_t i;
  const json_t *option;
  fputs(".PP\n", stdout);
  print_line(json_string_value(group));
  json_array_foreach(listed, i, option) if (json_equal(json_object_get(option, "group"), group)) print_option(option);
}

static void print_examples(const cli_command *command) {
  for (const char *const *example = command->examples; example && *example; example++) {
    fputs(".PP\n.nf\n.RS\n", stdout);
    print_line(*example);
    fputs(".RE\n.fi\n", stdout);
  }
}

static void print_command(const cli_command *command) {
  json_t *listed = cli_options(command), *groups = cli_groups(command, listed), *group;
  size_t i;
  printf(".SS cinseq %s", command->id);
  if (command->argument) printf(" %s", command->argument);
  putchar('\n');
  print_line(command->help);
  json_array_foreach(groups, i, group) print_group(listed, group);
  print_examples(command);
  json_decref(groups);
  json_decref(listed);
}

/* The members of a kind with what can be said of each. */
static void print_kind(const char *heading, const char *introduction, const char *kind) {
  char *text = cinseq_describe(kind);
  json_t *rows = text ? json_loads(text, 0, NULL) : NULL;
  size_t i, k;
  const json_t *row, *option;
  cinseq_free(text);
  printf(".SH %s\n", heading);
  print_line(introduction);
  json_array_foreach(rows, i, row) {
    fputs(".TP\n", stdout);
    print_bold(json_string_value(json_object_get(row, "id")));
    putchar('\n');
    print_line(json_string_value(json_object_get(row, "help")));
    json_array_foreach(json_object_get(row, "options"), k, option) {
      json_t *help = cli_option_help(option);
      fputs(".br\n\\fI", stdout);
      print_text(json_string_value(json_object_get(option, "name")));
      fputs("\\fR: ", stdout);
      print_text(help ? json_string_value(help) : "");
      putchar('\n');
      json_decref(help);
    }
  }
  json_decref(rows);
}

/* The day, or the one that SOURCE_DATE_EPOCH says, so that a package is the same whenever it is built. */
static void print_title(void) {
  const char *epoch = getenv("SOURCE_DATE_EPOCH");
  time_t now = epoch && isdigit((unsigned char)*epoch) ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
  struct tm day;
  char date[32] = "";
  if (gmtime_r(&now, &day)) strftime(date, sizeof date, "%Y-%m-%d", &day);
  printf(".TH CINSEQ 1 %s \"cinseq %s\" \"User Commands\"\n", date, cinseq_version());
}

static void print_list(const char *heading, const char *const rows[][2]) {
  printf(".SH %s\n", heading);
  for (; (*rows)[0]; rows++) {
    fputs(".TP\n", stdout);
    print_bold((*rows)[0]);
    putchar('\n');
    print_line((*rows)[1]);
  }
}

static void print_page(void) {
  static const char *const
      codes[][2] = {{"0", "Done."},
                    {"1", "Failure: a file, a model, memory."},
                    {"2", "Wrong use."},
                    {"130", "Interrupted."},
                    {NULL, NULL}},
      *const environment[][2] = {{"NO_COLOR", "Not empty: tables have no colours unless --color always asks for them."},
                                 {"COLUMNS", "The width of the terminal, where it does not say so itself."},
                                 {"COLORTERM", "truecolor or 24bit: the terminal shows all colours, not just 256."},
                                 {NULL, NULL}},
      *const files[][2] = {
          {"PREFIX/share/cinseq/models",
           "Models that are found by name. PREFIX is where the program is installed; it may be moved."},
          {NULL, NULL}};
  print_title();
  fputs(".nh\n.ad l\n.SH NAME\ncinseq \\- which input tokens each generated token came from\n"
        ".SH SYNOPSIS\n.B cinseq\n.I COMMAND\n[\\fIFLAG\\fR [\\fIVALUE\\fR]]...\n.PP\n.B cinseq\n.I COMMAND\n.B "
        "\\-\\-help\n"
        ".SH DESCRIPTION\n",
        stdout);
  print_line(
      "Loads a language model in the format it is published in, generates or forces an output, says which input tokens "
      "each "
      "output token came from, and shows it as a heat table. Names of flags, methods and files are those of Inseq.");
  fputs(".SH COMMANDS\n", stdout);
  print_line(
      "Flags may be written --name VALUE or --name=VALUE, with - or _ inside. Lists take values up to the next flag, and go on where it is given again.");
  for (size_t i = 0; cli_command_at(i); i++) print_command(cli_command_at(i));
  print_kind("METHODS", "For --attribution_method; their options are keys of --attribution_kwargs.", "methods");
  print_kind("SCORES", "For --step_scores and --attributed_fn; their options are keys of --attribution_kwargs.",
             "scores");
  print_kind("MODELS", "Architectures that are understood.", "models");
  print_list("EXIT STATUS", codes);
  print_list("ENVIRONMENT", environment);
  print_list("FILES", files);
  fputs(".SH SEE ALSO\n", stdout);
  print_line("The C library: cinseq.h, pkg-config cinseq. Inseq: https://inseq.org");
}

static int run(const cli_command *command, const json_t *values) {
  if (json_array_size(json_object_get(values, "arguments"))) return cli_usage_error(command, "takes no argument");
  print_page();
  return cli_finish_output(command);
}

const cli_command cli_man_command = {
    .id = "man",
    .help = "Prints the manual page.",
    .options = options,
    .examples = examples,
    .run = run,
};
