/* See find.h, and the public function that downloads. */
#include "api/find.h"
#include "api/c_locale.h"
#include "api/installed.h"
#include "api/request.h"
#include "base/file.h"
#include "base/memory.h"
#include "formats/gguf.h"
#include <stdio.h>
#include <string.h>

/* The error for a name that is nowhere: `reason` says what the hub's cache and the hub have to do with it, "" where
 * they have nothing; with the nearest installed model. */
static ci_status unknown_model(const char *name, const char *reason, ci_error *err) {
  const char *names[64];
  json_t *rows = json_array(), *row;
  size_t i, count = 0;
  ci_installed_describe(rows);
  json_array_foreach(rows, i, row) if (count < sizeof names / sizeof *names) names[count++] =
      json_string_value(json_object_get(row, "id"));
  const char *nearest = ci_nearest(name, names, count);
  ci_status status = ci_fail(
      err, CI_EINVAL, name, "is no model folder and no installed model%s%s%s%s%s", *reason ? ", and " : "", reason,
      nearest ? ": did you mean \"" : " (see: cinseq list installed)", nearest ? nearest : "", nearest ? "\"?" : "");
  json_decref(rows);
  return status;
}

static ci_status ask_hub(ci_hub_request hub, const cinseq_hooks *hooks, char **path, ci_error *err) {
  bool unknown;
  ci_error problem = {0};
  ci_status status = ci_hub_resolve(&hub, hooks, path, &unknown, &problem);
  if (status && unknown) return unknown_model(hub.name, problem.message, err);
  if (status && err) *err = problem;
  return status;
}

ci_status ci_find_model(const char *name, ci_hub_request hub, const cinseq_hooks *hooks, char **path, ci_error *err) {
  /* a file "models/x.gguf" that is not there is a mistyped path rather than a repository of that name */
  bool file = ci_gguf_named(name) && (!strchr(name, ':') || ci_file_exists(name)),
       there = file || ci_folder_exists(name);
  *path = there ? ci_duplicate(name) : ci_installed_model(name);
  if (*path) return CI_OK;
  if (there) return ci_fail_memory(err);
  if (ci_file_exists(name))
    return ci_fail(err, CI_EINVAL, name, "is a file, but no .gguf: expected a model's folder or a file NAME.gguf");
  if (!ci_hub_named(name)) return unknown_model(name, "", err);
  hub.name = name;
  return ask_hub(hub, hooks, path, err);
}

int cinseq_model_download(const char *name, const char *request_json, const cinseq_hooks *hooks, char **report,
                          cinseq_error *err) {
  ci_download_request request;
  json_t *owner = NULL, *made = NULL;
  bool unknown;
  locale_t before = ci_locale_enter();
  *report = NULL;
  ci_status status = ci_download_request_read(request_json, &request, &owner, err);
  if (!status) {
    request.hub.name = name;
    status = ci_hub_download(&request.hub, request.files, hooks, &made, &unknown, err);
  }
  if (!status && !(*report = ci_json_text(made, 0))) status = ci_fail_memory(err);
  json_decref(made);
  json_decref(owner);
  ci_locale_leave(before);
  return (int)status;
}
