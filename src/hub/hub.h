/* Models of the Hugging Face hub by name: found in the local cache, which is huggingface_hub's in its own layout, or
 * downloaded into it. resolve.c decides, choose.c says which files, cache.c where they lie, remote.c what the hub has,
 * download.c fetches one, http.c is the only file that knows libcurl. */
#ifndef CI_HUB_HUB_H
#define CI_HUB_HUB_H
#include "base/error.h"
#include "base/json.h"
#include <stdbool.h>

/* What is asked for; NULL and false: as the environment says. */
typedef struct {
  const char *name;      /* "gpt2", "org/name", with ":file.gguf" or ":Q4_K_M" behind it */
  const char *revision;  /* branch, tag or commit; NULL: main */
  const char *cache_dir; /* the folder that holds models--org--name */
  const char *token;     /* "": none */
  bool local_only;       /* nothing is downloaded */
} ci_hub_request;

/* Whether a model of the hub can have this name: "name" or "org/name", and a choice behind a colon. */
bool ci_hub_named(const char *name);

/* The folder, or .gguf file, of a model by its name: the cache's when all that it needs is there, without asking the
 * hub; else what is missing is downloaded. *path: ci_free. *unknown: there is no model of that name, or none that can
 * be reached; the error then says where was looked, as the end of a sentence. Errors: CI_EINVAL for names and
 * revisions, CI_EFILE for what the hub or the disk does, CI_ECANCEL. */
ci_status ci_hub_resolve(const ci_hub_request *request, const cinseq_hooks *hooks, char **path, bool *unknown,
                         ci_error *err);

/* Asks the hub, and downloads what the model needs and the cache lacks; or `files` (an array of names and patterns with
 * stars) where it is not empty. *path as above; *unknown too. *report: {"path", "commit", "files": n, "bytes": n}, what
 * was downloaded. */
ci_status ci_hub_download(const ci_hub_request *request, const json_t *files, const cinseq_hooks *hooks,
                          json_t **report, bool *unknown, ci_error *err);

#endif
