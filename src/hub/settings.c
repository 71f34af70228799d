/* See settings.h; the names and their order are those of huggingface_hub/constants.py. */
#include "hub/settings.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { LARGEST_TOKEN = 4096, LONGEST_WAIT = 86400 };

/* NULL where it is not set or empty. */
static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

static const char *first_of(const char *const *names) {
  for (; *names; names++)
    if (variable(*names)) return variable(*names);
  return NULL;
}

/* ~/name; NULL: no memory, or nobody knows where that is. */
static char *in_home(const char *name) {
  const char *home = variable("HOME");
  char buffer[4096];
  struct passwd entry, *found = NULL;
  if (!home && getpwuid_r(getuid(), &entry, buffer, sizeof buffer, &found) == 0 && found) home = found->pw_dir;
  return home ? ci_join_path(home, name) : NULL;
}

/* A copy of path, with the home folder for a ~ that begins it. */
static char *expand(const char *path) {
  if (strcmp(path, "~") == 0) return in_home("");
  return ci_starts_with(path, "~/") ? in_home(path + 2) : ci_duplicate(path);
}

/* HF_HOME, or what stands for it. */
static char *hub_home(void) {
  const char *home = variable("HF_HOME"), *caches = variable("XDG_CACHE_HOME");
  if (home) return expand(home);
  char *folder = caches ? expand(caches) : in_home(".cache"),
       *joined = folder ? ci_join_path(folder, "huggingface") : NULL;
  ci_free(folder);
  return joined;
}

static char *cache_folder(const ci_hub_request *request, const char *home) {
  static const char *const names[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", NULL};
  if (request->cache_dir) return expand(request->cache_dir);
  const char *given = first_of(names);
  return given ? expand(given) : ci_join_path(home, "hub");
}

/* Without spaces and line breaks around, as huggingface_hub does; NULL when nothing is left, or memory is out. */
static char *trimmed(const char *text) {
  text += strspn(text, " \t\r\n");
  size_t length = strlen(text);
  while (length && strchr(" \t\r\n", text[length - 1])) length--;
  return length ? ci_duplicate_n(text, length) : NULL;
}

/* A token goes into a header: nothing in it may end the line. */
static ci_status check_token(const char *token, const char *where, ci_error *err) {
  for (const char *at = token; at && *at; at++)
    if (*at < '!' || *at > '~')
      return ci_fail(err, CI_EINVAL, where, "holds no token: expected letters, digits and marks");
  return CI_OK;
}

static ci_status read_token(const ci_hub_request *request, const char *home, char **token, ci_error *err) {
  static const char *const names[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", NULL};
  const char *given = request->token ? request->token : first_of(names), *place = variable("HF_TOKEN_PATH");
  *token = given ? trimmed(given) : NULL;
  if (given) return check_token(*token, request->token ? "token" : "HF_TOKEN", err);
  const char *implicit = variable("HF_HUB_DISABLE_IMPLICIT_TOKEN");
  if (implicit && strcmp(implicit, "0") != 0) return CI_OK;
  char *path = place ? expand(place) : ci_join_path(home, "token"), *text = NULL;
  size_t length;
  ci_status status = path ? CI_OK : ci_fail_memory(err);
  if (!status && ci_file_exists(path)) status = ci_read_file(path, LARGEST_TOKEN, &text, &length, err);
  if (!status && text) *token = trimmed(text);
  if (!status) status = check_token(*token, path, err);
  ci_free(text);
  ci_free(path);
  return status;
}

static bool is_true(const char *name) {
  static const char *const words[] = {"1", "on", "yes", "true"};
  const char *value = variable(name);
  for (size_t i = 0; value && i < sizeof words / sizeof *words; i++)
    if (strcasecmp(value, words[i]) == 0) return true;
  return false;
}

static const char *why_offline(const ci_hub_request *request) {
  if (request->local_only) return "local_files_only";
  /* the second counts where the first is not set */
  const char *name = variable("HF_HUB_OFFLINE") ? "HF_HUB_OFFLINE" : "TRANSFORMERS_OFFLINE";
  return is_true(name) ? name : NULL;
}

static long seconds(const char *name, long fallback) {
  const char *value = variable(name);
  char *end = NULL;
  long number = value ? strtol(value, &end, 10) : 0;
  return end && !*end && number > 0 && number <= LONGEST_WAIT ? number : fallback;
}

static ci_status read_endpoint(char **endpoint, ci_error *err) {
  const char *given = variable("HF_ENDPOINT");
  char *copy = *endpoint = ci_duplicate(given ? given : "https://huggingface.co");
  if (!copy) return ci_fail_memory(err);
  for (size_t length = strlen(copy); length && copy[length - 1] == '/';) copy[--length] = 0;
  if (!ci_starts_with(copy, "https://") && !ci_starts_with(copy, "http://"))
    return ci_fail(err, CI_EINVAL, "HF_ENDPOINT", "\"%s\" is no address, expected one like https://huggingface.co",
                   copy);
  return CI_OK;
}

ci_status ci_hub_settings_read(const ci_hub_request *request, ci_hub_settings *settings, ci_error *err) {
  static const char *const certificates[] = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", NULL};
  *settings = (ci_hub_settings){.offline = why_offline(request),
                                .certificates = first_of(certificates),
                                .answer_seconds = seconds("HF_HUB_ETAG_TIMEOUT", 10),
                                .silence_seconds = seconds("HF_HUB_DOWNLOAD_TIMEOUT", 10)};
  char *home = hub_home();
  if (!home) return ci_fail(err, CI_EFILE, "HF_HOME", "is not set, and there is no home folder to keep models in");
  settings->cache = cache_folder(request, home);
  ci_status status = settings->cache ? read_endpoint(&settings->endpoint, err) : ci_fail_memory(err);
  if (!status) status = read_token(request, home, &settings->token, err);
  ci_free(home);
  return status;
}

void ci_hub_settings_free(ci_hub_settings *settings) {
  ci_free(settings->cache);
  ci_free(settings->endpoint);
  ci_free(settings->token);
  *settings = (ci_hub_settings){0};
}
