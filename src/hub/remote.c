/* See remote.h. */
#include "hub/remote.h"
#include "base/memory.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Bytes of the answer that lists files, files of a model, seconds for the list. */
enum { LARGEST_LIST = 32 << 20, MOST_FILES = 100000, LIST_SECONDS = 60 };

int ci_remote_tick(void *context) {
  const ci_hub *hub = context;
  if (!hub->hooks || !hub->hooks->progress) return 0;
  if (!hub->downloading) return hub->hooks->progress(hub->hooks->context, "connecting", 0, 0);
  return hub->hooks->progress(hub->hooks->context, "downloading", (size_t)hub->done, (size_t)hub->total);
}

void ci_remote_warn(const ci_hub *hub, const char *format, ...) {
  char line[1024];
  va_list arguments;
  if (!hub->hooks || !hub->hooks->warning) return;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  ci_make_printable(line);
  hub->hooks->warning(hub->hooks->context, line);
}

ci_status ci_remote_pause(ci_hub *hub, int attempt, ci_error *err) {
  static const struct timespec tenth = {0, 100000000};
  for (int tenths = 1 << attempt; tenths > 0; tenths--) { /* 0.2 s, 0.4 s, ... */
    if (ci_remote_tick(hub)) return ci_fail(err, CI_ECANCEL, hub->repo, "canceled");
    nanosleep(&tenth, NULL);
  }
  return CI_OK;
}

/* Whether it may go better the next time. */
static bool is_passing(const ci_answer *answer) {
  if (answer->problem[0]) return answer->reached;
  return answer->status == 429 || answer->status == 408 || (answer->status >= 500 && answer->status <= 504);
}

ci_status ci_remote_call(ci_hub *hub, ci_http_call call, ci_error *err) {
  ci_status status = hub->http ? CI_OK : ci_http_open(&hub->settings, ci_remote_tick, hub, &hub->http, err);
  for (int attempt = 1; !status; attempt++) {
    status = ci_http_run(hub->http, &call, &hub->answer, err);
    if (status || attempt == CI_HUB_ATTEMPTS || !is_passing(&hub->answer)) break;
    status = ci_remote_pause(hub, attempt, err);
  }
  return status;
}

/* ---- errors ---- */

static ci_status not_found(ci_hub *hub, ci_error *err) {
  hub->unknown = true;
  return ci_fail(err, CI_EINVAL, hub->repo, "is not on %s%s", hub->address,
                 hub->settings.token ? "" : " (or not for everybody: HF_TOKEN is not set)");
}

ci_status ci_remote_refused(ci_hub *hub, const char *what, ci_error *err) {
  const ci_answer *a = &hub->answer;
  const char *code = ci_answer_get(a, CI_HTTP_ERROR_CODE), *said = ci_answer_get(a, CI_HTTP_ERROR_MESSAGE);
  bool token = hub->settings.token != NULL;
  if (!a->status && !what) hub->unknown = true;
  if (a->problem[0] && (!a->reached || !a->status))
    return ci_fail(err, CI_EFILE, hub->repo, "cannot be downloaded: %s cannot be reached: %s", hub->address,
                   a->problem);
  if (a->problem[0]) return ci_fail(err, CI_EFILE, hub->repo, "%s broke off its answer: %s", hub->address, a->problem);
  if (strcmp(code, "GatedRepo") == 0)
    return ci_fail(err, CI_EFILE, hub->repo, "is gated: accept its terms at %s/%s%s", hub->address, hub->repo,
                   token ? " (the token that is set may not read it yet)" : " and set HF_TOKEN");
  if (strcmp(code, "RevisionNotFound") == 0)
    return ci_fail(err, CI_EINVAL, hub->repo, "has no revision \"%s\" on %s", hub->revision, hub->address);
  if (strcmp(code, "RepoNotFound") == 0) return not_found(hub, err);
  if (a->status == 401 && token)
    return ci_fail(err, CI_EFILE, hub->repo,
                   "%s refuses the token (HF_TOKEN, or the file of huggingface-cli login): %.200s", hub->address,
                   *said ? said : "401");
  if (!what && (a->status == 401 || a->status == 404)) return not_found(hub, err);
  if (a->status == 404)
    return ci_fail(err, CI_EFILE, hub->repo, "has no file \"%s\" on %s", what ? what : "", hub->address);
  return ci_fail(err, CI_EFILE, hub->repo, "%s answers %ld%s%.200s for %s", hub->address, a->status, *said ? ": " : "",
                 said, what ? what : "the list of files");
}

/* ---- the list of files ---- */

