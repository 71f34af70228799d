/* See name.h. */
#include "hub/name.h"
#include "base/file.h"
#include "hub/hub.h"
#include <string.h>

static const char digits[] = "0123456789abcdefABCDEF";
static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

/* One part of a name: letters, digits, '-', '_', '.', neither the first nor the last of which is '-' or '.'. */
static bool is_part(const char *text, size_t length) {
  return length && strspn(text, word) >= length && !strchr("-.", text[0]) && !strchr("-.", text[length - 1]);
}

/* Whether two equal marks stand side by side: "--" separates the parts in the cache's folder names. */
static bool has_pair(const char *text, size_t length) {
  for (size_t i = 1; i < length; i++)
    if (text[i] == text[i - 1] && strchr("-.", text[i])) return true;
  return false;
}

size_t ci_hub_split_name(const char *name, const char **choice) {
  size_t length = strcspn(name, ":"), first = strcspn(name, "/:");
  *choice = name[length] && name[length + 1] ? name + length + 1 : NULL;
  if (length > CI_REPO_LENGTH || has_pair(name, length) || !is_part(name, first)) return 0;
  if (length >= 4 && memcmp(name + length - 4, ".git", 4) == 0) return 0;
  if (name[first] == '/' && !is_part(name + first + 1, length - first - 1)) return 0;
  if (name[length] && (!*choice || !ci_hub_is_file(*choice))) return 0;
  return length;
}

bool ci_hub_named(const char *name) {
  const char *choice;
  return ci_hub_split_name(name, &choice) > 0;
}

/* Control characters are no part of any name here; they would break lines of logs and headers. */
static bool is_inside(const char *text, size_t limit) {
  size_t length = strlen(text);
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)text[i] < ' ' || text[i] == 127) return false;
  return length && length <= limit && ci_path_stays_inside(text);
}

bool ci_hub_is_revision(const char *text) {
  return is_inside(text, CI_REVISION_LENGTH);
}

bool ci_hub_is_file(const char *text) {
  return is_inside(text, CI_HUB_PATH_LENGTH);
}

bool ci_hub_is_commit(const char *text) {
  return strlen(text) == CI_COMMIT_LENGTH && strspn(text, digits) == CI_COMMIT_LENGTH;
}

bool ci_hub_is_etag(const char *text) {
  size_t length = strlen(text);
  return length && length <= CI_ETAG_LENGTH && strspn(text, word) == length && text[0] != '.';
}

void ci_hub_add_escaped(ci_text *url, const char *text, bool path) {
  for (; *text; text++) {
    if (strchr(word, *text) || *text == '~' || (path && *text == '/'))
      ci_text_add_n(url, text, 1);
    else
      ci_text_add_format(url, "%%%02X", (unsigned)(unsigned char)*text);
  }
}
