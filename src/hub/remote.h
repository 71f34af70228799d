/* What the hub says of a model: its files, and of a file its hash and size. Addresses are those that huggingface_hub
 * asks: ENDPOINT/api/models/REPO/revision/REVISION     {"sha": commit, "siblings": [{"rfilename": name}]}
 *   ENDPOINT/REPO/resolve/COMMIT/FILE              X-Repo-Commit, ETag or X-Linked-Etag, X-Linked-Size */
#ifndef CI_HUB_REMOTE_H
#define CI_HUB_REMOTE_H
#include "hub/http.h"
#include "hub/name.h"

/* One model that is looked for, in the cache and on the hub. */
typedef struct {
  const ci_hub_request *request;
  const char *revision, *tag; /* tag: behind the colon of the name; NULL */
  char *repo;                 /* "org/name" */
  char *folder;               /* of the cache */
  char *address;              /* the endpoint, without name and password; for messages */
  ci_hub_settings settings;
  const cinseq_hooks *hooks;
  bool downloading;           /* for progress, which is in bytes: else the hub is still being asked */
  int64_t done, total;
  ci_http *http;    /* NULL until the hub is asked */
  ci_answer answer; /* of the last call */
  char commit[CI_COMMIT_LENGTH + 1];
  bool unknown; /* the hub has none of that name, or cannot be asked */
} ci_hub;

/* Makes a call; again, after a while, when the answer broke off or says that the server is busy. */
ci_status ci_remote_call(ci_hub *hub, ci_http_call call, ci_error *err);
/* Sleeps before attempt number `attempt` (1, 2, ...) while progress is asked; CI_ECANCEL. */
ci_status ci_remote_pause(ci_hub *hub, int attempt, ci_error *err);
enum { CI_HUB_ATTEMPTS = 5 };
/* Tells hooks->progress where things are; not 0: it asks for the end. */
int ci_remote_tick(void *hub);
void ci_remote_warn(const ci_hub *hub, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fills hub->commit and *names (an array of strings, all checked by ci_hub_is_file) for hub->revision. */
ci_status ci_remote_list(ci_hub *hub, json_t **names, ci_error *err);
/* The same from the text of an answer; `where` names it. */
ci_status ci_remote_read_list(const char *where, const char *text, size_t length, char commit[CI_COMMIT_LENGTH + 1],
                              json_t **names, ci_error *err);

typedef struct {
  char etag[CI_ETAG_LENGTH + 1];
  int64_t size;
} ci_remote_file;
/* Of a file at hub->commit. */
ci_status ci_remote_look(ci_hub *hub, const char *name, ci_remote_file *file, ci_error *err);
/* The address of a file at hub->commit. ci_free; NULL: no memory. */
char *ci_remote_url(const ci_hub *hub, const char *name);
/* The error for an answer that is none of 200 to 299; `what` is the file that was asked for, NULL: the list. */
ci_status ci_remote_refused(ci_hub *hub, const char *what, ci_error *err);

#endif
