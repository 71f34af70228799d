/* Installed models lie in share/cinseq/models of the prefix. The prefix is found by the place of this code, the program
 * or libcinseq.so, so that it may be moved; a program that holds the static library and lies elsewhere finds the prefix
 * of the build. */
#define _GNU_SOURCE /* dladdr1 */
#include "api/installed.h"
#include "base/file.h"
#include "base/memory.h"
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

/* From the folder of the program or library: of a build folder, of bin or lib, of lib/x86_64-linux-gnu. */
static const char *const places[] = {"share/cinseq/models", "../share/cinseq/models", "../../share/cinseq/models"};
enum { PLACES = sizeof places / sizeof *places };

/* The folder that the file with this code lies in. */
static bool find_own_folder(char folder[PATH_MAX]) {
  static const char anchor;
  Dl_info info;
  struct link_map *map = NULL;
  if (!dladdr1(&anchor, &info, (void **)&map, RTLD_DL_LINKMAP) || !map) return false;
  /* The program itself has no name there, and the one it was called by may be relative. */
  if (!realpath(map->l_name[0] ? map->l_name : "/proc/self/exe", folder)) return false;
  *strrchr(folder, '/') = 0;
  return true;
}

/* The i-th folder of models, i <= PLACES, in the order they are searched; NULL: not there. ci_free. */
static char *models_folder(size_t i) {
  char own[PATH_MAX];
  if (i == PLACES) return ci_duplicate(CINSEQ_INSTALLED_MODELS);
  return find_own_folder(own) ? ci_join_path(own, places[i]) : NULL;
}

char *ci_installed_model(const char *name) {
  if (!*name || *name == '.' || strchr(name, '/')) return NULL;
  for (size_t i = 0; i <= PLACES; i++) {
    char *models = models_folder(i), *folder = models ? ci_join_path(models, name) : NULL;
    ci_free(models);
    char *real = folder && ci_folder_exists(folder) ? realpath(folder, NULL) : NULL; /* without bin/../ in it */
    ci_free(folder);
    if (real) return real;
  }
  return NULL;
}

static int by_name(const void *a, const void *b) {
  return strcmp(json_string_value(json_object_get(*(json_t *const *)a, "id")),
                json_string_value(json_object_get(*(json_t *const *)b, "id")));
}

/* Sorts a copy of the references. */
static void sort_rows(json_t *rows) {
  size_t count = json_array_size(rows), i;
  json_t **sorted = ci_alloc(count, sizeof *sorted), *row;
  if (!sorted) return;
  json_array_foreach(rows, i, row) sorted[i] = json_incref(row);
  if (count) qsort(sorted, count, sizeof *sorted, by_name);
  for (i = 0; i < count; i++) json_array_set_new(rows, i, sorted[i]);
  ci_free(sorted);
}

static bool is_listed(const json_t *rows, const char *name) {
  size_t i;
  const json_t *row;
  json_array_foreach(rows, i, row) if (strcmp(json_string_value(json_object_get(row, "id")), name) == 0) return true;
  return false;
}

void ci_installed_describe(json_t *rows) {
  for (size_t i = 0; i <= PLACES; i++) {
    char *models = models_folder(i);
    DIR *folder = models ? opendir(models) : NULL;
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
      char *model = is_listed(rows, entry->d_name) ? NULL : ci_installed_model(entry->d_name);
      json_t *row = model ? json_pack("{s:s, s:s, s:[]}", "id", entry->d_name, "help", model, "options") : NULL;
      if (row) json_array_append_new(rows, row);
      ci_free(model);
    }
    if (folder) closedir(folder);
    ci_free(models);
  }
  sort_rows(rows);
}
