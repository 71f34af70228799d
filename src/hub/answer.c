/* See answer.h. */
#include "hub/answer.h"
#include "hub/name.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const names[CI_HTTP_HEADERS] = {
    [CI_HTTP_ETAG] = "etag",
    [CI_HTTP_LINKED_ETAG] = "x-linked-etag",
    [CI_HTTP_LINKED_SIZE] = "x-linked-size",
    [CI_HTTP_COMMIT] = "x-repo-commit",
    [CI_HTTP_LENGTH] = "content-length",
    [CI_HTTP_RANGE] = "content-range",
    [CI_HTTP_ERROR_CODE] = "x-error-code",
    [CI_HTTP_ERROR_MESSAGE] = "x-error-message",
    [CI_HTTP_LOCATION] = "location",
};

/* A number of at most 18 digits, as much of text as it takes; -1: none. */
static int64_t read_number(const char **text) {
  int64_t number = 0;
  size_t digits = strspn(*text, "0123456789");
  if (digits == 0 || digits > 18) return -1;
  for (size_t i = 0; i < digits; i++) number = 10 * number + ((*text)[i] - '0');
  *text += digits;
  return number;
}

/* "HTTP/1.1 200 OK" */
static bool read_status(const char *line, size_t length, long *status) {
  if (length < 5 || memcmp(line, "HTTP/", 5) != 0) return false;
  const char *space = memchr(line, ' ', length);
  *status = 0;
  for (size_t i = 1; space && i <= 3 && space + i < line + length; i++)
    if (space[i] >= '0' && space[i] <= '9') *status = 10 * *status + (space[i] - '0');
  return true;
}

ci_status ci_answer_read_line(ci_answer *answer, const char *where, const char *line, size_t length, ci_error *err) {
  answer->bytes += length;
  if (answer->bytes > CI_MOST_HEADERS)
    return ci_fail(err, CI_EFILE, where, "answers with over %d bytes of headers", CI_MOST_HEADERS);
  while (length && strchr(" \t\r\n", line[length - 1])) length--;
  long status;
  if (read_status(line, length, &status)) {
    for (int i = 0; i < CI_HTTP_HEADERS; i++) answer->values[i][0] = 0;
    answer->status = status;
    return CI_OK;
  }
  const char *colon = memchr(line, ':', length);
  for (int i = 0; colon && i < CI_HTTP_HEADERS; i++) {
    if ((size_t)(colon - line) != strlen(names[i]) || strncasecmp(line, names[i], strlen(names[i])) != 0) continue;
    const char *value = colon + 1, *end = line + length;
    while (value < end && (*value == ' ' || *value == '\t')) value++;
    size_t n = (size_t)(end - value);
    if (n >= CI_LONGEST_HEADER || memchr(value, 0, n))
      return ci_fail(err, CI_EFILE, where, "answers with a header %s of %zu bytes, expected text of less than %d",
                     names[i], n, CI_LONGEST_HEADER);
    memcpy(answer->values[i], value, n);
    answer->values[i][n] = 0;
  }
  return CI_OK;
}

const char *ci_answer_get(const ci_answer *answer, ci_http_header header) {
  return answer->values[header];
}

int64_t ci_answer_number(const ci_answer *answer, ci_http_header header) {
  const char *text = answer->values[header];
  int64_t number = read_number(&text);
  return *text ? -1 : number;
}

bool ci_answer_range(const ci_answer *answer, int64_t *first, int64_t *total) {
  const char *text = answer->values[CI_HTTP_RANGE];
  if (strncasecmp(text, "bytes ", 6) != 0) return false;
  text += 6;
  *first = read_number(&text);
  if (*first < 0 || *text++ != '-' || read_number(&text) < *first || *text++ != '/') return false;
  *total = read_number(&text);
  return *total >= 0 && !*text;
}

bool ci_answer_etag(const ci_answer *answer, char *etag, size_t room) {
  const char *text = answer->values[CI_HTTP_LINKED_ETAG];
  if (!*text) text = answer->values[CI_HTTP_ETAG];
  if (strncmp(text, "W/", 2) == 0) text += 2;
  size_t length = strlen(text);
  if (length > 1 && text[0] == '"' && text[length - 1] == '"') text++, length -= 2;
  if (length >= room) return false;
  memcpy(etag, text, length);
  etag[length] = 0;
  return ci_hub_is_etag(etag);
}
