/* The public functions of results: files, drawings, statistics. */
#include "aggregate/result.h"
#include "api/c_locale.h"
#include "base/file.h"
#include "base/memory.h"
#include "output/output.h"
#include <string.h>

int cinseq_result_save(const cinseq_result *result, const char *path, cinseq_error *err) {
  locale_t before = ci_locale_enter();
  ci_status status = ci_result_save(result, path, NULL, err);
  ci_locale_leave(before);
  return (int)status;
}

int cinseq_result_save_as(const cinseq_result *result, const char *path, const char *options_json, cinseq_error *err) {
  locale_t before = ci_locale_enter();
  ci_status status = ci_result_save(result, path, options_json, err);
  ci_locale_leave(before);
  return (int)status;
}

int cinseq_result_load(const char *path, cinseq_result **result, cinseq_error *err) {
  locale_t before = ci_locale_enter();
  ci_status status = ci_result_load(path, result, err);
  ci_locale_leave(before);
  return (int)status;
}

void cinseq_result_close(cinseq_result *result) {
  ci_result_close(result);
}

int cinseq_result_aggregate(const cinseq_result *result, const char *options_json, cinseq_result **aggregated,
                            cinseq_error *err) {
  ci_show_options options = {0};
  locale_t before = ci_locale_enter();
  *aggregated = NULL;
  ci_status status = ci_show_options_read(options_json, &options, err);
  if (!status) status = ci_result_aggregate(result, options.aggregators, options.arguments, aggregated, err);
  ci_show_options_free(&options);
  ci_locale_leave(before);
  return (int)status;
}

int cinseq_result_pair(const cinseq_result *result, const cinseq_result *other, cinseq_result **difference,
                       cinseq_error *err) {
  locale_t before = ci_locale_enter();
  ci_status status = ci_result_pair(result, other, difference, err);
  ci_locale_leave(before);
  return (int)status;
}

int cinseq_result_merge(const cinseq_result *const results[], size_t count, cinseq_result **merged, cinseq_error *err) {
  locale_t before = ci_locale_enter();
  ci_status status = ci_result_merge(results, count, merged, err);
  ci_locale_leave(before);
  return (int)status;
}

int cinseq_result_render(const cinseq_result *result, const char *output, const char *options_json, char **out,
                         cinseq_error *err) {
  const ci_output *row = NULL;
  ci_show_options options = {0};
  ci_text text = {0};
  locale_t before = ci_locale_enter();
  *out = NULL;
  ci_status status = ci_output_named(output, &row, err);
  if (!status) status = ci_show_options_read(options_json, &options, err);
  if (!status) status = ci_output_render(row, result, &options, &text, err);
  if (!status && !(*out = ci_text_take(&text))) status = ci_fail_memory(err);
  ci_text_free(&text);
  ci_show_options_free(&options);
  ci_locale_leave(before);
  return (int)status;
}

int cinseq_file_write(const char *path, const char *text, cinseq_error *err) {
  return (int)ci_write_file(path, text, strlen(text), err);
}

char *cinseq_result_info(const cinseq_result *result) {
  return ci_json_text(result->info, JSON_COMPACT);
}

char *cinseq_result_statistics(const cinseq_result *result) {
  return result->statistics ? ci_json_text(result->statistics, JSON_COMPACT) : ci_duplicate("{}");
}
