/* The table of outputs, and the one that save and load stand for. */
#include "output/output.h"
#include "base/file.h"
#include <string.h>

static const ci_output outputs[] = {
#define CI_OUTPUT(id, help, write, read) {id, help, write, read},
#include "output/outputs.def"
#undef CI_OUTPUT
};

const ci_output *ci_outputs(size_t *count) {
  *count = sizeof outputs / sizeof *outputs;
  return outputs;
}

const ci_output *ci_output_find(const char *id) {
  for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
    if (strcmp(outputs[i].id, id) == 0) return &outputs[i];
  return NULL;
}

ci_status ci_result_save(const ci_result *result, const char *path, ci_error *err) {
  ci_text text = {0};
  ci_status status = ci_inseq_json_write(result, &text, err);
  if (!status) status = ci_write_file(path, text.data, text.length, err);
  ci_text_free(&text);
  return status;
}

ci_status ci_result_load(const char *path, ci_result **result, ci_error *err) {
  ci_mapping file;
  *result = NULL;
  ci_status status = ci_map_file(path, &file, err);
  if (status) return status;
  status = ci_inseq_json_read(path, (const char *)file.bytes, file.length, result, err);
  ci_unmap_file(&file);
  return status;
}
