/* The public functions that open models and run requests. */
#include "aggregate/result.h"
#include "api/installed.h"
#include "api/session.h"
#include "attribute/job.h"
#include "base/file.h"
#include "output/html.h"
#include "output/terminal.h"
#include <string.h>

static void forward_warning(void *context, const char *message) {
  const cinseq_hooks *hooks = context;
  if (hooks && hooks->warning) hooks->warning(hooks->context, message);
}

/* A folder as it is; else an installed model of that name; else what was given, for the error message. ci_free. */
static char *find_folder(const char *path) {
  char *installed = ci_folder_exists(path) ? NULL : ci_installed_model(path);
  return installed ? installed : ci_duplicate(path);
}

int cinseq_model_open(const char *path, const char *options_json, const cinseq_hooks *hooks, cinseq_model **out,
                      cinseq_error *err) {
  ci_open_request request;
  json_t *owner = NULL;
  *out = NULL;
  ci_status status = ci_open_request_read(options_json, &request, &owner, err);
  cinseq_model *handle = ci_alloc_zeroed(1, sizeof *handle);
  char *folder = find_folder(path);
  if (!status && (!handle || !folder)) status = ci_fail_memory(err);
  if (!status)
    status = ci_model_open(folder, request.model_kwargs, request.tokenizer_kwargs, forward_warning, (void *)hooks,
                           &handle->model, err);
  ci_free(folder);
  json_decref(owner);
  if (status)
    ci_free(handle);
  else
    *out = handle;
  return (int)status;
}

void cinseq_model_close(cinseq_model *model) {
  if (!model) return;
  ci_model_close(model->model);
  ci_free(model);
}

int cinseq_attribute(const cinseq_model *model, const char *request_json, const cinseq_hooks *hooks,
                     cinseq_result **result, cinseq_error *err) {
  ci_job *job = NULL;
  *result = NULL;
  ci_status status = ci_job_open(model->model, request_json, true, hooks, &job, err);
  if (!status) status = ci_job_run(job, result, err);
  ci_job_close(job);
  return (int)status;
}

int cinseq_generate(const cinseq_model *model, const char *request_json, const cinseq_hooks *hooks, char **lines,
                    cinseq_error *err) {
  ci_job *job = NULL;
  ci_text text = {0};
  *lines = NULL;
  ci_status status = ci_job_open(model->model, request_json, false, hooks, &job, err);
  for (size_t i = 0; !status && i < job->text_count; i++) {
    job->text_index = i;
    status = ci_attribution_generate(job, i, &text, err);
  }
  if (!status && !(*lines = ci_text_take(&text))) status = ci_fail_memory(err);
  ci_text_free(&text);
  ci_job_close(job);
  return (int)status;
}

int cinseq_result_save(const cinseq_result *result, const char *path, cinseq_error *err) {
  return (int)ci_result_save(result, path, err);
}

int cinseq_result_load(const char *path, cinseq_result **result, cinseq_error *err) {
  return (int)ci_result_load(path, result, err);
}

void cinseq_result_close(cinseq_result *result) {
  ci_result_close(result);
}

/* The tables of all sequences, one after the other. */
static ci_status show(const cinseq_result *result, const ci_show_options *options, ci_text *text, ci_error *err) {
  for (size_t i = 0; i < result->count; i++) {
    ci_sequence aggregated = {0};
    ci_status status = ci_sequence_aggregate(&result->sequences[i], &aggregated, err);
    if (!status) status = ci_terminal_show(&aggregated, options, text, err);
    ci_sequence_free(&aggregated);
    if (status) return status;
  }
  return CI_OK;
}

typedef ci_status draw_function(const cinseq_result *result, const ci_show_options *options, ci_text *text,
                                ci_error *err);

static int draw(draw_function *function, const cinseq_result *result, const char *options_json, char **out,
                cinseq_error *err) {
  json_t *object = NULL, *keep = json_array();
  ci_show_options options = {0};
  ci_text text = {0};
  *out = NULL;
  ci_status status = keep ? CI_OK : ci_fail_memory(err);
  if (!status && options_json) status = ci_json_parse("options", options_json, strlen(options_json), &object, err);
  if (!status) status = ci_options_parse(ci_show_option_table, "options", object, &options, keep, NULL, err);
  if (!status) status = function(result, &options, &text, err);
  if (!status && !(*out = ci_text_take(&text))) status = ci_fail_memory(err);
  ci_text_free(&text);
  json_decref(object);
  json_decref(keep);
  return (int)status;
}

int cinseq_result_show(const cinseq_result *result, const char *options_json, char **out, cinseq_error *err) {
  return draw(show, result, options_json, out, err);
}

int cinseq_result_html(const cinseq_result *result, const char *options_json, char **out, cinseq_error *err) {
  return draw(ci_html_page, result, options_json, out, err);
}

int cinseq_file_write(const char *path, const char *text, cinseq_error *err) {
  return (int)ci_write_file(path, text, strlen(text), err);
}

char *cinseq_result_info(const cinseq_result *result) {
  return json_dumps(result->info, JSON_COMPACT);
}

char *cinseq_result_statistics(const cinseq_result *result) {
  return result->statistics ? json_dumps(result->statistics, JSON_COMPACT) : ci_duplicate("{}");
}
