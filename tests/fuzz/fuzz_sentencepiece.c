/* Any bytes as a SentencePiece model, in each layout of files that has one. */
#include "fuzz/tokenizer.h"
#include <stdio.h>
#include <string.h>

static const struct {
  const char *files[2], *class; /* the files that are the input */
} layouts[] = {
    {{"tokenizer.model"}, "LlamaTokenizer"},
    {{"spiece.model"}, "T5Tokenizer"},
    {{"spiece.model"}, "PegasusTokenizer"},
    {{"sentencepiece.bpe.model"}, "XLMRobertaTokenizer"},
    {{"source.spm", "target.spm"}, "MarianTokenizer"},
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  static const char vocabulary[] =
      "{\"</s>\": 0, \"<unk>\": 1, \"<pad>\": 2, \"\xE2\x96\x81Hello\": 3, \"\xE2\x96\x81\": 4}";
  fuzz_file("vocab.json", vocabulary, sizeof vocabulary - 1); /* Marian's */
  for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
    char config[100];
    int n = snprintf(config, sizeof config, "{\"tokenizer_class\": \"%s\", \"legacy\": false}", layouts[i].class);
    fuzz_file("tokenizer_config.json", config, (size_t)n);
    for (size_t k = 0; k < 2 && layouts[i].files[k]; k++) fuzz_file(layouts[i].files[k], bytes, length);
    fuzz_tokenizer();
    for (size_t k = 0; k < 2 && layouts[i].files[k]; k++) fuzz_file(layouts[i].files[k], NULL, 0);
  }
  return 0;
}
