/* The command line: a command is a file with a descriptor and a row in commands.def. Its flags are its own options and
 * the keys of the library's requests, which cinseq_describe("commands") lists: nothing of them is written down here
 * again. */
#ifndef CLI_CLI_H
#define CLI_CLI_H
#include "cinseq.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum { CLI_OK, CLI_FAILURE, CLI_USAGE, CLI_INTERRUPTED = 130 };

/* An option that the library does not know. The fields are those of the library's descriptors. */
typedef struct {
  const char *name;     /* with underscores; the long flag */
  const char *flags;    /* further ones, separated by spaces; or NULL */
  const char *type;     /* "bool", "int", "real", "word", "words", "texts", "ints", "table", "json" */
  const char *fallback; /* default as JSON text */
  const char *choices;  /* "a|b"; "@methods": ids of a kind of cinseq_describe, "@files"; or NULL */
  const char *help;
  const char *group; /* heading in the help */
} cli_option;

/* A request of the library whose keys are flags of a command. */
typedef struct {
  const char *id;    /* in cinseq_describe("commands") */
  const char *group; /* heading in the help */
  const char *keys;  /* "a b": those that the command has a use for; "!a b": those that it has none for; NULL: all */
} cli_request;

typedef struct cli_command {
  const char *id, *help;
  const char *argument;        /* what stands without a flag, for the usage line; NULL: nothing may */
  const char *argument_kind;   /* the kind of cinseq_describe whose ids it may be; NULL: none */
  const cli_option *options;   /* up to a row without a name; the first of two equal names counts */
  const cli_option *shared;    /* further ones, that other commands have too; or NULL */
  const cli_request *requests; /* up to a row without an id */
  const char *const *examples; /* command lines, NULL-terminated */
  /* values: {"cli": {all own options}, request id: {what was given}, "arguments": [...]}. Gives the exit code.
   * NULL: the command is planned. */
  int (*run)(const struct cli_command *command, const json_t *values);
} cli_command;

#define CLI_COMMAND(id) extern const cli_command cli_##id##_command;
#include "commands.def"
#undef CLI_COMMAND
const cli_command *cli_command_at(size_t index); /* NULL past the end */

/* args.c. All options of a command as descriptors with two more keys, "request" and "group". New reference. */
json_t *cli_options(const cli_command *command);
/* CLI_OK with *values, or CLI_USAGE after a message. argv[0..argc) are what follows the command's name. */
int cli_parse(const cli_command *command, int argc, char **argv, json_t **values);
const char *cli_get_text(const json_t *values, const char *name); /* of an own option; NULL: none */
bool cli_get_flag(const json_t *values, const char *name);
/* "-1", "-", "- a text" and "-a text" are values; "-a", "--name", "--name=a text" are flags. */
bool cli_is_flag(const char *word);
/* The option whose flag the first n bytes are; *sign is -1 for its --no_ form, else 1. NULL: none, *sign is 0. */
const json_t *cli_find_option(const json_t *options, const char *flag, size_t n, int *sign);
/* The words of "a|b", separated by any of `separators`. New reference. */
json_t *cli_split(const char *text, const char *separators);

/* texts.c. Appends what one word of a flag for texts stands for: itself, or lines of a file or of stdin. CLI_OK, or the
 * exit code after a message. */
int cli_read_texts(const cli_command *command, const char *flag, const char *word, json_t *texts);
/* The text of a file, without a byte order mark, to be freed. NULL with *code after a message. */
char *cli_read_file(const cli_command *command, const char *flag, const char *path, int *code);

/* attribute.c. Attributes the texts of values["attribute"]: the whole command but for where they come from. */
int cli_attribute(const cli_command *command, const json_t *values);

/* text.c. The candidate (an array of strings) nearest to word, or NULL when none is near. */
const char *cli_nearest(const char *word, const json_t *candidates);
/* A JSON string of text whose ill-formed bytes are replaced by U+FFFD. */
json_t *cli_string(const char *text);
/* Text of a model or a file. What a terminal would obey (escape sequences, marks of direction) is written as \x1b or
 * \u202e where `always`, or where the stream is a terminal; line breaks and tabs stay. */
