/* A growing byte string, and small text helpers. A builder remembers that memory ran out: check once, at the end. */
#ifndef CI_BASE_TEXT_H
#define CI_BASE_TEXT_H
#include "sink.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  char *data;      /* always terminated once anything was added; NULL when empty */
  size_t length;   /* without the terminator */
  size_t capacity;
  bool failed;     /* memory ran out: contents are not whole */
} ci_text;

void ci_text_add(ci_text *text, const char *piece);
void ci_text_add_n(ci_text *text, const char *bytes, size_t length);
void ci_text_add_format(ci_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ci_text_add_codepoint(ci_text *text, uint32_t codepoint); /* as UTF-8 */
void ci_text_free(ci_text *text);
ci_sink ci_text_sink(ci_text *text);
char *ci_text_take(ci_text *text); /* the string, owned by the caller (ci_free); NULL if it failed */

bool ci_starts_with(const char *text, const char *prefix);
bool ci_ends_with(const char *text, const char *suffix);

/* Reads one code point at bytes[at..length) and returns its length in bytes (>= 1). An ill-formed sequence gives U+FFFD
 * and the length of its maximal prefix, as Python's errors="replace" and Rust's from_utf8_lossy do. */
size_t ci_utf8_next(const char *bytes, size_t length, size_t at, uint32_t *codepoint);
bool ci_utf8_valid(const char *bytes, size_t length);
void ci_text_add_utf8_lossy(ci_text *text, const char *bytes, size_t length);

/* In place: one line that no terminal obeys. Control characters, line breaks, marks of direction and ill-formed UTF-8
 * become '?'. */
void ci_make_printable(char *text);

/* The candidate with the smallest edit distance to word, or NULL when none is near (distance over 1/3 of its length + 1). */
const char *ci_nearest(const char *word, const char *const *candidates, size_t count);

#endif
