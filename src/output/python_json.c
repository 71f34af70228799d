/* See python_json.h. */
#include "output/python_json.h"
#include "base/text.h"
#include <string.h>

/* The longer ones first: -Infinity holds Infinity. */
static const struct {
  const char *word, *json;
} words[] = {{"-Infinity", "-1e300"}, {"Infinity", "1e300"}, {"NaN", "null"}};
enum { WORDS = sizeof words / sizeof *words };

static int word_at(const char *bytes, size_t left) {
  for (int i = 0; i < WORDS; i++) {
    size_t length = strlen(words[i].word);
    if (left >= length && memcmp(bytes, words[i].word, length) == 0) return i;
  }
  return -1;
}

/* Appends the text with those words replaced that stand outside of strings; false where there are none, nothing is
 * added then. */
static bool replace(const char *bytes, size_t length, ci_text *out) {
  size_t copied = 0;
  bool in_string = false;
  for (size_t at = 0; at < length; at++) {
    char c = bytes[at];
    if (c == '"') in_string = !in_string;
    if (in_string && c == '\\') at++;
    if (in_string || (c != 'N' && c != 'I' && c != '-')) continue;
    int found = word_at(bytes + at, length - at);
    if (found < 0) continue;
    ci_text_add_n(out, bytes + copied, at - copied);
    ci_text_add(out, words[found].json);
    copied = at + strlen(words[found].word);
    at = copied - 1;
  }
  if (copied) ci_text_add_n(out, bytes + copied, length - copied);
  return copied != 0;
}

ci_status ci_python_json_parse(const char *where, const char *bytes, size_t length, json_t **value, ci_error *err) {
  ci_text text = {0};
  bool replaced = replace(bytes, length, &text);
  ci_status status =
      text.failed ? ci_fail_memory(err)
                  : ci_json_parse(where, replaced ? text.data : bytes, replaced ? text.length : length, value, err);
  ci_text_free(&text);
  return status;
}
