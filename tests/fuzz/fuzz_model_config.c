/* The JSON files of a whole tiny model: config.json and its neighbours are the input's, weights and vocabulary those of
 * the tiny model (tests/data/golden/models) that the input's first line names. What opens generates and attributes. */
#include "cinseq.h"
#include "fuzz/fuzz.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NAME = 40 };

/* Links every file of golden/models/NAME into the folder. Nothing to do when it is the one of last time. */
static int use_model(const uint8_t *bytes, size_t length) {
  static char used[LONGEST_NAME];
  const uint8_t *end = memchr(bytes, '\n', length);
  size_t n = end ? (size_t)(end - bytes) : 0;
  if (n == 0 || n >= LONGEST_NAME || memchr(bytes, '/', n) || memchr(bytes, '.', n) || memchr(bytes, 0, n)) return 0;
  if (strlen(used) == n && memcmp(used, bytes, n) == 0) return 1;
  char models[] = TEST_DATA "/golden/models", path[sizeof models + LONGEST_NAME + 300];
  static const char *const files[] = {"model.safetensors", "tokenizer.json", "source.spm",
                                      "target.spm",        "vocab.json",     NULL};
  snprintf(path, sizeof path, "%s/%.*s", models, (int)n, (const char *)bytes);
  DIR *folder = opendir(path);
  if (!folder) return 0;
  closedir(folder);
  for (size_t i = 0; files[i]; i++) {
    snprintf(path, sizeof path, "%s/%.*s/%s", models, (int)n, (const char *)bytes, files[i]);
    FILE *there = fopen(path, "r");
    fuzz_link(files[i], there ? path : NULL);
    if (there) fclose(there);
  }
  memcpy(used, bytes, n);
  used[n] = 0;
  return 1;
}

static void run(cinseq_model *model) {
  cinseq_error err = {0};
  cinseq_result *result;
  char *lines;
  free(cinseq_model_info(model));
  if (cinseq_generate(
          model,
          "{\"input_texts\": [\"the w\xC3\xB6rld\"], \"threads\": 1, \"generation_kwargs\": {\"max_new_tokens\": 2}}",
          NULL, &lines, &err) == CINSEQ_OK)
    cinseq_free(lines);
  if (cinseq_attribute(model,
                       "{\"input_texts\": [\"a\"], \"threads\": 1, \"generation_kwargs\": {\"max_new_tokens\": 1}}",
                       NULL, &result, &err) == CINSEQ_OK)
    cinseq_result_close(result);
  else
    fuzz_check(err.code && err.message[0], "an error says nothing");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  static const char *const names[] = {"config.json",           "generation_config.json",
                                      "tokenizer_config.json", "special_tokens_map.json",
                                      "added_tokens.json",     NULL};
  if (!use_model(bytes, length)) return 0;
  fuzz_sections(bytes, length, names);
  cinseq_model *model;
  cinseq_error err = {0};
  if (cinseq_model_open(fuzz_folder(), NULL, NULL, &model, &err)) {
    fuzz_check(err.code && err.message[0] && !model, "an error says nothing");
    return 0;
  }
  run(model);
  cinseq_model_close(model);
  return 0;
}
