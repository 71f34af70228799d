/* What a server answers, before the body: the status and those headers that matter here. Hostile: lengths are bounded.
 */
#ifndef CI_HUB_ANSWER_H
#define CI_HUB_ANSWER_H
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  CI_HTTP_ETAG,
  CI_HTTP_LINKED_ETAG,
  CI_HTTP_LINKED_SIZE,
  CI_HTTP_COMMIT,
  CI_HTTP_LENGTH,
  CI_HTTP_RANGE,
  CI_HTTP_ERROR_CODE,
  CI_HTTP_ERROR_MESSAGE,
  CI_HTTP_LOCATION,
  CI_HTTP_HEADERS
} ci_http_header;

enum { CI_LONGEST_HEADER = 8192, CI_MOST_HEADERS = 256 << 10 }; /* bytes: of one value, of all lines of a call */

typedef struct {
  long status;                                     /* 0: nothing was answered */
  char values[CI_HTTP_HEADERS][CI_LONGEST_HEADER]; /* "" where it is not there */
  size_t bytes;                                    /* of all header lines so far */
  char problem[256];                               /* why there is no answer, or not all of it; "" when there is */
  bool reached;                                    /* whether there was a connection */
} ci_answer;

/* Takes in one line, with or without its line break; a status line begins anew. CI_EFILE for lines and heads that are
 * too long; `where` names the address. */
ci_status ci_answer_read_line(ci_answer *answer, const char *where, const char *line, size_t length, ci_error *err);
/* The values as text and number; -1: none, or no number. */
const char *ci_answer_get(const ci_answer *answer, ci_http_header header);
int64_t ci_answer_number(const ci_answer *answer, ci_http_header header);
/* "bytes FIRST-LAST/TOTAL": false when it is not there, or not so. */
bool ci_answer_range(const ci_answer *answer, int64_t *first, int64_t *total);
/* X-Linked-Etag, else ETag, without W/ and quotes; false when it is not one that can name a file. */
bool ci_answer_etag(const ci_answer *answer, char *etag, size_t room);

#endif
