/* Small text helpers of the command line. */
#include "cli.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LONGEST_WORD = 64 };

/* Edits from a to b: letters inserted, dropped, replaced, or two neighbours swapped, by rows; words are cut at
 * LONGEST_WORD bytes. */
static size_t distance(const char *a, const char *b) {
  size_t before[LONGEST_WORD + 1] = {0}, above[LONGEST_WORD + 1] = {0}, row[LONGEST_WORD + 1] = {0};
  size_t n = strnlen(a, LONGEST_WORD), m = strnlen(b, LONGEST_WORD);
  for (size_t j = 0; j <= m; j++) row[j] = j;
  for (size_t i = 1; i <= n; i++) {
    memcpy(before, above, sizeof before);
    memcpy(above, row, sizeof above);
    row[0] = i;
    for (size_t j = 1; j <= m; j++) {
      row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
      if (above[j] + 1 < row[j]) row[j] = above[j] + 1;
      if (row[j - 1] + 1 < row[j]) row[j] = row[j - 1] + 1;
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped && before[j - 2] + 1 < row[j]) row[j] = before[j - 2] + 1;
    }
  }
  return row[m];
}

const char *cli_nearest(const char *word, const json_t *candidates) {
  const char *nearest = NULL;
  size_t i, least = strnlen(word, LONGEST_WORD) / 3 + 1;
  const json_t *candidate;
  json_array_foreach(candidates, i, candidate) {
    size_t d = distance(word, json_string_value(candidate));
    if (d < least) {
      least = d;
      nearest = json_string_value(candidate);
    }
  }
  return nearest;
}

/* The length of the well-formed code point at `at` (Unicode, table 3-7), or minus the length of an ill-formed start of
 * one. */
static int measure(const unsigned char *at) {
  int length = at[0] < 0x80 ? 1 : at[0] < 0xC2 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : at[0] < 0xF5 ? 4 : 0;
  if (length == 0) return -1;
  for (int i = 1; i < length; i++) {
    unsigned char low = 0x80, high = 0xBF;
    if (i == 1 && at[0] == 0xE0) low = 0xA0;
    if (i == 1 && at[0] == 0xED) high = 0x9F;
    if (i == 1 && at[0] == 0xF0) low = 0x90;
    if (i == 1 && at[0] == 0xF4) high = 0x8F;
    if (at[i] < low || at[i] > high) return -i;
  }
  return length;
}

json_t *cli_string(const char *text) {
  size_t length = strlen(text), used = 0;
  char *repaired = malloc(3 * length + 1); /* U+FFFD takes three bytes */
  if (!repaired) return NULL;
  for (size_t at = 0; at < length;) {
    int n = measure((const unsigned char *)text + at);
    size_t step = (size_t)(n > 0 ? n : -n);
    memcpy(repaired + used, n > 0 ? text + at : "\xEF\xBF\xBD", n > 0 ? step : 3);
    used += n > 0 ? step : 3;
    at += step;
  }
  json_t *string = json_stringn(repaired, used);
  free(repaired);
  return string;
}

/* The code point of the well-formed sequence at[0..length). */
static unsigned decode(const unsigned char *at, int length) {
  unsigned value = length == 1 ? at[0] : at[0] & (0x7Fu >> length);
  for (int i = 1; i < length; i++) value = value << 6 | (at[i] & 63u);
  return value;
}

static bool is_obeyed(unsigned c) {
  return (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0) || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

void cli_put_text(FILE *stream, const char *text, size_t length, bool always) {
  if (!always && !isatty(fileno(stream))) {
    fwrite(text, 1, length, stream);
    return;
  }
  for (size_t at = 0; at < length;) {
    unsigned char bytes[4] = {0}; /* a NUL ends an ill-formed sequence at the end of the text */
    memcpy(bytes, text + at, length - at < 4 ? length - at : 4);
    int n = measure(bytes);
    unsigned c = n > 0 ? decode(bytes, n) : 0;
    if (n <= 0)
      fputs("\xEF\xBF\xBD", stream);
    else if (is_obeyed(c))
      fprintf(stream, c < 0x100 ? "\\x%02x" : "\\u%04x", c);
    else
      fwrite(bytes, 1, (size_t)n, stream);
    at += (size_t)(n > 0 ? n : -n);
  }
}

int cli_width(FILE *stream) {
  const char *columns = getenv("COLUMNS");
  long given = columns ? strtol(columns, NULL, 10) : 0;
  if (given > 0 && given < 100000) return (int)given;
  struct winsize size;
  if (isatty(fileno(stream)) && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0) return size.ws_col;
  return 0;
}
