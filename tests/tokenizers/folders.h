/* Folders with a tokenizer that tests make and change. */
#ifndef TESTS_TOKENIZERS_FOLDERS_H
#define TESTS_TOKENIZERS_FOLDERS_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/memory.h"
#include "tokenizers/tokenizer.h"

#define DATA TEST_DATA "/tokenizers/"

static inline json_t *read_json(const char *path) {
  json_t *value;
  ci_error err = {0};
  if (ci_json_read_file(path, &value, &err)) fail_msg("%s: %s", err.where, err.message);
  return value;
}

static inline ci_tokenizer *open_folder(const char *folder, const json_t *config, const json_t *kwargs) {
  ci_tokenizer *t;
  ci_error err = {0};
  if (ci_tokenizer_open(folder, config, kwargs, &t, &err)) fail_msg("%s: %s", err.where, err.message);
  return t;
}

static inline void make_folder(char *folder) {
  strcpy(folder, "/tmp/cinseq-tokenizer-XXXXXX");
  assert_non_null(mkdtemp(folder));
}

static inline void write_file(const char *folder, const char *name, const void *bytes, size_t length) {
  char *path = ci_join_path(folder, name);
  ci_error err = {0};
  if (ci_write_file(path, bytes, length, &err)) fail_msg("%s: %s", err.where, err.message);
  ci_free(path);
}

static inline void write_json(const char *folder, const char *name, const json_t *value) {
  char *text = json_dumps(value, JSON_COMPACT);
  write_file(folder, name, text, strlen(text));
  free(text);
}

static inline void copy_file(const char *from, const char *folder, const char *name) {
  char *path = ci_join_path(from, name), *text;
  size_t length;
  ci_error err = {0};
  if (ci_read_file(path, 1 << 24, &text, &length, &err)) fail_msg("%s: %s", err.where, err.message);
  write_file(folder, name, text, length);
  ci_free(path);
  ci_free(text);
}

static inline void remove_folder(const char *folder) {
  static const char *const names[] = {
      "tokenizer.json", "tokenizer_config.json",   "tokenizer.model",   "vocab.json", "merges.txt",
      "source.spm",     "special_tokens_map.json", "added_tokens.json", "target.spm", "target_vocab.json"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char *path = ci_join_path(folder, names[i]);
    unlink(path);
    ci_free(path);
  }
  assert_int_equal(rmdir(folder), 0);
}

/* The change of a case laid over the base file: members of "model" one by one, others as a whole. */
static inline json_t *changed(const char *base, const json_t *change) {
  char path[512];
  snprintf(path, sizeof path, DATA "%s/tokenizer.json", base);
  json_t *file = read_json(path), *value;
  const char *key;
  json_object_foreach((json_t *)change, key, value) {
    if (strcmp(key, "model") == 0) {
      json_object_update(json_object_get(file, key), value);
    } else {
      json_object_set(file, key, value);
    }
  }
  return file;
}

#endif
