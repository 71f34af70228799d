/* libFuzzer target: any bytes as tokenizer.json; what is accepted tokenizes a text and its ids are read back.
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude -Isrc -c tests/fuzz/fuzz_tokenizer_json.c
 * src/tokenizers/[a-z]*.c src/base/[a-z]*.c; clang++ -std=gnu++17 -fsanitize=fuzzer,address,undefined *.o
 * src/tokenizers/sentencepiece.cc -ljansson -lpcre2-8 -lutf8proc -lsentencepiece -lpthread. Seeds:
 * tests/data/tokenizers/byte-level and byte-fallback. */
#include "base/file.h"
#include "base/memory.h"
#include "tokenizers/tokenizer.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static const char text[] = "Hello <s> w\xC3\xB6rld, 12 \xE4\xBB\x8A\xE5\xA4\xA9 <|endoftext|>  don't\n\xFF  end ";

static void round_trip(const ci_tokenizer *tokenizer) {
  ci_ids ids = {0};
  ci_text back = {0};
  ci_error err = {0};
  if (ci_tokenizer_encode(tokenizer, text, sizeof text - 1, CI_ENCODE_SPECIAL, &ids, &err) == CI_OK)
    (void)ci_tokenizer_decode(tokenizer, ids.items, ids.count, true, &back, &err);
  ci_text_free(&back);
  ci_ids_free(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  static char folder[64], *path;
  ci_error err = {0};
  if (!path) {
    strcpy(folder, "/dev/shm/fuzz-tokenizer-XXXXXX");
    if (!mkdtemp(folder) || !(path = ci_join_path(folder, "tokenizer.json"))) abort();
  }
  if (ci_write_file(path, bytes, length, &err)) abort();
  ci_tokenizer *tokenizer;
  if (ci_tokenizer_open(folder, NULL, NULL, &tokenizer, &err)) {
    if (!err.code || !err.message[0] || tokenizer) __builtin_trap();
    return 0;
  }
  round_trip(tokenizer);
  ci_tokenizer_close(tokenizer);
  return 0;
}
