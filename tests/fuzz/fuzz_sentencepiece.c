/* Any bytes as a SentencePiece model: as Llama's tokenizer.model, and as both of Marian's. */
#include "fuzz/tokenizer.h"

static void write(const char *name, const char *text) {
  fuzz_file(name, text, text ? __builtin_strlen(text) : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  static const char vocabulary[] =
      "{\"</s>\": 0, \"<unk>\": 1, \"<pad>\": 2, \"\xE2\x96\x81Hello\": 3, \"\xE2\x96\x81\": 4}";
  write("source.spm", NULL);
  fuzz_file("tokenizer.model", bytes, length);
  write("tokenizer_config.json", "{\"tokenizer_class\": \"LlamaTokenizer\", \"legacy\": false}");
  fuzz_tokenizer();
  fuzz_file("source.spm", bytes, length);
  fuzz_file("target.spm", bytes, length);
  write("vocab.json", vocabulary);
  write("tokenizer_config.json", "{\"tokenizer_class\": \"MarianTokenizer\"}");
  fuzz_tokenizer();
  return 0;
}
