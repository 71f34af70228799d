/* A tokenizer of a folder or file that may open or not; what opens tokenizes a text and reads the ids back. */
#ifndef CI_TESTS_FUZZ_TOKENIZER_H
#define CI_TESTS_FUZZ_TOKENIZER_H
#include "fuzz/fuzz.h"
#include "tokenizers/tokenizer.h"

static inline void fuzz_tokenizer_at(const char *path) {
  static const char text[] = "Hello <s> w\xC3\xB6rld, 12 \xE4\xBB\x8A\xE5\xA4\xA9 <|endoftext|>  don't\n\xFF  end ";
  ci_tokenizer *tokenizer;
  ci_error err = {0};
  if (ci_tokenizer_open(path, NULL, NULL, &tokenizer, &err)) {
    fuzz_check(err.code && err.message[0] && !tokenizer, "an error says nothing");
    return;
  }
  for (unsigned flags = CI_ENCODE_SPECIAL; flags <= (CI_ENCODE_SPECIAL | CI_ENCODE_TARGET); flags++) {
    ci_ids ids = {0};
    ci_text back = {0};
    if (ci_tokenizer_encode(tokenizer, text, sizeof text - 1, flags, &ids, &err) == CI_OK)
      (void)ci_tokenizer_decode(tokenizer, ids.items, ids.count, flags & CI_ENCODE_TARGET, &back, &err);
    ci_text_free(&back);
    ci_ids_free(&ids);
  }
  const char *token = ci_tokenizer_token(tokenizer, 1);
  ci_text shown = {0};
  if (token) (void)ci_tokenizer_token_to_text(tokenizer, token, &shown, &err);
  ci_text_free(&shown);
  ci_tokenizer_close(tokenizer);
}

static inline void fuzz_tokenizer(void) {
  fuzz_tokenizer_at(fuzz_folder());
}

#endif
