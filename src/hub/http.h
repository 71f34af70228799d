/* Requests to servers. http.c has libcurl; without it http_none.c says that nothing can be downloaded. */
#ifndef CI_HUB_HTTP_H
#define CI_HUB_HTTP_H
#include "hub/answer.h"
#include "hub/settings.h"

/* Connections, which are kept from call to call. */
typedef struct ci_http ci_http;

/* tick is called several times a second during calls and ends them (CI_ECANCEL) by a value that is not 0. settings and
 * context live as long as *http. */
ci_status ci_http_open(const ci_hub_settings *settings, int (*tick)(void *context), void *context, ci_http **http,
                       ci_error *err);
void ci_http_close(ci_http *http);

typedef struct {
  const char *url;
  bool head;    /* HEAD, which follows only redirections within the server: what the hub says of a file is in the
                 * headers of its redirection to the storage */
  int64_t from; /* the first byte that is wanted; 0: all, without a range */
  long seconds; /* the longest that it may take; 0: no limit while bytes come */
  /* The body of an answer with a status of 200 to 299, piece by piece; `before`: the bytes of the pieces before this
   * one. An error that it returns ends the call. NULL: no body is wanted. */
  ci_status (*take)(void *context, const ci_answer *answer, size_t before, const void *bytes, size_t length,
                    ci_error *err);
  void *context;
} ci_http_call;

/* Makes the call and follows redirections. The token goes to the endpoint's own scheme, host and port alone, wherever a
 * redirection leads. CI_OK with answer->status, or 0 and answer->problem where nothing came; where the answer broke off
 * both are set. Errors: CI_EFILE for redirections that do not end or lead to other protocols, heads without end;
 * CI_ECANCEL; what take returned. */
ci_status ci_http_run(ci_http *http, const ci_http_call *call, ci_answer *answer, ci_error *err);

/* Why nothing can be downloaded here; NULL: it can. */
const char *ci_http_missing(void);

/* The library's version; NULL: there is none. */
const char *ci_http_version(void);

#endif
