/* Any bytes as tokenizer.json; what is accepted tokenizes a text and its ids are read back. */
#include "fuzz/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  fuzz_file("tokenizer.json", bytes, length);
  fuzz_tokenizer();
  return 0;
}
