/* A build without libcurl (cmake -DCINSEQ_HUB=OFF): the cache is read, nothing is downloaded. */
#include "hub/http.h"

ci_status ci_http_open(const ci_hub_settings *settings, int (*tick)(void *context), void *context, ci_http **http,
                       ci_error *err) {
  (void)settings, (void)tick, (void)context;
  *http = NULL;
  return ci_fail(err, CI_EINVAL, NULL, "cinseq was built without libcurl: it downloads nothing");
}

void ci_http_close(ci_http *http) {
  (void)http;
}

ci_status ci_http_run(ci_http *http, const ci_http_call *call, ci_answer *answer, ci_error *err) {
  (void)http, (void)answer;
  return ci_fail(err, CI_EINVAL, call->url, "cinseq was built without libcurl: it downloads nothing");
}

const char *ci_http_missing(void) {
  return "built without libcurl";
}

const char *ci_http_version(void) {
  return 0;
}