static ci_status take_list(void *context, const ci_answer *answer, size_t before, const void *bytes, size_t length,
                           ci_error *err) {
  ci_text *text = context;
  (void)answer;
  if (before == 0) ci_text_free(text); /* an answer that broke off may have come before this one */
  if (length > LARGEST_LIST - text->length)
    return ci_fail(err, CI_EFILE, "the hub", "answers with a list of over %d bytes", LARGEST_LIST);
  ci_text_add_n(text, bytes, length);
  return text->failed ? ci_fail_memory(err) : CI_OK;
}

static ci_status read_names(const char *where, const json_t *siblings, json_t *names, ci_error *err) {
  size_t i;
  const json_t *row;
  if (!json_is_array(siblings) || json_array_size(siblings) > MOST_FILES)
    return ci_fail(err, CI_EFILE, where, "\"siblings\": expected a list of at most %d files", MOST_FILES);
  json_array_foreach(siblings, i, row) {
    json_t *name = json_object_get(row, "rfilename");
    const char *text = json_string_value(name);
    if (!text || strlen(text) != json_string_length(name) || !ci_hub_is_file(text))
      return ci_fail(err, CI_EFILE, where, "names the file \"%.200s\", which does not lie in the repository",
                     text ? text : "");
    if (json_array_append(names, name)) return ci_fail_memory(err);
  }
  return CI_OK;
}

ci_status ci_remote_read_list(const char *where, const char *text, size_t length, char commit[CI_COMMIT_LENGTH + 1],
                              json_t **names, ci_error *err) {
  json_t *root = NULL;
  *names = json_array();
  ci_status status = *names ? ci_json_parse(where, text, length, &root, err) : ci_fail_memory(err);
  const char *sha = json_string_value(json_object_get(root, "sha"));
  if (!status && (!sha || !ci_hub_is_commit(sha)))
    status = ci_fail(err, CI_EFILE, where, "\"sha\": expected a commit of %d hexadecimal digits", CI_COMMIT_LENGTH);
  if (!status) strcpy(commit, sha);
  if (!status) status = read_names(where, json_object_get(root, "siblings"), *names, err);
  json_decref(root);
  if (status) json_decref(*names), *names = NULL;
  return status;
}

ci_status ci_remote_list(ci_hub *hub, json_t **names, ci_error *err) {
  ci_text url = {0}, body = {0};
  *names = NULL;
  ci_text_add_format(&url, "%s/api/models/%s/revision/", hub->settings.endpoint, hub->repo);
  ci_hub_add_escaped(&url, hub->revision, false);
  ci_http_call call = {.url = url.data, .seconds = LIST_SECONDS, .take = take_list, .context = &body};
  ci_status status = url.failed ? ci_fail_memory(err) : CI_OK;
  if (!status) status = ci_remote_call(hub, call, err);
  if (!status && (hub->answer.status / 100 != 2 || hub->answer.problem[0])) status = ci_remote_refused(hub, NULL, err);
  if (!status) status = ci_remote_read_list(url.data, body.data ? body.data : "", body.length, hub->commit, names, err);
  ci_text_free(&url);
  ci_text_free(&body);
  return status;
}

/* ---- a file ---- */

char *ci_remote_url(const ci_hub *hub, const char *name) {
  ci_text url = {0};
  ci_text_add_format(&url, "%s/%s/resolve/%s/", hub->settings.endpoint, hub->repo, hub->commit);
  ci_hub_add_escaped(&url, name, true);
  return ci_text_take(&url);
}

ci_status ci_remote_look(ci_hub *hub, const char *name, ci_remote_file *file, ci_error *err) {
  char *url = ci_remote_url(hub, name);
  if (!url) return ci_fail_memory(err);
  const ci_answer *a = &hub->answer;
  ci_status status =
      ci_remote_call(hub, (ci_http_call){.url = url, .head = true, .seconds = hub->settings.answer_seconds}, err);
  bool redirects = a->status >= 300 && a->status <= 399; /* to the storage */
  if (!status && (a->status / 100 != 2 || a->problem[0]) && !redirects) status = ci_remote_refused(hub, name, err);
  /* the length of a redirection is not that of the file */
  file->size =
      ci_answer_number(a, redirects || *ci_answer_get(a, CI_HTTP_LINKED_SIZE) ? CI_HTTP_LINKED_SIZE : CI_HTTP_LENGTH);
  if (!status && strcasecmp(ci_answer_get(a, CI_HTTP_COMMIT), hub->commit) != 0)
    status = ci_fail(err, CI_EFILE, url, "answers with X-Repo-Commit \"%.60s\", expected %s: is %s a hub?",
                     ci_answer_get(a, CI_HTTP_COMMIT), hub->commit, hub->address);
  if (!status && !ci_answer_etag(a, file->etag, sizeof file->etag))
    status = ci_fail(err, CI_EFILE, url, "answers with no ETag that can name a file");
  if (!status && file->size < 0) status = ci_fail(err, CI_EFILE, url, "answers with no size");
  ci_free(url);
  return status;
}
