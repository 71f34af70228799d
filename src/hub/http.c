/* See http.h. Redirections are followed here and not by libcurl, so that it stands in one place what goes where. */
#include "hub/http.h"
#include "base/memory.h"
#include "base/text.h"
#include "hub/libraries.h"
#define CURL_DISABLE_TYPECHECK /* its functions are called by pointers */
#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MOST_REDIRECTIONS = 10, LARGEST_ERROR_BODY = 64 << 10 };

struct ci_http {
  CURL *curl;
  struct curl_slist *plain, *with_token; /* headers */
  const ci_hub_settings *settings;
  int (*tick)(void *context);
  void *context;
  char problem[CURL_ERROR_SIZE];
};

/* Of one call. */
typedef struct {
  ci_http *http;
  const ci_http_call *call;
  ci_answer *answer;
  const char *url;
  char range[32];
  size_t taken;   /* bytes of the body so far */
  size_t skipped; /* bytes of bodies that are not wanted */
  ci_status status;
  ci_error *err;
} exchange;

static struct {
#define CI_CURL(function) __typeof__(function) *function;
#include "hub/curl.def"
#undef CI_CURL
} lib; /* filled once */

static ci_error missing; /* why it is not */

/* curl_easy_init would begin it too, but in older versions not from two threads. */
static void load_curl(void) {
  static const char *const files[] = {"libcurl.so.4", "libcurl-gnutls.so.4", NULL};
  static const ci_function functions[] = {
#define CI_CURL(function) {#function, offsetof(__typeof__(lib), function)},
#include "hub/curl.def"
#undef CI_CURL
  };
  if (!ci_library_load(files, "libcurl4", functions, sizeof functions / sizeof *functions, &lib, &missing))
    lib.curl_global_init(CURL_GLOBAL_DEFAULT);
}

const char *ci_http_missing(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load_curl);
  return missing.code ? missing.message : NULL;
}

static ci_status make_headers(ci_http *http, ci_error *err) {
  http->plain = lib.curl_slist_append(NULL, "Accept-Encoding: identity"); /* sizes and hashes are those of the file */
  http->with_token = lib.curl_slist_append(NULL, "Accept-Encoding: identity");
  if (!http->plain || !http->with_token) return ci_fail_memory(err);
  if (!http->settings->token) return CI_OK;
  ci_text line = {0};
  ci_text_add_format(&line, "Authorization: Bearer %s", http->settings->token);
  bool added = !line.failed && lib.curl_slist_append(http->with_token, line.data);
  ci_text_free(&line);
  return added ? CI_OK : ci_fail_memory(err);
}

ci_status ci_http_open(const ci_hub_settings *settings, int (*tick)(void *context), void *context, ci_http **out,
                       ci_error *err) {
  *out = NULL;
  if (ci_http_missing()) return ci_fail(err, missing.code, missing.where, "%s", missing.message);
  ci_http *http = ci_alloc_zeroed(1, sizeof *http);
  if (!http) return ci_fail_memory(err);
  *http = (ci_http){.curl = lib.curl_easy_init(), .settings = settings, .tick = tick, .context = context};
  ci_status status = http->curl ? make_headers(http, err) : ci_fail_memory(err);
  if (status)
    ci_http_close(http);
  else
    *out = http;
  return status;
}

void ci_http_close(ci_http *http) {
  if (!http) return;
  lib.curl_easy_cleanup(http->curl);
  lib.curl_slist_free_all(http->plain);
  lib.curl_slist_free_all(http->with_token);
  ci_free(http);
}

const char *ci_http_version(void) {
  return ci_http_missing() ? NULL : lib.curl_version_info(CURLVERSION_NOW)->version;
}

/* ---- what libcurl calls ---- */

static size_t on_header(char *line, size_t size, size_t count, void *context) {
  exchange *e = context;
  e->status = ci_answer_read_line(e->answer, e->url, line, size * count, e->err);
  return e->status ? 0 : size * count;
}

static bool is_success(const ci_answer *answer) {
  return answer->status >= 200 && answer->status < 300;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
  exchange *e = context;
  size_t length = size * count;
  if (is_success(e->answer) && e->call->take) {
    e->status = e->call->take(e->call->context, e->answer, e->taken, bytes, length, e->err);
    e->taken += length;
    return e->status ? 0 : length;
  }
  e->skipped += length; /* read, so that the connection can be used again, but not for ever */
  return e->skipped > LARGEST_ERROR_BODY ? 0 : length;
}

static int on_tick(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
  exchange *e = context;
  (void)a, (void)b, (void)c, (void)d;
  if (e->http->tick(e->http->context)) e->status = ci_fail(e->err, CI_ECANCEL, e->url, "canceled");
  return e->status != CI_OK;
}

/* ---- addresses ---- */

static char *url_part(CURLU *url, CURLUPart part) {
  char *text = NULL;
  return lib.curl_url_get(url, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) ? NULL : text;
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart part) {
  char *x = url_part(a, part), *y = url_part(b, part);
  bool same = x && y && strcmp(x, y) == 0;
  lib.curl_free(x);
  lib.curl_free(y);
  return same;
}

static bool has_scheme(CURLU *url, const char *scheme) {
  char *text = url_part(url, CURLUPART_SCHEME);
  bool same = text && strcmp(text, scheme) == 0;
  lib.curl_free(text);
  return same;
}

/* Whether the token may go there. */
static bool is_endpoint(const ci_hub_settings *settings, CURLU *url) {
  CURLU *endpoint = lib.curl_url();
  bool same = endpoint && !lib.curl_url_set(endpoint, CURLUPART_URL, settings->endpoint, 0) &&
              same_part(endpoint, url, CURLUPART_SCHEME) && same_part(endpoint, url, CURLUPART_HOST) &&
              same_part(endpoint, url, CURLUPART_PORT);
  lib.curl_url_cleanup(endpoint);
  return same;
}

