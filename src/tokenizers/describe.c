/* What transformers' tokenizer object answers: sizes, special tokens, languages, settings. */
#include "tokenizers/kind.h"
#include <string.h>

/* A token of the vocabulary as text, whatever its bytes. NULL: memory is out. */
static json_t *shown(const char *token, size_t length) {
  ci_text text = {0};
  ci_text_add_utf8_lossy(&text, token, length);
  json_t *string = text.failed ? NULL : json_stringn_nocheck(text.length ? text.data : "", text.length);
  ci_text_free(&text);
  return string;
}

/* all_special_tokens and all_special_ids, those without a role apart too. Whether memory lasted. */
static bool add_specials(const ci_tokenizer *t, json_t *facts) {
  json_t *tokens = json_array(), *ids = json_array(), *additional = json_array();
  bool whole = !json_object_set_new(facts, "all_special_tokens", tokens) &&
               !json_object_set_new(facts, "all_special_ids", ids) &&
               !json_object_set_new(facts, "additional_special_tokens", additional) &&
               !json_object_set_new(facts, "special_tokens", json_deep_copy(t->chat.specials));
  for (size_t i = 0; whole && i < t->specials.count; i++) {
    const ci_added_token *token = &t->specials.items[i];
    int32_t id = ci_vocabulary_id(&t->vocabulary, token->content, token->length);
    whole = !json_array_append_new(tokens, shown(token->content, token->length)) &&
            !json_array_append_new(ids, json_integer(id)) &&
            (i < t->role_count || !json_array_append_new(additional, shown(token->content, token->length)));
  }
  return whole;
}

/* The code in a language's token: without the marks around it. */
static json_t *code_of(const ci_tokenizer *t, const ci_added_token *token) {
  size_t marks = strlen(t->languages->marks);
  bool marked = marks && token->length > 2 * marks && ci_starts_with(token->content, t->languages->marks) &&
                ci_ends_with(token->content, t->languages->marks);
  return marked ? shown(token->content + marks, token->length - 2 * marks) : shown(token->content, token->length);
}

/* lang_code_to_id: the special tokens without a role are the languages. */
static bool add_languages(const ci_tokenizer *t, json_t *facts) {
  if (!t->languages) return true;
  json_t *languages = json_object();
  bool whole = !json_object_set_new(facts, "languages", languages);
  for (size_t i = 0; whole && i < t->added.count; i++) {
    const ci_added_token *token = &t->added.items[i];
    bool role = false;
    for (size_t k = 0; k < t->role_count; k++) role = role || strcmp(t->specials.items[k].content, token->content) == 0;
    if (role || !(token->special || ci_added_find(&t->specials, token->content, token->length))) continue;
    json_t *code = code_of(t, token);
    int32_t id = ci_vocabulary_id(&t->vocabulary, token->content, token->length);
    whole =
        code && !json_object_setn_new(languages, json_string_value(code), json_string_length(code), json_integer(id));
    json_decref(code);
  }
  static const char *const keys[] = {"src_lang", "tgt_lang"};
  const char *const defaults[] = {t->languages->source_language, t->languages->target_language};
  for (size_t i = 0; whole && i < 2; i++)
    if (!json_object_get(facts, keys[i]))
      whole = !json_object_set_new(facts, keys[i], defaults[i] ? json_string(defaults[i]) : json_null());
  return whole;
}

ci_status ci_tokenizer_describe(const ci_tokenizer *t, json_t **facts, ci_error *err) {
  *facts = json_pack("{s:s, s:s, s:I, s:I, s:I, s:s?}", "class", t->facts.class_name, "kind", t->facts.kind,
                     "vocab_size", (json_int_t)t->base_size, "length", (json_int_t)t->vocabulary.count, "ids",
                     (json_int_t)t->facts.vocabulary, "chat_template", t->chat.source);
  json_t *settings = json_deep_copy(t->settings); /* counts of references are not shared by threads */
  bool whole = *facts && settings && !json_object_update(*facts, settings) && add_specials(t, *facts) &&
               add_languages(t, *facts);
  json_decref(settings);
  if (whole) return CI_OK;
  json_decref(*facts);
  *facts = NULL;
  return ci_fail_memory(err);
}
