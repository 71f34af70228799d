/* Results to files and back. See saving.h. */
#include "output/saving.h"
#include "base/file.h"
#include "base/new_file.h"
#include "output/gzip.h"
#include "output/output.h"
#include <string.h>

#define AT(field) offsetof(ci_saving, field)
const ci_option ci_saving_options[] = {
    {"scores_precision", NULL, CI_WORD, AT(scores_precision), "\"float32\"", 0, 0, "float32|float16|float8",
     "Type of saved scores: smaller ones are rounded (float8 is E4M3, largest 448)."},
    {"compress", NULL, CI_BOOL, AT(compress), "false", 0, 0, NULL, "Compress the file with gzip."},
    {"use_primitives", NULL, CI_BOOL, AT(use_primitives), "false", 0, 0, NULL,
     "Objects without the names of their classes, for other programs: such a file cannot be loaded."},
    {"ndarray_compact", NULL, CI_BOOL, AT(ndarray_compact), "true", 0, 0, NULL,
     "Arrays of step attributions in base64; false: as lists of numbers."},
    CI_OPTIONS_END};
#undef AT

static ci_status read_options(const char *json, ci_saving *saving, json_t *keep, ci_error *err) {
  json_t *object = NULL;
  ci_status status = json ? ci_json_parse("options", json, strlen(json), &object, err) : CI_OK;
  if (!status && object && json_array_append_new(keep, object)) status = ci_fail_memory(err);
  if (!status) status = ci_options_parse(ci_saving_options, "options", object, saving, keep, NULL, err);
  if (status && err && err->code == CI_EFILE) err->code = status = CI_EINVAL; /* the text is the caller's, no file's */
  return status;
}

static ci_status put_packed(const ci_result *result, const ci_saving *saving, ci_sink out, ci_error *err) {
  ci_gzip *gzip = ci_gzip_create(out);
  if (!gzip) return ci_fail_memory(err);
  ci_status status = ci_inseq_json_put(result, saving, ci_gzip_sink(gzip), err);
  if (!status) status = ci_gzip_finish(gzip, err);
  ci_gzip_close(gzip);
  return status;
}

static ci_status put_file(const ci_result *result, const ci_saving *saving, const char *path, ci_error *err) {
  ci_new_file file;
  ci_status status = ci_new_file_open(&file, path, err);
  if (status) return status;
  ci_sink out = ci_new_file_sink(&file);
  status = saving->compress ? put_packed(result, saving, out, err) : ci_inseq_json_put(result, saving, out, err);
  ci_status closed = ci_new_file_close(&file, !status, status ? NULL : err);
  return status ? status : closed;
}

ci_status ci_result_save(const ci_result *result, const char *path, const char *options_json, ci_error *err) {
  ci_saving saving;
  json_t *keep = json_array();
  ci_status status = keep ? read_options(options_json, &saving, keep, err) : ci_fail_memory(err);
  if (!status) status = put_file(result, &saving, path, err);
  json_decref(keep);
  return status;
}

ci_status ci_result_load(const char *path, ci_result **result, ci_error *err) {
  ci_mapping file;
  ci_text plain = {0};
  *result = NULL;
  ci_status status = ci_map_file(path, &file, err);
  if (status) return status;
  const char *bytes = (const char *)file.bytes;
  bool packed = ci_is_gzip(bytes, file.length);
  if (packed) status = ci_gunzip(path, bytes, file.length, &plain, err);
  if (!status)
    status = ci_inseq_json_read(path, packed ? plain.data : bytes, packed ? plain.length : file.length, result, err);
  ci_text_free(&plain);
  ci_unmap_file(&file);
  return status;
}
