/* The JSON files of a whole tiny model: config.json and its neighbours are the input's, weights and vocabulary those of
 * the tiny model that the input's first line names (tests/data/golden/models, or architectures as CMake unpacks them).
 * What opens generates and attributes. */
#include "cinseq.h"
#include "fuzz/fuzz.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST_NAME = 40, LONGEST_PATH = 1000 };

/* The folder of a model; false: there is none of that name. */
static int find_model(const char *name, char path[LONGEST_PATH]) {
  snprintf(path, LONGEST_PATH, "%s/golden/models/%s/config.json", TEST_DATA, name);
  if (access(path, R_OK)) snprintf(path, LONGEST_PATH, "%s/%s/model/config.json", ARCHITECTURES, name);
  if (access(path, R_OK)) return 0;
  *strrchr(path, '/') = 0;
  return 1;
}

/* Links every file of the model into the folder. Nothing to do when it is the one of last time. */
static int use_model(const uint8_t *bytes, size_t length) {
  static const char *const files[] = {
      "model.safetensors", "tokenizer.json", "source.spm",        "target.spm",
      "vocab.json",        "merges.txt",     "spiece.model",      "sentencepiece.bpe.model",
      "vocab-src.json",    "vocab-tgt.json", "target_vocab.json", NULL};
  static char used[LONGEST_NAME];
  char name[LONGEST_NAME] = "", folder[LONGEST_PATH], path[LONGEST_PATH + LONGEST_NAME];
  const uint8_t *end = memchr(bytes, '\n', length);
  size_t n = end ? (size_t)(end - bytes) : 0;
  if (n == 0 || n >= LONGEST_NAME || memchr(bytes, '/', n) || memchr(bytes, '.', n) || memchr(bytes, 0, n)) return 0;
  memcpy(name, bytes, n);
  if (strcmp(used, name) == 0) return 1;
  if (!find_model(name, folder)) return 0;
  for (size_t i = 0; files[i]; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, files[i]);
    fuzz_link(files[i], access(path, R_OK) ? NULL : path);
  }
  memcpy(used, name, sizeof used);
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
