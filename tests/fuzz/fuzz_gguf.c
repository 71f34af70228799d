/* Any bytes as a GGUF file: header, configuration, every tensor that is accepted is read whole, and the tokenizer
 * inside. */
#include "base/memory.h"
#include "formats/format.h"
#include "formats/gguf.h"
#include "fuzz/tokenizer.h"
#include <stdio.h>

static void read_all(const ci_tensors *tensors) {
  for (size_t i = 0; i < ci_tensors_count(tensors); i++) {
    const ci_tensor *tensor = ci_tensors_at(tensors, i);
    float *values = ci_alloc(tensor->count, sizeof *values);
    if (values) ci_tensor_widen(tensor, 0, tensor->count, values);
    ci_free(values);
  }
}

static void tokenize(const uint8_t *bytes, size_t length) {
  char path[256];
  snprintf(path, sizeof path, "%s/t.gguf", fuzz_folder());
  fuzz_file("t.gguf", bytes, length);
  fuzz_tokenizer_at(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  ci_tensors *tensors = ci_tensors_create();
  ci_gguf gguf = {0};
  ci_error err = {0};
  json_t *config = NULL;
  if (!tensors) return 0;
  ci_status status = ci_gguf_parse(&gguf, "fuzz", bytes, length, &err);
  if (!status) status = ci_gguf_config_of(&gguf, &config, &err);
  if (!status) status = ci_gguf_add(&gguf, &gguf, tensors, &err);
  if (status)
    fuzz_check(err.code && err.message[0], "an error says nothing");
  else
    read_all(tensors);
  if (ci_gguf_find(&gguf, "tokenizer.ggml.model")) tokenize(bytes, length);
  json_decref(config);
  ci_gguf_close(&gguf);
  ci_tensors_close(tensors);
  return 0;
}
