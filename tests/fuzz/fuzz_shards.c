/* model.safetensors.index.json, with two shards that are there. */
#include "formats/format.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  static const char *const names[] = {"model.safetensors.index.json", "a.safetensors", "b.safetensors", NULL};
  fuzz_sections(bytes, length, names);
  ci_tensors *tensors;
  ci_error err = {0};
  if (ci_tensors_open(fuzz_folder(), &tensors, &err))
    fuzz_check(err.code && err.message[0] && !tensors, "an error says nothing");
  else
    ci_tensors_close(tensors);
  return 0;
}
