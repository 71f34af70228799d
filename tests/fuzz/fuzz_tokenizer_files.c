/* The files of GPT-2's tokenizer layout, with those that add tokens and settings. */
#include "fuzz/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  static const char *const names[] = {
      "vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", NULL};
  fuzz_sections(bytes, length, names);
  fuzz_tokenizer();
  return 0;
}
