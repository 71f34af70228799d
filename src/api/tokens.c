/* The public functions of the tokenizer. */
#include "api/c_locale.h"
#include "api/session.h"
#include "base/memory.h"
#include "base/options.h"
#include "tokenizers/chat.h"
#include <string.h>

typedef struct {
  bool add_special_tokens, as_targets;
} arguments;

static const ci_option options_table[] = {{"add_special_tokens", NULL, CI_BOOL, offsetof(arguments, add_special_tokens),
                                           "true", 0, 0, NULL, "Add the special tokens that the model expects."},
                                          {"as_targets", NULL, CI_BOOL, offsetof(arguments, as_targets), "false", 0, 0,
                                           NULL, "Encode as a text of the target side."},
                                          CI_OPTIONS_END};

static ci_status read_options(const char *json, arguments *arg, ci_error *err) {
  json_t *object = NULL, *keep = json_array();
  ci_status status = keep ? CI_OK : ci_fail_memory(err);
  if (!status && json) status = ci_json_parse("options", json, strlen(json), &object, err);
  if (!status) status = ci_options_parse(options_table, "options", object, arg, keep, NULL, err);
  json_decref(object);
  json_decref(keep);
  return status;
}

/* Tokens of damaged vocabularies are no UTF-8: they are shown with U+FFFD. NULL: memory is out. */
static json_t *shown(const char *token) {
  ci_text text = {0};
  ci_text_add_utf8_lossy(&text, token ? token : "", token ? strlen(token) : 0);
  json_t *string = text.failed ? NULL : json_stringn_nocheck(text.length ? text.data : "", text.length);
  ci_text_free(&text);
  return string;
}

static char *write_ids(const ci_tokenizer *tokenizer, const ci_ids *ids) {
  json_t *object = json_pack("{s:[],s:[]}", "ids", "tokens");
  json_t *numbers = json_object_get(object, "ids"), *tokens = json_object_get(object, "tokens");
  bool whole = object;
  for (size_t i = 0; i < ids->count && whole; i++)
    whole = !json_array_append_new(numbers, json_integer(ids->items[i])) &&
            !json_array_append_new(tokens, shown(ci_tokenizer_token(tokenizer, ids->items[i])));
  char *text = whole ? ci_json_text(object, JSON_COMPACT) : NULL;
  json_decref(object);
  return text;
}

int cinseq_encode(const cinseq_model *model, const char *text, const char *options_json, char **json,
                  cinseq_error *err) {
  arguments arg;
  ci_ids ids = {0};
  const ci_tokenizer *tokenizer = model->model->tokenizer;
  locale_t before = ci_locale_enter();
  *json = NULL;
  ci_status status = read_options(options_json, &arg, err);
  unsigned flags =
      status ? 0 : (arg.add_special_tokens ? CI_ENCODE_SPECIAL : 0) | (arg.as_targets ? CI_ENCODE_TARGET : 0);
  if (!status) status = ci_tokenizer_encode(tokenizer, text, strlen(text), flags, &ids, err);
  if (!status && !(*json = write_ids(tokenizer, &ids))) status = ci_fail_memory(err);
  ci_ids_free(&ids);
  ci_locale_leave(before);
  return (int)status;
}

int cinseq_decode(const cinseq_model *model, const int32_t *ids, size_t count, int skip_special, char **out,
                  cinseq_error *err) {
  ci_text text = {0};
  ci_status status = CI_OK;
  locale_t before = ci_locale_enter();
  *out = NULL;
  for (size_t i = 0; i < count && !status; i++)
    if (!cinseq_token(model, ids[i]))
      status = ci_fail(err, CI_EINVAL, "ids", "there is no token of id %d", (int)ids[i]);
  if (!status) status = ci_tokenizer_decode(model->model->tokenizer, ids, count, skip_special != 0, &text, err);
  ci_text_add(&text, "");
  if (!status && !(*out = ci_text_take(&text))) status = ci_fail_memory(err);
  ci_text_free(&text);
  ci_locale_leave(before);
  return (int)status;
}

char *cinseq_tokenizer_info(const cinseq_model *model) {
  json_t *facts;
  locale_t before = ci_locale_enter();
  char *text = ci_tokenizer_describe(model->model->tokenizer, &facts, NULL) ? NULL : ci_json_text(facts, JSON_COMPACT);
  json_decref(facts);
  ci_locale_leave(before);
  return text;
}

typedef struct {
  const char *chat_template;
  json_t *variables;
} chat_arguments;

static const ci_option chat_options[] = {
    {"chat_template", NULL, CI_WORD, offsetof(chat_arguments, chat_template), "null", 0, 0, NULL, "Another template."},
    {"variables", NULL, CI_TABLE, offsetof(chat_arguments, variables), "{}", 0, 0, NULL, "What the template may use."},
    CI_OPTIONS_END};

int cinseq_chat(const cinseq_model *model, const char *messages, const char *options_json, char **prompt,
                cinseq_error *err) {
  chat_arguments arg;
  json_t *object = NULL, *keep = json_array();
  locale_t before = ci_locale_enter();
  *prompt = NULL;
  ci_status status = keep ? CI_OK : ci_fail_memory(err);
  if (!status && options_json) status = ci_json_parse("options", options_json, strlen(options_json), &object, err);
  if (!status) status = ci_options_parse(chat_options, "options", object, &arg, keep, NULL, err);
  if (!status)
    status = ci_tokenizer_chat_with(model->model->tokenizer, messages, arg.chat_template, arg.variables, prompt, err);
  json_decref(object);
  json_decref(keep);
  ci_locale_leave(before);
  return (int)status;
}

const char *cinseq_token(const cinseq_model *model, int32_t id) {
  return ci_tokenizer_token(model->model->tokenizer, id);
}

int32_t cinseq_token_id(const cinseq_model *model, const char *token) {
  return ci_tokenizer_id(model->model->tokenizer, token);
}

char *cinseq_token_text(const cinseq_model *model, const char *token) {
  ci_text text = {0};
  locale_t before = ci_locale_enter();
  ci_status status = ci_tokenizer_token_to_text(model->model->tokenizer, token, &text, NULL);
  ci_text_add(&text, "");
  ci_locale_leave(before);
  char *taken = ci_text_take(&text);
  if (!status) return taken;
  cinseq_free(taken);
  return NULL;
}
