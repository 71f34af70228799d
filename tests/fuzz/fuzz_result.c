/* libFuzzer target: any bytes as Inseq's JSON file; what is accepted is aggregated, written and read again.
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude -Isrc tests/fuzz/fuzz_result.c src/aggregate/[a-z]*.c
 * src/output/[a-z]*.c src/formats/[a-z]*.c src/base/[a-z]*.c -ljansson -lz -lpthread -lm */
#include "output/output.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  ci_result *result;
  ci_error err = {0};
  if (ci_inseq_json_read("fuzz", (const char *)bytes, length, &result, &err)) {
    if (!err.code || !err.message[0] || result) __builtin_trap();
    return 0;
  }
  for (size_t i = 0; i < result->count; i++) {
    ci_sequence aggregated;
    if (ci_sequence_aggregate(&result->sequences[i], NULL, NULL, &aggregated, &err) == CI_OK)
      ci_sequence_free(&aggregated);
  }
  ci_text text = {0};
  if (ci_inseq_json_write(result, NULL, &text, &err) == CI_OK) {
    ci_result *again;
    if (ci_inseq_json_read("fuzz", text.data, text.length, &again, &err) == CI_OK)
      ci_result_close(again);
    else if (err.code != CI_ENOMEM)
      __builtin_trap();
  }
  ci_text_free(&text);
  ci_result_close(result);
  return 0;
}
