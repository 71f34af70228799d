/* What the environment says of the hub: huggingface_hub's variables, with its defaults. */
#ifndef CI_HUB_SETTINGS_H
#define CI_HUB_SETTINGS_H
#include "base/error.h"
#include "hub/hub.h"

typedef struct {
  char *cache;    /* HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub, ~/.cache/... */
  char *endpoint; /* HF_ENDPOINT, without a slash behind */
  char *token;    /* HF_TOKEN, HUGGING_FACE_HUB_TOKEN, or the file HF_TOKEN_PATH, HF_HOME/token; NULL: none */
  const char *offline;      /* why nothing may be downloaded: "HF_HUB_OFFLINE", ...; NULL: it may */
  const char *certificates; /* a file: SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE; NULL: the system's */
  long answer_seconds;  /* HF_HUB_ETAG_TIMEOUT: the longest to wait for a connection, and for what is known of a file */
  long silence_seconds; /* HF_HUB_DOWNLOAD_TIMEOUT: a download that gets nothing for so long is broken off */
} ci_hub_settings;

/* `request` goes before the environment. Closed with ci_hub_settings_free whatever the status. */
ci_status ci_hub_settings_read(const ci_hub_request *request, ci_hub_settings *settings, ci_error *err);
void ci_hub_settings_free(ci_hub_settings *settings);

#endif
