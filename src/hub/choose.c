/* See choose.h. */
#include "hub/choose.h"
#include "base/memory.h"
#include "base/text.h"
#include "formats/format.h"
#include "formats/gguf.h"
#include "hub/name.h"
#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Files at the top of a repository that say what the weights are for. tests/hub/test_choose.c compares with what the
 * tokenizers read. */
static const char *const settings[] = {"config.json", "generation_config.json"};
static const char *const tokenizer[] = {"tokenizer*.json",
                                        "special_tokens_map.json",
                                        "added_tokens.json",
                                        "chat_template.jinja",
                                        "chat_template.json",
                                        "vocab*.json",
                                        "vocab.txt",
                                        "merges.txt",
                                        "*.spm",
                                        "*.model"};
/* Before .gguf files, in this order: that of formats.def. */
static const ci_layout *const layouts[] = {&ci_safetensors_layout, &ci_torch_layout};
/* What llama.cpp takes where nothing is said. */
static const char usual_tag[] = "Q4_K_M";

#define COUNT(table) (sizeof(table) / sizeof *(table))

bool ci_choose_has(const json_t *names, const char *name) {
  size_t i;
  const json_t *member;
  json_array_foreach(names, i, member) if (strcmp(json_string_value(member), name) == 0) return true;
  return false;
}

/* Adds a name that is not there yet; *kept (may be NULL) is the member. */
static ci_status add(ci_choice *choice, const char *name, const char **kept, ci_error *err) {
  json_t *member = json_object_get(choice->chosen, name);
  if (!member) {
    member = json_string(name);
    if (!member || json_array_append_new(choice->files, json_incref(member)) ||
        json_object_set_new(choice->chosen, name, member))
      return ci_fail_memory(err);
  }
  if (kept) *kept = json_string_value(member);
  return CI_OK;
}

static ci_status begin(ci_choice *choice, ci_error *err) {
  *choice = (ci_choice){.files = json_array(), .chosen = json_object()};
  return choice->files && choice->chosen ? CI_OK : ci_fail_memory(err);
}

/* The same members as an object, for lists that are looked into often. NULL: no memory. */
static json_t *as_set(const json_t *names) {
  json_t *set = json_object();
  size_t i;
  const json_t *member;
  json_array_foreach(names, i, member) if (json_object_set_new(set, json_string_value(member), json_true())) {
    json_decref(set);
    return NULL;
  }
  return set;
}

/* Adds the names at the top that match; *found: whether one did. */
static ci_status add_matching(ci_choice *choice, const json_t *names, const char *const *patterns, size_t count,
                              bool *found, ci_error *err) {
  ci_status status = CI_OK;
  size_t i;
  const json_t *member;
  *found = false;
  json_array_foreach(names, i, member) {
    const char *name = json_string_value(member);
    for (size_t p = 0; p < count && !status; p++)
      if (fnmatch(patterns[p], name, FNM_PATHNAME | FNM_PERIOD) == 0) {
        status = add(choice, name, NULL, err);
        *found = true;
      }
  }
  return status;
}

/* Whether tag is a word of name: whatever its case, with neither a letter nor a digit nor '_' around. "Q4_K" is none of
 * "x-Q4_K_M.gguf". */
static bool has_word(const char *name, const char *tag) {
  size_t length = strlen(tag);
  for (const char *at = name; *at; at++) {
    if (strncasecmp(at, tag, length) != 0) continue;
    bool begins = at == name || (!isalnum((unsigned char)at[-1]) && at[-1] != '_');
    if (begins && !isalnum((unsigned char)at[length]) && at[length] != '_') return true;
  }
  return false;
}

/* The position of "-00001-of-00003.gguf" in name; 0: it is no shard. *number of *count: 1 of 3, 1 of 1 for what is
 * none. */
static size_t shard_suffix(const char *name, unsigned *number, unsigned *count) {
  enum { SUFFIX = sizeof "-00001-of-00003.gguf" - 1 };
  size_t length = strlen(name);
  int end = 0;
  if (length > SUFFIX && sscanf(name + length - SUFFIX, "-%5u-of-%5u.gguf%n", number, count, &end) == 2 &&
      end == SUFFIX)
    return length - SUFFIX;
  *number = *count = 1;
  return 0;
}

/* Whether name is a .gguf file (or the first of its shards) that the tag means; NULL: any. Projectors of pictures lie
 * beside models and are none. */
static bool is_meant(const char *name, const char *tag) {
  unsigned number, count;
  if (!ci_gguf_named(name)) return false;
  if (tag && strcmp(name, tag) == 0) return true;
  shard_suffix(name, &number, &count);
  return number == 1 && !strstr(name, "mmproj") && (!tag || (!ci_gguf_named(tag) && has_word(name, tag)));
}

/* The shortest of the names that are meant, the first of them by letter; *count: of all. */
static const char *find_gguf(const json_t *names, const char *tag, size_t *count) {
  const char *best = NULL;
  size_t i;
  const json_t *member;
  *count = 0;
  json_array_foreach(names, i, member) {
    const char *name = json_string_value(member);
    if (!is_meant(name, tag)) continue;
    ++*count;
    if (!best || strlen(name) < strlen(best) || (strlen(name) == strlen(best) && strcmp(name, best) < 0)) best = name;
  }
  return best;
}

