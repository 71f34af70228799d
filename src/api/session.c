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

/* What the options of an opening name, found: closed with close_opening. */
typedef struct {
  ci_open_request request;
  json_t *owner;
  char *tokenizer; /* folder; NULL: the model's own */
} opening;

static ci_status read_opening(const char *options_json, const cinseq_hooks *hooks, opening *o, ci_error *err) {
  ci_status status = ci_open_request_read(options_json, &o->request, &o->owner, err);
  if (status || !o->request.tokenizer) return status;
  ci_hub_request hub = o->request.hub;
  hub.revision = NULL; /* the model's */
  return ci_find_model(o->request.tokenizer, hub, hooks, &o->tokenizer, err);
}

static void close_opening(opening *o) {
  ci_free(o->tokenizer);
  json_decref(o->owner);
}

/* A handle for what source says, with the options of *o. name: what results call it; NULL: the folder. */
static ci_status open_handle(ci_model_source source, const opening *o, const char *name, const cinseq_hooks *hooks,
                             cinseq_model **out, ci_error *err) {
  cinseq_model *handle = ci_alloc_zeroed(1, sizeof *handle);
  if (!handle) return ci_fail_memory(err);
  source.tokenizer = o->tokenizer;
  source.model_kwargs = o->request.model_kwargs;
  source.tokenizer_kwargs = o->request.tokenizer_kwargs;
  ci_status status = ci_model_open_from(&source, forward_warning, (void *)hooks, &handle->model, err);
  if (!status && name) status = ci_model_set_name(handle->model, name, err);
  if (!status && o->tokenizer) status = ci_model_set_tokenizer_name(handle->model, o->request.tokenizer, err);
  if (status)
    cinseq_model_close(handle);
  else
    *out = handle;
  return status;
}

int cinseq_model_open(const char *path, const char *options_json, const cinseq_hooks *hooks, cinseq_model **out,
                      cinseq_error *err) {
  opening o = {0};
  char *folder = NULL;
  locale_t before = ci_locale_enter();
  *out = NULL;
  ci_status status = read_opening(options_json, hooks, &o, err);
  if (!status) status = ci_find_model(path, o.request.hub, hooks, &folder, err);
  if (!status) status = open_handle((ci_model_source){.checkpoint.folder = folder}, &o, path, hooks, out, err);
  ci_free(folder);
  close_opening(&o);
  ci_locale_leave(before);
  return (int)status;
}

/* The objects of files_json, borrowed from *files. */
static ci_status read_files(const char *files_json, json_t **files, ci_model_source *source, ci_error *err) {
  static const char where[] = "files";
  ci_status status = ci_json_parse(where, files_json, strlen(files_json), files, err);
  if (status == CI_EFILE && err) err->code = CI_EINVAL; /* it is no file's text */
  if (status) return status == CI_EFILE ? CI_EINVAL : status;
  source->config = json_object_get(*files, "config.json");
  source->generation_config = json_object_get(*files, "generation_config.json");
  if (!json_is_object(source->config))
    return ci_fail(err, CI_EINVAL, where, "has no \"config.json\", expected {\"config.json\": {...}}");
  if (source->generation_config && !json_is_object(source->generation_config))
    return ci_fail(err, CI_EINVAL, where, "\"generation_config.json\": expected an object");
  return CI_OK;
}

int cinseq_model_open_tensors(const char *name, const char *files_json, const cinseq_tensor *tensors, size_t count,
                              const char *options_json, const cinseq_hooks *hooks, cinseq_model **out,
                              cinseq_error *err) {
  static const cinseq_tensor none;
  ci_model_source source = {.checkpoint = {.folder = name, .given = count ? tensors : &none, .given_count = count}};
  opening o = {0};
  json_t *files = NULL;
  locale_t before = ci_locale_enter();
  *out = NULL;
  ci_status status = read_opening(options_json, hooks, &o, err);
  if (!status && !o.tokenizer)
    status = ci_fail(err, CI_EINVAL, "tokenizer",
                     "is not given: weights in memory have none, name the model or folder whose tokenizer is theirs");
  if (!status) status = read_files(files_json, &files, &source, err);
  if (!status) status = open_handle(source, &o, NULL, hooks, out, err);
  json_decref(files);
  close_opening(&o);
  ci_locale_leave(before);
  return (int)status;
}

int cinseq_model_locate(const char *path, const char *options_json, const cinseq_hooks *hooks, char **located,
                        cinseq_error *err) {
  ci_open_request request;
  json_t *owner = NULL;
  locale_t before = ci_locale_enter();
  *located = NULL;
  ci_status status = ci_open_request_read(options_json, &request, &owner, err);
  if (!status) status = ci_find_model(path, request.hub, hooks, located, err);
  json_decref(owner);
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

int cinseq_attribute_with(const cinseq_model *model, const char *request_json, const cinseq_score *scores,
                          size_t score_count, const cinseq_hooks *hooks, cinseq_result **result, cinseq_error *err) {
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
  if (!status) status = ci_job_check_texts(job, err);
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