/* Moves url to where the answer leads. *stay: the answer is the last one. */
static ci_status follow(const exchange *e, CURLU *url, bool *stay, ci_error *err) {
  const char *location = ci_answer_get(e->answer, CI_HTTP_LOCATION);
  bool elsewhere = ci_starts_with(location, "//") || strcspn(location, ":") < strcspn(location, "/?#");
  *stay = e->answer->status < 300 || e->answer->status > 399 || !*location || (e->call->head && elsewhere);
  if (*stay) return CI_OK;
  bool secure = has_scheme(url, "https");
  if (lib.curl_url_set(url, CURLUPART_URL, location, 0))
    return ci_fail(err, CI_EFILE, e->url, "redirects to \"%.200s\", which is no address", location);
  if (!has_scheme(url, "https") && (secure || !has_scheme(url, "http")))
    return ci_fail(err, CI_EFILE, e->url, "redirects to \"%.200s\", expected https%s", location,
                   secure ? "" : " or http");
  return CI_OK;
}

/* ---- one exchange ---- */

static void set_options(exchange *e, bool token) {
  CURL *curl = e->http->curl;
  const ci_hub_settings *settings = e->http->settings;
  lib.curl_easy_reset(curl); /* connections stay */
  lib.curl_easy_setopt(curl, CURLOPT_URL, e->url);
  lib.curl_easy_setopt(curl, CURLOPT_HTTPHEADER, token ? e->http->with_token : e->http->plain);
  lib.curl_easy_setopt(curl, CURLOPT_USERAGENT, "cinseq/" CINSEQ_VERSION);
  lib.curl_easy_setopt(curl, CURLOPT_NOBODY, e->call->head ? 1L : 0L);
  lib.curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  lib.curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, e->http->problem);
  lib.curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, settings->answer_seconds);
  lib.curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  lib.curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, settings->silence_seconds);
  lib.curl_easy_setopt(curl, CURLOPT_TIMEOUT, e->call->seconds);
#if LIBCURL_VERSION_NUM >= 0x075700
  lib.curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L); /* a name server that is silent is not waited for */
#endif
  if (settings->certificates) lib.curl_easy_setopt(curl, CURLOPT_CAINFO, settings->certificates);
  snprintf(e->range, sizeof e->range, "%lld-", (long long)e->call->from);
  if (e->call->from > 0) lib.curl_easy_setopt(curl, CURLOPT_RANGE, e->range);
  lib.curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  lib.curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  lib.curl_easy_setopt(curl, CURLOPT_HEADERDATA, e);
  lib.curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  lib.curl_easy_setopt(curl, CURLOPT_WRITEDATA, e);
  lib.curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  lib.curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_tick);
  lib.curl_easy_setopt(curl, CURLOPT_XFERINFODATA, e);
}

/* Writing to a connection that the other side has closed raises SIGPIPE where OpenSSL writes: the signal waits, for
 * this thread alone, and is dropped if it was not there before. */
static CURLcode perform(CURL *curl) {
  static const struct timespec now = {0, 0};
  sigset_t pipe, pending, before;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  CURLcode code = lib.curl_easy_perform(curl);
  if (!sigismember(&pending, SIGPIPE)) sigtimedwait(&pipe, NULL, &now);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return code;
}

static ci_status exchange_once(exchange *e, bool token) {
  curl_off_t connected = 0;
  e->answer->status = 0;
  e->answer->problem[0] = e->http->problem[0] = 0;
  set_options(e, token);
  CURLcode code = perform(e->http->curl);
  if (e->status) return e->status;
  if (code == CURLE_OUT_OF_MEMORY) return ci_fail_memory(e->err);
  lib.curl_easy_getinfo(e->http->curl, CURLINFO_CONNECT_TIME_T, &connected);
  if (code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION)
    connected = 0; /* nor is it the next time */
  e->answer->reached = connected > 0 || e->answer->status > 0;
  if (code == CURLE_OPERATION_TIMEDOUT && !e->answer->status)
    e->answer->reached = false;                                  /* it listens and says nothing */
  if (e->answer->status && !is_success(e->answer)) return CI_OK; /* the rest of its body is no matter */
  if (code)
    snprintf(e->answer->problem, sizeof e->answer->problem, "%s",
             e->http->problem[0] ? e->http->problem : lib.curl_easy_strerror(code));
  return CI_OK;
}

ci_status ci_http_run(ci_http *http, const ci_http_call *call, ci_answer *answer, ci_error *err) {
  exchange e = {.http = http, .call = call, .answer = answer, .err = err};
  CURLU *url = lib.curl_url();
  ci_status status = url ? CI_OK : ci_fail_memory(err);
  *answer = (ci_answer){0};
  if (!status && lib.curl_url_set(url, CURLUPART_URL, call->url, 0))
    status = ci_fail(err, CI_EINVAL, "HF_ENDPOINT", "\"%s\" is no address", http->settings->endpoint);
  bool stay = false;
  for (int hop = 0; !status && !stay; hop++) {
    char *text = url_part(url, CURLUPART_URL);
    e.url = text;
    if (!text)
      status = ci_fail_memory(err);
    else if (hop > MOST_REDIRECTIONS)
      status = ci_fail(err, CI_EFILE, call->url, "redirects more than %d times", MOST_REDIRECTIONS);
    if (!status) status = exchange_once(&e, is_endpoint(http->settings, url));
    if (!status) status = follow(&e, url, &stay, err);
    e.url = NULL;
    lib.curl_free(text);
  }
  lib.curl_url_cleanup(url);
  return status;
}
