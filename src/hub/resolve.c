/* See hub.h: the cache first, then the hub, then the files that are missing. */
#include "base/file.h"
#include "base/memory.h"
#include "hub/cache.h"
#include "hub/choose.h"
#include "hub/download.h"
#include "hub/hub.h"
#include <stdio.h>
#include <string.h>

/* ---- opening ---- */

/* The endpoint as it may be shown: without "user:password@". */
static char *shown_address(const char *endpoint) {
  const char *host = strstr(endpoint, "://") + 3, *at = strchr(host, '@');
  ci_text text = {0};
  ci_text_add_n(&text, endpoint, (size_t)(host - endpoint));
  ci_text_add(&text, at && at < host + strcspn(host, "/") ? at + 1 : host);
  return ci_text_take(&text);
}

static void hub_close(ci_hub *hub) {
  if (!hub) return;
  ci_http_close(hub->http);
  ci_hub_settings_free(&hub->settings);
  ci_free(hub->repo);
  ci_free(hub->folder);
  ci_free(hub->address);
  ci_free(hub);
}

static ci_status fill(ci_hub *hub, ci_error *err) {
  const char *name = hub->request->name;
  size_t length = ci_hub_split_name(name, &hub->tag);
  if (!length) return ci_fail(err, CI_EINVAL, name, "is no name of a model, expected NAME or OWNER/NAME");
  if (!ci_hub_is_revision(hub->revision))
    return ci_fail(err, CI_EINVAL, "revision", "\"%s\" is no branch, tag or commit", hub->revision);
  ci_status status = ci_hub_settings_read(hub->request, &hub->settings, err);
  if (status) return status;
  if (!hub->settings.offline) hub->settings.offline = ci_http_missing();
  char *folder = ci_cache_folder_name(name, length);
  hub->repo = ci_duplicate_n(name, length);
  hub->folder = folder ? ci_join_path(hub->settings.cache, folder) : NULL;
  hub->address = shown_address(hub->settings.endpoint);
  ci_free(folder);
  return hub->repo && hub->folder && hub->address ? CI_OK : ci_fail_memory(err);
}

static ci_status hub_open(const ci_hub_request *request, const cinseq_hooks *hooks, ci_hub **out, ci_error *err) {
  ci_hub *hub = ci_alloc_zeroed(1, sizeof *hub);
  *out = NULL;
  if (!hub) return ci_fail_memory(err);
  hub->request = request;
  hub->hooks = hooks;
  hub->revision = request->revision && *request->revision ? request->revision : "main";
  ci_status status = fill(hub, err);
  if (status)
    hub_close(hub);
  else
    *out = hub;
  return status;
}

/* ---- the cache ---- */

/* What of a model is in the cache. */
typedef struct {
  char *path;          /* of the whole model; NULL: there is none */
  const char *missing; /* of one that is there in part; NULL: nothing of it is there */
  bool sure;           /* whether the hub would say the same: it may have .gguf files that are meant rather */
} found_model;

/* One file that was asked for by name is itself, a .gguf file too; else it is the snapshot. */
static char *chosen_path(const ci_hub *hub, const char *commit, const ci_choice *choice, const json_t *files) {
  const char *only = choice->gguf;
  if (json_array_size(files) && json_array_size(choice->files) == 1)
    only = json_string_value(json_array_get(choice->files, 0));
  return only ? ci_cache_file(hub->folder, commit, only) : ci_cache_path(hub->folder, "snapshots", commit);
}

/* files: as in ci_hub_download. */
static ci_status choose(const ci_hub *hub, const json_t *names, const json_t *files, ci_choice *choice, ci_error *err) {
  if (json_array_size(files)) return ci_choose_files(hub->repo, names, files, choice, err);
  return ci_choose_model(hub->repo, names, hub->tag, choice, err);
}

static ci_status choose_cached(const ci_hub *hub, const char *commit, const json_t *names, const json_t *files,
                               ci_choice *choice, ci_error *err) {
  ci_error unfit = {0};
  ci_status status = choose(hub, names, files, choice, &unfit);
  if (status == CI_EINVAL)
    return choice->missing = json_array_size(files) ? "some of these files" : "the .gguf file", CI_OK;
  if (status && err) *err = unfit;
  char *index = choice->index ? ci_cache_file(hub->folder, commit, choice->index) : NULL;
  if (!status && choice->index) status = index ? ci_choose_shards(index, names, choice, err) : ci_fail_memory(err);
  ci_free(index);
  return status;
}

