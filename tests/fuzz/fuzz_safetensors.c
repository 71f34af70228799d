/* Any bytes as a safetensors file; every tensor that is accepted is read whole. */
#include "base/memory.h"
#include "formats/format.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  ci_tensors *tensors = ci_tensors_create();
  if (!tensors) return 0;
  ci_error err = {0};
  if (ci_safetensors_parse("fuzz", bytes, length, tensors, &err) == CI_OK) {
    for (size_t i = 0; i < ci_tensors_count(tensors); i++) {
      const ci_tensor *tensor = ci_tensors_at(tensors, i);
      float *values = ci_alloc(tensor->count, sizeof *values);
      if (values) ci_tensor_widen(tensor, 0, tensor->count, values);
      ci_free(values);
    }
  } else {
    fuzz_check(err.code && err.message[0], "an error says nothing");
  }
  ci_tensors_close(tensors);
  return 0;
}
