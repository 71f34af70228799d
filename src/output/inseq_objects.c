/* See inseq_objects.h. */
#include "output/inseq_objects.h"
#include "base/memory.h"
#include "base/text.h"
#include <string.h>

static const char INSTANCE[] = "__instance_type__";
static const char TOKEN_MODULE[] = "inseq.utils.typing", TOKEN_CLASS[] = "TokenWithId";
const char ci_inseq_data_module[] = "inseq.data.attribution";

json_t *ci_inseq_instance(const char *module, const char *class, json_t *attributes) {
  return attributes ? json_pack("{s:[s,s],s:o}", INSTANCE, module, class, "attributes", attributes) : NULL;
}

json_t *ci_inseq_with(json_t *object, const char *key, json_t *value) {
  if (!object) {
    json_decref(value);
    return NULL;
  }
  if (value && !json_object_set_new(object, key, value)) return object;
  json_decref(object);
  return NULL;
}

/* Token strings are UTF-8 but for broken vocabularies: those must not make a result unsavable. */
static json_t *new_token(const ci_token *token) {
  ci_text text = {0};
  ci_text_add_utf8_lossy(&text, token->token, strlen(token->token));
  json_t *string = text.failed ? NULL : json_stringn_nocheck(text.length ? text.data : "", text.length);
  ci_text_free(&text);
  return string ? ci_inseq_instance(TOKEN_MODULE, TOKEN_CLASS,
                                    json_pack("{s:i,s:o}", "id", (int)token->id, "token", string))
                : NULL;
}

json_t *ci_inseq_tokens(const ci_token *tokens, size_t count) {
  json_t *array = json_array();
  for (size_t i = 0; i < count && array; i++)
    if (json_array_append_new(array, new_token(&tokens[i]))) {
      json_decref(array);
      array = NULL;
    }
  return array;
}

ci_status ci_inseq_bad(const ci_inseq_reader *r, const char *problem) {
  return ci_fail(r->err, CI_EFILE, r->where, "%s: %s", r->what, problem);
}

const json_t *ci_inseq_open(const json_t *value, const char *module, const char **class) {
  const json_t *type = json_object_get(value, INSTANCE), *attributes = json_object_get(value, "attributes");
  const char *found = json_string_value(json_array_get(type, 0)), *name = json_string_value(json_array_get(type, 1));
  if (!found || !name || strcmp(found, module) != 0 || !json_is_object(attributes)) return NULL;
  if (*class && strcmp(*class, name) != 0) return NULL;
  *class = name;
  return attributes;
}

static ci_status read_token(const ci_inseq_reader *r, const json_t *value, ci_token *token) {
  const char *class = TOKEN_CLASS;
  const json_t *a = ci_inseq_open(value, TOKEN_MODULE, &class);
  int64_t id;
  if (!a || !ci_json_as_int(json_object_get(a, "id"), &id) || id < INT32_MIN || id > INT32_MAX)
    return ci_inseq_bad(r, "a token is no TokenWithId with an id");
  const json_t *string = json_object_get(a, "token");
  /* Inseq's clean_special_chars puts a token into the place of its text. */
  const json_t *inner = ci_inseq_open(string, TOKEN_MODULE, &class);
  if (inner) string = json_object_get(inner, "token");
  const char *text = json_string_value(string);
  if (!text || strlen(text) != json_string_length(string)) return ci_inseq_bad(r, "a token has no text");
  token->id = (int32_t)id;
  token->token = ci_duplicate(text);
  return token->token ? CI_OK : ci_fail_memory(r->err);
}

ci_status ci_inseq_read_tokens(const ci_inseq_reader *r, const json_t *value, ci_token **tokens, size_t *count) {
  if (!json_is_array(value)) return ci_inseq_bad(r, "is not an array of tokens");
  *tokens = ci_alloc_zeroed(json_array_size(value), sizeof **tokens);
  if (!*tokens) return ci_fail_memory(r->err);
  *count = json_array_size(value);
  for (size_t i = 0; i < *count; i++) {
    ci_status status = read_token(r, json_array_get(value, i), &(*tokens)[i]);
    if (status) return status;
  }
  return CI_OK;
}