static ci_status find_cached(const ci_hub *hub, const json_t *files, found_model *found, ci_error *err) {
  char commit[CI_COMMIT_LENGTH + 1];
  json_t *names = NULL;
  ci_choice choice = {0};
  *found = (found_model){0};
  ci_status status = ci_cache_commit(hub->folder, hub->revision, commit, err);
  if (!status) status = ci_cache_list(hub->folder, commit, &names, err);
  if (!status && json_array_size(names)) {
    status = choose_cached(hub, commit, names, files, &choice, err);
    found->missing = choice.missing;
    found->sure = hub->tag || !choice.gguf;
    if (!status && !choice.missing && !(found->path = chosen_path(hub, commit, &choice, files)))
      status = ci_fail_memory(err);
  }
  ci_choice_free(&choice);
  json_decref(names);
  return status;
}

static ci_status not_here(ci_hub *hub, const found_model *found, ci_error *err) {
  hub->unknown = true;
  return ci_fail(err, CI_EINVAL, hub->request->name, "%s%s%s the cache %s (%s: nothing is downloaded)",
                 found->missing ? "is without " : "is not", found->missing ? found->missing : "", " in",
                 hub->settings.cache, hub->settings.offline);
}

/* ---- the hub ---- */

/* A file that is to be fetched. */
typedef struct {
  const char *name;
  ci_remote_file file;
} wanted_file;

static bool is_cached(const ci_hub *hub, const char *name, ci_status *status, ci_error *err) {
  char *path = ci_cache_file(hub->folder, hub->commit, name);
  bool there = path && ci_file_exists(path);
  if (!path) *status = ci_fail_memory(err);
  ci_free(path);
  return there;
}

/* The index says which shards there are: it comes first. */
static ci_status fetch_shards(ci_hub *hub, const json_t *names, ci_choice *choice, int64_t *fetched, ci_error *err) {
  ci_status status = CI_OK;
  ci_remote_file file;
  char *path = ci_cache_file(hub->folder, hub->commit, choice->index);
  if (!path) return ci_fail_memory(err);
  if (!ci_file_exists(path)) {
    status = ci_remote_look(hub, choice->index, &file, err);
    if (!status && file.size > CI_LARGEST_JSON)
      status = ci_fail(err, CI_EFILE, hub->repo, "%s has %lld bytes, expected at most %d", choice->index,
                       (long long)file.size, CI_LARGEST_JSON);
    if (!status) status = ci_download_file(hub, choice->index, &file, fetched, err);
    hub->done = 0;
  }
  if (!status) status = ci_choose_shards(path, names, choice, err);
  ci_free(path);
  return status;
}

/* Asks for hash and size of what the snapshot lacks. */
static ci_status look(ci_hub *hub, const ci_choice *choice, wanted_file *wanted, size_t *count, ci_error *err) {
  ci_status status = CI_OK;
  size_t i;
  const json_t *member;
  *count = 0;
  json_array_foreach(choice->files, i, member) {
    const char *name = json_string_value(member);
    if (status || is_cached(hub, name, &status, err) || status) continue;
    wanted[*count].name = name;
    status = ci_remote_look(hub, name, &wanted[*count].file, err);
    if (!status && __builtin_add_overflow(hub->total, wanted[*count].file.size, &hub->total))
      status = ci_fail(err, CI_EFILE, hub->repo, "has files of more than %lld bytes", (long long)INT64_MAX);
    ++*count;
  }
  return status;
}

static ci_status check_room(const ci_hub *hub, const wanted_file *wanted, size_t count, ci_error *err) {
  uint64_t needed = 0, room = ci_cache_room(hub->folder);
  for (size_t i = 0; i < count; i++)
    needed += (uint64_t)(wanted[i].file.size - ci_download_present(hub, &wanted[i].file));
  if (needed <= room) return CI_OK;
  return ci_fail(err, CI_EFILE, hub->repo, "needs %.1f MB in %s, where %.1f MB are free", (double)needed / 1e6,
                 hub->settings.cache, (double)room / 1e6);
}

