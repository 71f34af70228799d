/* A bar on stderr that counts tokens, or bytes of a download, once a run takes over a second and stderr is a terminal; SIGINT ends the run
 * through the library's cancel hook, a second one ends the process. */
#include "cli.h"
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { BAR = 30 };
static const double patience = 1.0, interval = 0.1; /* seconds */

/* A signal handler has nothing else to write to. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number) {
  (void)signal_number;
  interrupted = 1;
}

static void clear_bar(cli_progress *progress) {
  if (progress->drawn > 0) fputs("\r\033[K", stderr);
  progress->drawn = 0;
}

/* What the stages count; others count tokens. */
static const struct {
  const char *stage, *unit;
  double size; /* of a unit, 0: nothing is counted */
  int digits;
} units[] = {{"downloading", "MB", 1e6, 1}, {"connecting", "", 0, 0}, {NULL, "tokens", 1, 0}};

static void draw_bar(const char *stage, size_t done, size_t total, double seconds) {
  size_t u = 0;
  while (units[u].stage && strcmp(units[u].stage, stage) != 0) u++;
  if (done > total && total) done = total;
  double counted = units[u].size > 0 ? (double)done / units[u].size : 0, all = units[u].size > 0 ? (double)total / units[u].size : 0;
  int filled = total ? (int)(BAR * ((double)done / (double)total)) : 0, digits = units[u].digits;
  fprintf(stderr, "\r\033[K%s", stage);
  if (total)
    fprintf(stderr, " [%.*s%*s] %.*f/%.*f %s", filled, "##############################", BAR - filled, "", digits, counted, digits, all,
            units[u].unit);
  else if (units[u].size > 0)
    fprintf(stderr, " %.*f %s", digits, counted, units[u].unit);
  fprintf(stderr, ", %.0f s", seconds);
}

static int on_progress(void *context, const char *stage, size_t done, size_t total) {
  cli_progress *progress = context;
  double now = cli_seconds();
  if (!progress->quiet && !progress->told && strcmp(stage, "downloading") == 0) {
    clear_bar(progress);
    fprintf(stderr, "downloading %.1f MB\n", (double)total / 1e6);
    progress->told = true; /* a user who pays for each of them can still stop it */
  }
  if (progress->terminal && now - progress->start > patience && now - progress->drawn > interval) {
    draw_bar(stage, done, total, now - progress->start);
    progress->drawn = now;
  }
  return interrupted;
}

static void on_warning(void *context, const char *message) {
  cli_progress *progress = context;
  if (progress->quiet) return;
  clear_bar(progress);
  fprintf(stderr, "warning: %s\n", message);
}

void cli_progress_start(cli_progress *progress, bool quiet) {
  memset(progress, 0, sizeof *progress);
  progress->start = cli_seconds();
  progress->quiet = quiet;
  progress->terminal = !quiet && isatty(STDERR_FILENO) == 1;
  progress->hooks = (cinseq_hooks){on_progress, on_warning, progress};
  struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESETHAND | SA_RESTART};
  sigaction(SIGINT, &action, NULL);
}

void cli_progress_end(cli_progress *progress) {
  clear_bar(progress);
  signal(SIGINT, SIG_DFL);
}
