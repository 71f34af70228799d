/* The files of tokenizers that are vocabularies and merges (GPT-2, BioGPT, FSMT), with those that add tokens and
 * settings. */
#include "fuzz/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  static const char *const names[] = {
      "vocab.json",        "merges.txt",     "tokenizer_config.json", "special_tokens_map.json",
      "added_tokens.json", "vocab-src.json", "vocab-tgt.json",        NULL};
  fuzz_sections(bytes, length, names);
  fuzz_tokenizer();
  return 0;
}
