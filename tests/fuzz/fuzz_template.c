/* Any bytes as a chat template, rendered for a conversation. */
#include "base/memory.h"
#include "fuzz/fuzz.h"
#include "templates/template.h"

static const char variables[] =
    "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"add_generation_prompt\": true, \"tools\": null, \"messages\": "
    "[{\"role\": \"system\", \"content\": \"a\\n\"}, {\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": "
    "\"\xE4\xBB\x8A\"}]},"
    " {\"role\": \"assistant\", \"content\": \"x\", \"tool_calls\": [{\"function\": {\"name\": \"f\", \"arguments\": "
    "{\"k\": 1.5}}}]}]}";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  ci_error err = {0};
  ci_template *t;
  char *text = NULL;
  if (ci_template_open("fuzz", (const char *)bytes, length, &t, &err)) {
    fuzz_check(err.code && err.message[0], "an error says nothing");
    return 0;
  }
  json_t *values = json_loads(variables, 0, NULL);
  if (ci_template_render(t, values, &text, &err))
    fuzz_check(err.code && err.message[0] && !text, "an error says nothing");
  ci_free(text);
  json_decref(values);
  ci_template_close(t);
  return 0;
}
