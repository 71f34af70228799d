/* Requests without a model: whatever can be said of them before one is opened. */
#include "api/c_locale.h"
#include "api/request.h"
#include "attribute/job.h"
#include "output/show_options.h"
#include <string.h>

static ci_status check_open(const char *json, ci_error *err) {
  ci_open_request request;
  json_t *owner = NULL;
  ci_status status = ci_open_request_read(json, &request, &owner, err);
  json_decref(owner);
  return status;
}

static ci_status check_download(const char *json, ci_error *err) {
  ci_download_request request;
  json_t *owner = NULL;
  ci_status status = ci_download_request_read(json, &request, &owner, err);
  json_decref(owner);
  return status;
}

static ci_status check_job(const char *json, bool attribute, ci_error *err) {
  ci_job *job = NULL;
  ci_status status = ci_job_open(NULL, json, attribute, NULL, 0, NULL, &job, err);
  ci_job_close(job);
  return status;
}

static ci_status check_attribute(const char *json, ci_error *err) {
  return check_job(json, true, err);
}

static ci_status check_generate(const char *json, ci_error *err) {
  return check_job(json, false, err);
}

static ci_status check_show(const char *json, ci_error *err) {
  ci_show_options options;
  ci_status status = ci_show_options_read(json, &options, err);
  ci_show_options_free(&options);
  return status;
}

static const struct {
  const char *id;
  ci_status (*check)(const char *json, ci_error *err);
} checks[] = {{"open", check_open},
              {"download", check_download},
              {"attribute", check_attribute},
              {"generate", check_generate},
              {"show", check_show}};

int cinseq_request_check(const char *command, const char *request_json, cinseq_error *err) {
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
    if (strcmp(checks[i].id, command) == 0) {
      locale_t before = ci_locale_enter();
      ci_status status = checks[i].check(request_json ? request_json : "{}", err);
      ci_locale_leave(before);
      return (int)status;
    }
  return (int)ci_fail(err, CI_EINVAL, "command", "no command \"%s\"", command);
}
