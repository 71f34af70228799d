/* See chat.h. */
#include "tokenizers/chat.h"
#include "base/file.h"
#include "base/memory.h"
#include "templates/template.h"
#include "tokenizers/kind.h"
#include <string.h>

void ci_chat_close(ci_chat *chat) {
  ci_free(chat->source);
  ci_free(chat->where);
  json_decref(chat->specials);
}

/* The template itself, or the member called "default" of [{"name", "template"}, ...]. NULL: none. */
static const char *template_of(const json_t *value) {
  size_t i;
  const json_t *member;
  if (json_is_string(value)) return json_string_value(value);
  json_array_foreach(value, i, member) {
    const char *name = json_string_value(json_object_get(member, "name"));
    if (name && strcmp(name, "default") == 0) return json_string_value(json_object_get(member, "template"));
  }
  return NULL;
}

static ci_status keep(ci_chat *chat, const char *source, const char *where, ci_error *err) {
  chat->source = ci_duplicate(source);
  chat->where = ci_duplicate(where);
  return chat->source && chat->where ? CI_OK : ci_fail_memory(err);
}

static ci_status from_file(ci_chat *chat, const ci_tokenizer_source *source, ci_error *err) {
  char *path = ci_join_path(source->folder, "chat_template.jinja");
  if (!path) return ci_fail_memory(err);
  char *bytes = NULL;
  size_t length;
  ci_status status = ci_file_exists(path) ? ci_read_file(path, (size_t)4 << 20, &bytes, &length, err) : CI_OK;
  if (!status && bytes && memchr(bytes, 0, length))
    status = ci_fail(err, CI_EFILE, path, "holds a NUL byte, expected a chat template");
  if (!status && bytes) status = keep(chat, bytes, path, err);
  ci_free(bytes);
  ci_free(path);
  return status;
}

static ci_status find(ci_chat *chat, const ci_tokenizer_source *source, ci_error *err) {
  ci_status status = from_file(chat, source, err);
  if (status || chat->source) return status;
  const char *own = template_of(json_object_get(source->settings, "chat_template"));
  if (own) return keep(chat, own, source->config_path, err);
  json_t *file;
  char *path;
  status = ci_source_json(source, "chat_template.json", &file, &path, err);
  own = status ? NULL : template_of(json_object_get(file, "chat_template"));
  if (own) status = keep(chat, own, path, err);
  if (!status) json_decref(file);
  ci_free(path);
  return status;
}

ci_status ci_chat_open(ci_chat *chat, const ci_tokenizer_source *source, ci_error *err) {
  ci_status status = find(chat, source, err);
  chat->specials = json_object();
  if (!status && !chat->specials) status = ci_fail_memory(err);
  for (size_t i = 0; i < CI_ROLES && !status; i++) {
    ci_added_token token;
    bool found;
    status = ci_source_special(source, ci_special_roles[i], &found, &token, err);
    if (!status && found &&
        json_object_set_new(chat->specials, ci_special_roles[i], json_stringn(token.content, token.length)))
      status = ci_fail_memory(err);
  }
  return status;
}

/* [{"role", "content"}, ...]: as JSON, or one message of the user. */
static json_t *messages_of(const char *text) {
  json_t *messages = *text == '[' ? json_loads(text, 0, NULL) : NULL;
  const json_t *first = json_array_get(messages, 0);
  if (json_is_string(json_object_get(first, "role"))) return messages;
  json_decref(messages);
  ci_text valid = {0};
  ci_text_add_utf8_lossy(&valid, text, strlen(text));
  messages = valid.failed ? NULL : json_pack("[{s:s,s:s}]", "role", "user", "content", valid.data ? valid.data : "");
  ci_text_free(&valid);
  return messages;
}

/* The template's variables: special tokens, tools and documents (none), what the caller has, messages. NULL: no memory.
 */
static json_t *variables_of(const ci_chat *chat, const char *text, const json_t *given) {
  json_t *variables = json_deep_copy(chat->specials), *own = given ? json_deep_copy(given) : json_object();
  bool failed = !variables || !own || json_object_set_new(variables, "tools", json_null()) ||
                json_object_set_new(variables, "documents", json_null()) ||
                json_object_set_new(variables, "add_generation_prompt", json_boolean(!given)) ||
                json_object_update(variables, own) || json_object_set_new(variables, "messages", messages_of(text));
  json_decref(own);
  if (!failed) return variables;
  json_decref(variables);
  return NULL;
}

ci_status ci_tokenizer_chat_with(const ci_tokenizer *t, const char *text, const char *source, const json_t *variables,
                                 char **prompt, ci_error *err) {
  const ci_chat *chat = &t->chat;
  *prompt = NULL;
  if (!source && !chat->source)
    return ci_fail(err, CI_EINVAL, "chat",
                   "the model has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json)");
  ci_template *template;
  const char *where = source ? "chat_template" : chat->where, *used = source ? source : chat->source;
  ci_status status = ci_template_open(where, used, strlen(used), &template, err);
  if (status) return status;
  json_t *all = variables_of(chat, text, variables);
  status = all ? ci_template_render(template, all, prompt, err) : ci_fail_memory(err);
  json_decref(all);
  ci_template_close(template);
  return status;
}

ci_status ci_tokenizer_chat(const ci_tokenizer *t, const char *text, char **prompt, ci_error *err) {
  return ci_tokenizer_chat_with(t, text, NULL, NULL, prompt, err);
}