static ci_status fetch_files(ci_hub *hub, const ci_choice *choice, int64_t *files, int64_t *bytes, ci_error *err) {
  size_t count = 0;
  wanted_file *wanted = ci_alloc_zeroed(json_array_size(choice->files) + 1, sizeof *wanted);
  ci_status status = wanted ? look(hub, choice, wanted, &count, err) : ci_fail_memory(err);
  if (!status) status = check_room(hub, wanted, count, err);
  if (!status && count) {
    hub->downloading = true;
    if (ci_remote_tick(hub)) status = ci_fail(err, CI_ECANCEL, hub->repo, "canceled");
  }
  for (size_t i = 0; i < count && !status; i++) {
    int64_t fetched;
    status = ci_download_file(hub, wanted[i].name, &wanted[i].file, &fetched, err);
    *bytes += fetched;
  }
  *files += (int64_t)count;
  ci_free(wanted);
  return status;
}

static ci_status fetch(ci_hub *hub, const json_t *files, json_t **report, ci_error *err) {
  json_t *names = NULL;
  ci_choice choice = {0};
  int64_t count = 0, bytes = 0;
  ci_status status = ci_remote_list(hub, &names, err);
  if (!status) status = choose(hub, names, files, &choice, err);
  if (!status && choice.index) status = fetch_shards(hub, names, &choice, &bytes, err);
  if (!status && choice.missing)
    status = ci_fail(err, CI_EMODEL, hub->repo, "has no %s on %s", choice.missing, hub->address);
  count = bytes > 0;
  if (!status) status = fetch_files(hub, &choice, &count, &bytes, err);
  if (!status) status = ci_cache_set_commit(hub->folder, hub->revision, hub->commit, err);
  char *path = status ? NULL : chosen_path(hub, hub->commit, &choice, files);
  if (!status) {
    *report = path ? json_pack("{s:s, s:s, s:I, s:I}", "path", path, "commit", hub->commit, "files", (json_int_t)count,
                               "bytes", (json_int_t)bytes)
                   : NULL;
    if (!*report) status = ci_fail_memory(err);
  }
  ci_free(path);
  ci_choice_free(&choice);
  json_decref(names);
  return status;
}

/* ---- both ---- */

static json_t *report_cached(const char *path) {
  return json_pack("{s:s, s:n, s:i, s:i}", "path", path, "commit", "files", 0, "bytes", 0);
}

/* ask: the hub is asked even when the cache has all. */
static ci_status obtain(ci_hub *hub, const json_t *files, bool ask, json_t **report, ci_error *err) {
  found_model found = {0};
  ci_status status = find_cached(hub, files, &found, err);
  bool cached = found.path && (hub->settings.offline || (found.sure && !ask));
  if (!status && !cached && hub->settings.offline) status = not_here(hub, &found, err);
  if (!status && !cached) {
    status = fetch(hub, files, report, err);
    if (status && hub->unknown && hub->answer.status == 0 &&
        found.path) { /* no network: what is here is what there is */
      ci_remote_warn(hub, "%s: %s: the cache's files are used", hub->repo,
                     err ? err->message : "the hub cannot be reached");
      cached = true;
      status = CI_OK;
    }
  }
  if (!status && cached && !(*report = report_cached(found.path))) status = ci_fail_memory(err);
  ci_free(found.path);
  return status;
}

static ci_status run(const ci_hub_request *request, const json_t *files, bool ask, const cinseq_hooks *hooks,
                     json_t **report, bool *unknown, ci_error *err) {
  ci_hub *hub;
  *report = NULL;
  *unknown = false;
  ci_status status = hub_open(request, hooks, &hub, err);
  if (status) return status;
  status = obtain(hub, files, ask, report, err);
  *unknown = status && hub->unknown;
  hub_close(hub);
  return status;
}

ci_status ci_hub_resolve(const ci_hub_request *request, const cinseq_hooks *hooks, char **path, bool *unknown,
                         ci_error *err) {
  json_t *report;
  *path = NULL;
  ci_status status = run(request, NULL, false, hooks, &report, unknown, err);
  if (!status && !(*path = ci_duplicate(json_string_value(json_object_get(report, "path")))))
    status = ci_fail_memory(err);
  json_decref(report);
  return status;
}

ci_status ci_hub_download(const ci_hub_request *request, const json_t *files, const cinseq_hooks *hooks,
                          json_t **report, bool *unknown, ci_error *err) {
  return run(request, files, true, hooks, report, unknown, err);
}
