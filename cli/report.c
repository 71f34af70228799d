/* What is said on stderr: errors in one line, and the closing line. Nothing but results goes to stdout. */
#include "cli.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

int cli_usage_error(const cli_command *command, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "cinseq%s%s: ", command ? " " : "", command ? command->id : "");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, " (see cinseq%s%s --help)\n", command ? " " : "", command ? command->id : "");
  va_end(arguments);
  return CLI_USAGE;
}

int cli_report(const cli_command *command, const cinseq_error *error) {
  if (error->code == CINSEQ_ECANCEL) {
    fprintf(stderr, "cinseq %s: interrupted\n", command->id);
    return CLI_INTERRUPTED;
  }
  const char *dashes = "";
  json_t *options = cli_options(command), *option;
  size_t i;
  json_array_foreach(options, i, option) if (strcmp(json_string_value(json_object_get(option, "name")), error->where) ==
                                             0) dashes = "--";
  json_decref(options);
  fprintf(stderr, "cinseq %s: %s%s%s%s\n", command->id, dashes, error->where, *error->where ? ": " : "",
          error->message);
  return error->code == CINSEQ_EINVAL ? CLI_USAGE : CLI_FAILURE;
}

int cli_finish_output(const cli_command *command) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return CLI_OK;
  fprintf(stderr, "cinseq%s%s: cannot write the result: %s\n", command ? " " : "", command ? command->id : "",
          strerror(errno));
  return CLI_FAILURE;
}

void cli_closing_line(const char *verb, size_t tokens, double seconds, double peak_bytes) {
  fprintf(stderr, "%zu token%s %s in %.2f s, peak memory %.0f MB\n", tokens, tokens == 1 ? "" : "s", verb, seconds,
          peak_bytes / 1e6);
}

double cli_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double cli_peak_bytes(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return 1024.0 * (double)usage.ru_maxrss;
}
