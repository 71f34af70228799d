/* Any bytes as Inseq's JSON file; what is accepted is aggregated, drawn in every form, written and read again. */
#include "base/memory.h"
#include "cinseq.h"
#include "fuzz/fuzz.h"
#include "output/output.h"

/* In every form that there is. */
static void render(const ci_result *result) {
  size_t count;
  const ci_output *outputs = ci_outputs(&count);
  for (size_t i = 0; i < count; i++) {
    char *text;
    ci_error err = {0};
    if (cinseq_result_render(result, outputs[i].id, "{\"color\": \"256\", \"width\": 80}", &text, &err) == CI_OK)
      cinseq_free(text);
    else
      fuzz_check(err.code && err.message[0] && !text, "an error says nothing");
  }
}

static void read_again(const ci_result *result) {
  ci_text text = {0};
  ci_error err = {0};
  ci_result *again;
  if (ci_inseq_json_write(result, NULL, &text, &err) == CI_OK) {
    if (ci_inseq_json_read("fuzz", text.data, text.length, &again, &err) == CI_OK)
      ci_result_close(again);
    else
      fuzz_check(err.code == CI_ENOMEM, "what was written cannot be read");
  }
  ci_text_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  ci_result *result;
  ci_error err = {0};
  if (ci_inseq_json_read("fuzz", (const char *)bytes, length, &result, &err)) {
    fuzz_check(err.code && err.message[0] && !result, "an error says nothing");
    return 0;
  }
  render(result);
  read_again(result);
  ci_result_close(result);
  return 0;
}
