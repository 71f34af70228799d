/* Names of models, revisions and files on the hub: what may be put into a path or an address. */
#ifndef CI_HUB_NAME_H
#define CI_HUB_NAME_H
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>

enum {
  CI_COMMIT_LENGTH = 40,
  CI_ETAG_LENGTH = 128,
  CI_REPO_LENGTH = 96,
  CI_REVISION_LENGTH = 255,
  CI_HUB_PATH_LENGTH = 1024
};

/* The length of the repository in "repository:choice", by the rules of huggingface_hub's validate_repo_id; 0: it is
 * none. *choice is what follows the colon, NULL when nothing does. */
size_t ci_hub_split_name(const char *name, const char **choice);
/* A branch, a tag, a commit, "refs/pr/1": a relative path that stays inside. */
bool ci_hub_is_revision(const char *text);
bool ci_hub_is_commit(const char *text); /* 40 hexadecimal digits */
/* What may be the name of a blob: 1 to CI_ETAG_LENGTH letters, digits, '-', '_' and '.', the first one no point. */
bool ci_hub_is_etag(const char *text);
/* A file of a repository: a path of at most CI_HUB_PATH_LENGTH bytes that stays inside. */
bool ci_hub_is_file(const char *text);

/* Adds text to an address with % for what has a meaning there; slashes stay where `path`. */
void ci_hub_add_escaped(ci_text *url, const char *text, bool path);

#endif