void cli_put_text(FILE *stream, const char *text, size_t length, bool always);
/* Columns of the terminal behind stream: COLUMNS, or what it says of itself; 0: not a terminal, no limit. */
int cli_width(FILE *stream);

/* help.c */
void cli_help_all(FILE *out);
void cli_help(const cli_command *command, FILE *out);
/* What stands for the value of an option's flag: " N", " FILE", "" for none. */
const char *cli_placeholder(const json_t *option);
/* The help of an option with its choices and its default. NULL: no memory. New reference. */
json_t *cli_option_help(const json_t *option);
/* The headings that options stand under, as an array of strings. New reference. */
json_t *cli_groups(const cli_command *command, const json_t *options);
extern const char cli_exit_codes[];

/* report.c. One line on stderr. */
int cli_usage_error(const cli_command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The exit code for a library error. A place that is the name of an option is shown as its flag. */
int cli_report(const cli_command *command, const cinseq_error *error);
/* Flushes stdout: CLI_OK, or CLI_FAILURE with a message when the result could not be written. */
int cli_finish_output(const cli_command *command);
/* "N tokens VERB in S s, peak memory M MB" */
void cli_closing_line(const char *verb, size_t tokens, double seconds, double peak_bytes);
double cli_seconds(void);    /* of a clock that never goes back */
double cli_peak_bytes(void); /* resident memory of this process */

/* progress.c. Hooks that draw a bar on stderr, print warnings and cancel on SIGINT. One run at a time. */
typedef struct {
  double start, drawn; /* seconds; drawn 0: no bar stands on the screen */
  bool terminal, quiet;
  bool told; /* how much is downloaded */
  cinseq_hooks hooks;
} cli_progress;
void cli_progress_start(cli_progress *progress, bool quiet); /* quiet: neither bar nor warnings */
void cli_progress_end(cli_progress *progress);

#define CLI_QUIET_OPTION                                                                                               \
  { "quiet", "-q", "bool", "false", NULL, "Nothing on stderr but errors.", "Output" }

/* output.c. Where a result goes: flags of every command that has one. The first says what cannot be written before the
 * work; the second shows and saves. CLI_OK, or the exit code after a message. */
extern const cli_option cli_result_options[];
int cli_check_outputs(const cli_command *command, const json_t *values);
int cli_output_result(const cli_command *command, const json_t *values, const cinseq_result *result);

/* faults.c. From then on a file that becomes shorter while it is read ends the program with a line. */
void cli_watch_files(void);
/* Whose files the line can name; NULL while it is opened, then by the name that was given (kept; NULL: none). */
void cli_watch_model(const cinseq_model *model, const char *name);

/* Says what is wrong with the requests of a command before a model is opened for them. CLI_OK, or the exit code after a
 * message. */
int cli_check_requests(const cli_command *command, const json_t *values);
/* Opens the model of --model_name_or_path. CLI_OK, or the exit code after a message. Closed with cli_close_model. */
int cli_open_model(const cli_command *command, const json_t *values, const cinseq_hooks *hooks, cinseq_model **model);
void cli_close_model(cinseq_model *model);
#define CLI_MODEL_OPTION                                                                                               \
  {                                                                                                                    \
    "model_name_or_path", "-m", "word", "null", "@installed",                                                          \
        "A folder in the Hugging Face layout, a .gguf file, zh-en-mini or stories260K, or a name of the hub: gpt2, "      \
        "OWNER/NAME, OWNER/NAME:Q4_K_M.",                                                                              \
        "Model"                                                                                                        \
  }
/* Of the commands that run cli_attribute. */
#define CLI_KEEP_OPTION                                                                                                \
  { "keep_finished", NULL, "bool", "true", NULL, "After Ctrl-C show and save the texts that are done.", "Output" }
#define CLI_VERBOSE_OPTIONS                                                                                            \
  {"verbose", "-v", "bool", "false", NULL, "Say more about the run on stderr.", "Output"}, {                           \
    "very_verbose", "-vv", "bool", "false", NULL, "Say all about the run on stderr, as JSON.", "Output"                \
  }

#endif
