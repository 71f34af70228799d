/* See added.h. */
#include "tokenizers/added.h"
#include "base/memory.h"
#include <string.h>

ci_status ci_added_read(const json_t *value, const char *where, bool special, ci_added_token *token, ci_error *err) {
  *token = (ci_added_token){.id = -1, .special = special, .normalized = !special};
  const json_t *content = json_is_object(value) ? json_object_get(value, "content") : value;
  if (!json_is_string(content))
    return ci_fail(err, CI_EFILE, where, "an added token is neither a string nor an object with \"content\"");
  token->content = (char *)json_string_value(content);
  token->length = json_string_length(content);
  token->plain = !json_is_object(value);
  if (!json_is_object(value)) return CI_OK;
  ci_status status = ci_json_get_bool(value, where, "special", special, &token->special, err);
  if (!status) status = ci_json_get_bool(value, where, "normalized", !token->special, &token->normalized, err);
  if (!status) status = ci_json_get_bool(value, where, "lstrip", false, &token->lstrip, err);
  if (!status) status = ci_json_get_bool(value, where, "rstrip", false, &token->rstrip, err);
  if (!status) status = ci_json_get_bool(value, where, "single_word", false, &token->single_word, err);
  return status;
}

const ci_added_token *ci_added_find(const ci_added *added, const char *content, size_t length) {
  int32_t place = ci_vocabulary_id(&added->index, content, length);
  return place < 0 ? NULL : &added->items[place];
}

ci_status ci_added_put(ci_added *added, const ci_added_token *token, ci_error *err) {
  if (!token->length) return CI_OK;
  ci_added_token *there = (ci_added_token *)ci_added_find(added, token->content, token->length);
  if (there) {
    char *content = there->content;
    *there = *token;
    there->content = content;
    return CI_OK;
  }
  if (ci_reserve((void **)&added->items, &added->capacity, added->count + 1, sizeof *added->items))
    return ci_fail_memory(err);
  char *content = ci_duplicate_n(token->content, token->length);
  if (!content) return ci_fail_memory(err);
  added->items[added->count] = *token;
  added->items[added->count++].content = content;
  return ci_vocabulary_add(&added->index, "added tokens", content, token->length, (int64_t)added->count - 1, err);
}

void ci_added_free(ci_added *added) {
  for (size_t i = 0; i < added->count; i++) ci_free(added->items[i].content);
  ci_free(added->items);
  ci_vocabulary_free(&added->index);
  *added = (ci_added){0};
}

bool ci_is_rust_space(uint32_t c) {
  return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool ci_is_python_space(uint32_t c) {
  return ci_is_rust_space(c) || (c >= 0x1C && c <= 0x1F);
}
