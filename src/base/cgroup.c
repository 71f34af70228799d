/* See cgroup.h, and cgroups(7). A line of /proc/self/cgroup is HIERARCHY:CONTROLLERS:PATH; version 2 has hierarchy 0
 * and no controllers. A limit holds for all groups below it, so PATH is walked up to its root; inside a container PATH
 * may be the host's, and then only the root is there. */
#include "base/cgroup.h"
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The files of one version, in a group's folder. `pages` of memory.stat are cached files: given back when they are
 * needed. */
typedef struct {
  const char *folder, *limit, *usage, *pages;
} version;

static const version versions[] = {
    {"", "memory.max", "memory.current", "file"},
    {"/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"},
};

enum { PATH_BYTES = 4096 };

/* The number after `key` (NULL: that the file begins with). False for none, as "max" is. */
static bool read_number(const char *folder, const char *name, const char *key, uint64_t *out) {
  char path[PATH_BYTES + 64], line[256], word[64];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "r");
  bool found = false;
  while (file && !found && fgets(line, sizeof line, file))
    found = key ? sscanf(line, "%63s %" SCNu64, word, out) == 2 && strcmp(word, key) == 0
                : sscanf(line, "%" SCNu64, out) == 1;
  if (file) fclose(file);
  return found;
}

static size_t left_in(const version *v, const char *folder) {
  uint64_t limit, usage, pages = 0;
  if (!read_number(folder, v->limit, NULL, &limit) || !read_number(folder, v->usage, NULL, &usage)) return SIZE_MAX;
  read_number(folder, "memory.stat", v->pages, &pages);
  usage -= pages < usage ? pages : usage;
  return limit > usage ? (size_t)(limit - usage) : 0;
}

static size_t left_on_path(const version *v, const char *mount, const char *group) {
  char folder[PATH_BYTES];
  size_t root = strlen(mount) + strlen(v->folder), least = SIZE_MAX;
  if (snprintf(folder, sizeof folder, "%s%s%s", mount, v->folder, group) >= (int)sizeof folder) return SIZE_MAX;
  for (char *end = folder + strlen(folder); end; end = strrchr(folder + root, '/')) {
    *end = 0;
    size_t left = left_in(v, folder);
    if (left < least) least = left;
  }
  return least;
}

/* Whether "memory" is one of the words of a list with commas. */
static bool has_memory(const char *controllers) {
  const char *found = strstr(controllers, "memory");
  return found && (found == controllers || found[-1] == ',') && (found[6] == 0 || found[6] == ',');
}

size_t ci_cgroup_available(const char *membership, const char *mount) {
  FILE *file = fopen(membership, "r");
  char line[PATH_BYTES];
  size_t least = SIZE_MAX;
  while (file && fgets(line, sizeof line, file)) {
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) continue;
    *group++ = 0;
    group[strcspn(group, "\n")] = 0;
    bool second = strncmp(line, "0:", 2) == 0 && !controllers[1];
    if (!second && !has_memory(controllers + 1)) continue;
    size_t left = left_on_path(&versions[second ? 0 : 1], mount, group);
    if (left < least) least = left;
  }
  if (file) fclose(file);
  return least;
}
