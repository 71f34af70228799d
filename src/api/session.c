/* The public functions that open models and run requests. */
#include "api/c_locale.h"
#include "api/find.h"
#include "api/request.h"
#include "api/session.h"
#include "attribute/job.h"
#include "base/memory.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

/* Warnings name things in files, as errors do. */
static void forward_warning(void *context, const char *message) {
  const cinseq_hooks *hooks = context;
  if (!hooks || !hooks->warning) return;
  char line[1024];
  snprintf(line, sizeof line, "%s", message);
  ci_make_printable(line);
  hooks->warning(hooks->context, line);
}

int cinseq_model_open(const char *path, const char *options_json, const cinseq_hooks *hooks, cinseq_model **out,
                      cinseq_error *err) {
  ci_open_request request;
  json_t *owner = NULL;
  locale_t before = ci_locale_enter();
  *out = NULL;
  ci_status status = ci_open_request_read(options_json, &request, &owner, err);
  cinseq_model *handle = ci_alloc_zeroed(1, sizeof *handle);
  char *folder = NULL;
  bool hub_name = false;
  if (!status && !handle) status = ci_fail_memory(err);
  if (!status) status = ci_find_model(path, request.hub, hooks, &folder, &hub_name, err);
  if (!status)
    status = ci_model_open(folder, request.model_kwargs, request.tokenizer_kwargs, forward_warning, (void *)hooks,
                           &handle->model, err);
  if (!status && hub_name) status = ci_model_set_name(handle->model, path, err);
  ci_free(folder);
  json_decref(owner);
  if (status)
    cinseq_model_close(handle);
  else
    *out = handle;
  ci_locale_leave(before);
  return (int)status;
}

const char *cinseq_model_file_at(const cinseq_model *model, const void *address) {
  return ci_tensors_file_at(model->model->tensors, address);
}

void cinseq_model_close(cinseq_model *model) {
  if (!model) return;
  ci_model_close(model->model);
  ci_free(model);
}

int cinseq_attribute(const cinseq_model *model, const char *request_json, const cinseq_hooks *hooks,
                     cinseq_result **result, cinseq_error *err) {
  return cinseq_attribute_with(model, request_json, NULL, 0, hooks, result, err);
}

int cinseq_attribute_with(const cinseq_model *model, const char *request_json, const cinseq_score *scores, size_t score_count,
                          const cinseq_hooks *hooks, cinseq_result **result, cinseq_error *err) {
  ci_job *job = NULL;
  locale_t before = ci_locale_enter();
  *result = NULL;
  ci_status status = ci_job_open(model->model, request_json, true, scores, score_count, hooks, &job, err);
  if (!status) status = ci_job_run(job, result, err);
  ci_job_close(job);
  ci_locale_leave(before);
  return (int)status;
}

int cinseq_dump(const cinseq_model *model, const char *request_json, const char *nodes, const char *path,
                const cinseq_hooks *hooks, cinseq_error *err) {
  ci_job *job = NULL;
  locale_t before = ci_locale_enter();
  ci_status status = ci_job_open(model->model, request_json, true, NULL, 0, hooks, &job, err);
  if (!status) status = ci_job_dump(job, nodes, path, err);
  ci_job_close(job);
  ci_locale_leave(before);
  return (int)status;
}

int cinseq_generate(const cinseq_model *model, const char *request_json, const cinseq_hooks *hooks, char **lines,
                    cinseq_error *err) {
  ci_job *job = NULL;
  ci_text text = {0};
  locale_t before = ci_locale_enter();
  *lines = NULL;
  ci_status status = ci_job_open(model->model, request_json, false, NULL, 0, hooks, &job, err);
  for (size_t i = 0; !status && i < job->text_count; i++) {
    job->text_index = i;
    status = ci_attribution_generate(job, i, &text, err);
  }
  if (!status && !(*lines = ci_text_take(&text))) status = ci_fail_memory(err);
  ci_text_free(&text);
  ci_job_close(job);
  ci_locale_leave(before);
  return (int)status;
}