/* The names of .gguf files, for a message that ends in time. */
static void list_gguf(const json_t *names, char *list, size_t room) {
  size_t i, used = 0;
  const json_t *member;
  *list = 0;
  json_array_foreach(names, i, member) {
    const char *name = json_string_value(member);
    if (!is_meant(name, NULL) || used + strlen(name) + 6 > room) continue;
    used += (size_t)snprintf(list + used, room - used, "%s%s", used ? ", " : "", name);
  }
}

static ci_status add_gguf(const char *where, const json_t *names, const char *tag, ci_choice *choice, ci_error *err) {
  char list[512];
  size_t count, i;
  const json_t *member;
  const char *name = find_gguf(names, tag, &count);
  if (!tag && count > 1) name = find_gguf(names, usual_tag, &count);
  list_gguf(names, list, sizeof list);
  if (!name && tag)
    return ci_fail(err, CI_EINVAL, where, "has no .gguf file for \"%s\"%s%s", tag, *list ? ", only " : "", list);
  if (!name)
    return ci_fail(err, CI_EINVAL, where, "holds several .gguf files: name one behind a colon, among %s", list);
  unsigned number, shards, other_number, other_shards, found = 0;
  size_t stem = shard_suffix(name, &number, &shards);
  ci_status status = add(choice, name, &choice->gguf, err);
  json_array_foreach(names, i, member) {
    const char *other = json_string_value(member);
    if (status || shard_suffix(other, &other_number, &other_shards) != stem || other_shards != shards ||
        strncmp(other, name, stem ? stem : strlen(name) + 1) != 0)
      continue;
    found++;
    status = add(choice, other, NULL, err);
  }
  if (found < shards) choice->missing = "shards of its weights";
  return status;
}

/* The first layout whose file or index is there; *found: whether one was. */
static ci_status add_weights(const json_t *names, ci_choice *choice, bool *found, ci_error *err) {
  *found = true;
  for (size_t i = 0; i < COUNT(layouts); i++) {
    if (ci_choose_has(names, layouts[i]->single)) return add(choice, layouts[i]->single, NULL, err);
    if (ci_choose_has(names, layouts[i]->index)) return add(choice, layouts[i]->index, &choice->index, err);
  }
  *found = false;
  return CI_OK;
}

ci_status ci_choose_model(const char *where, const json_t *names, const char *tag, ci_choice *choice, ci_error *err) {
  size_t gguf;
  bool has_settings, has_tokenizer, has_weights;
  ci_status status = begin(choice, err);
  if (status || tag) return status ? status : add_gguf(where, names, tag, choice, err);
  find_gguf(names, NULL, &gguf);
  status = add_matching(choice, names, settings, COUNT(settings), &has_settings, err);
  if (!status) status = add_matching(choice, names, tokenizer, COUNT(tokenizer), &has_tokenizer, err);
  if (!status) status = add_weights(names, choice, &has_weights, err);
  if (status || (has_weights && ci_choose_has(names, "config.json") && has_tokenizer)) return status;
  if (!has_weights && gguf) {
    ci_choice_free(choice); /* all is in the file */
    status = begin(choice, err);
    if (status) return status;
    return add_gguf(where, names, NULL, choice, err);
  }
  choice->missing = !has_weights
                        ? "weights: model.safetensors, pytorch_model.bin, the index of their shards, or a .gguf file"
                    : !ci_choose_has(names, "config.json") ? "config.json"
                                                           : "files of a tokenizer";
  return CI_OK;
}

ci_status ci_choose_shards(const char *path, const json_t *names, ci_choice *choice, ci_error *err) {
  json_t *root, *map, *value, *known;
  const char *tensor;
  ci_status status = ci_json_read_file(path, &root, err);
  if (status) return status;
  map = json_object_get(root, "weight_map");
  known = as_set(names);
  if (!known)
    status = ci_fail_memory(err);
  else if (!json_is_object(map))
    status = ci_fail(err, CI_EFILE, path, "has no object \"weight_map\"");
  json_object_foreach(map, tensor, value) {
    const char *shard = json_string_value(value);
    if (status) break;
    if (!shard || strlen(shard) != json_string_length(value) || !ci_hub_is_file(shard))
      status = ci_fail(err, CI_EFILE, path, "gives no file of the repository for tensor \"%s\"", tensor);
    else if (!json_object_get(known, shard))
      choice->missing = "shards of its weights";
    else
      status = add(choice, shard, NULL, err);
  }
  json_decref(known);
  json_decref(root);
  return status;
}

ci_status ci_choose_files(const char *where, const json_t *names, const json_t *wanted, ci_choice *choice,
                          ci_error *err) {
  size_t i, k;
  const json_t *pattern, *member;
  ci_status status = begin(choice, err);
  json_array_foreach(wanted, i, pattern) {
    const char *text = json_string_value(pattern);
    bool found = false;
    json_array_foreach(names, k, member) {
      const char *name = json_string_value(member);
      if (status || (strcmp(text, name) != 0 && fnmatch(text, name, 0) != 0)) continue;
      found = true;
      status = add(choice, name, NULL, err);
    }
    if (!status && !found) status = ci_fail(err, CI_EINVAL, where, "has no file \"%s\"", text);
  }
  return status;
}

void ci_choice_free(ci_choice *choice) {
  json_decref(choice->files);
  json_decref(choice->chosen);
  *choice = (ci_choice){0};
}
