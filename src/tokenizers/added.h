/* Added tokens: those that are cut out of a text before the model sees it, and how much white space goes with them. */
#ifndef CI_TOKENIZERS_ADDED_H
#define CI_TOKENIZERS_ADDED_H
#include "base/error.h"
#include "base/json.h"
#include "tokenizers/vocabulary.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* transformers' AddedToken. content is owned by the list. */
typedef struct {
  char *content;
  size_t length;
  int32_t id;
  bool lstrip, rstrip, single_word, normalized, special;
  bool plain; /* given as a bare string: says nothing about the flags */
} ci_added_token;

typedef struct {
  ci_added_token *items; /* in the order in which they were added; one for each content */
  size_t count, capacity;
  ci_vocabulary index; /* content -> place in items */
} ci_added;

/* Reads {"content", "lstrip", ...} or a plain string. `special` is the default of "special", and "normalized" defaults
 * to its opposite. *content is borrowed from the value. */
ci_status ci_added_read(const json_t *value, const char *where, bool special, ci_added_token *token, ci_error *err);
/* Adds a copy (nothing, when the content is empty); the flags and id of an earlier token with this content are
 * replaced. */
ci_status ci_added_put(ci_added *added, const ci_added_token *token, ci_error *err);
const ci_added_token *ci_added_find(const ci_added *added, const char *content, size_t length);
void ci_added_free(ci_added *added);

/* Python's str.isspace. Rust's char::is_whitespace is the same without U+001C to U+001F. */
bool ci_is_python_space(uint32_t codepoint);
bool ci_is_rust_space(uint32_t codepoint);

#endif
