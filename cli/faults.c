/* A model's file that becomes shorter while it is mapped: the system answers a read of what is gone with SIGBUS. The
 * run cannot go on, since nobody knows what it has read already; it ends with a line that says why, not with a core
 * dump. */
#include "cli.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A signal handler has nothing else to read from. */
static const cinseq_model *volatile open_model;
static const char *volatile opened_name; /* while there is no model yet */

static void say(const char *text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) _exit(CLI_FAILURE);
}

static void on_fault(int signal_number, siginfo_t *info, void *context) {
  (void)signal_number;
  (void)context;
  if (info->si_code != BUS_ADRERR) return; /* a fault of ours: it comes again, and ends the program as faults do */
  const cinseq_model *model = open_model;
  const char *path = model ? cinseq_model_file_at(model, info->si_addr) : NULL;
  say("cinseq: ");
  say(path ? path : opened_name ? opened_name : "a file");
  say(": became shorter while it was in use\n");
  _exit(CLI_FAILURE);
}

void cli_watch_files(void) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_RESETHAND};
  sigaction(SIGBUS, &action, NULL);
}

void cli_watch_model(const cinseq_model *model, const char *name) {
  open_model = model;
  opened_name = name;
}

void cli_close_model(cinseq_model *model) {
  cli_watch_model(NULL, NULL);
  cinseq_model_close(model);
}
