/* See language_ends.h. */
#include "tokenizers/language_ends.h"
#include <string.h>

/* The id of the token of a language code; -1 and CI_OK: none is set. */
static ci_status find_language(const ci_tokenizer *t, const ci_tokenizer_source *source, const char *key,
                               const char *fallback, const char *marks, int32_t *id, ci_error *err) {
  const char *code;
  *id = -1;
  ci_status status = ci_json_get_text(source->settings, source->config_path, key, fallback, &code, err);
  if (status || !code) return status;
  ci_text token = {0};
  bool marked = strstr(code, marks) != NULL;
  ci_text_add_format(&token, "%s%s%s", marked ? "" : marks, code, marked ? "" : marks);
  if (token.failed) return ci_fail_memory(err);
  *id = ci_vocabulary_id(&t->vocabulary, token.data, token.length);
  if (*id < 0)
    status = ci_fail(err, CI_EINVAL, source->config_path, "%s is \"%.40s\", but the tokenizer has no token \"%.40s\"",
                     key, code, token.data);
  ci_text_free(&token);
  return status;
}

/* One side: a pattern of ci_language_rule. */
static ci_status wrap(const ci_tokenizer *t, const ci_tokenizer_source *source, ci_ends *ends, int side,
                      const char *pattern, int32_t language, ci_error *err) {
  int32_t eos = ci_tokenizer_role(t, source, "eos_token");
  if (eos < 0) return ci_fail(err, CI_EFILE, source->config_path, "there is no eos_token, which every text ends with");
  ci_ids *ids = &ends->before[side];
  ci_status status = CI_OK;
  for (; *pattern && !status; pattern++) {
    if (*pattern == '^')
      ids = &ends->after[side];
    else
      status = ci_ids_add(ids, *pattern == 'L' ? language : eos, err);
  }
  return status;
}

ci_status ci_ends_of_languages(const ci_tokenizer *t, const ci_tokenizer_source *source, ci_ends *ends, ci_error *err) {
  const ci_language_rule *rule = ends->languages;
  bool legacy = false;
  int32_t from, to;
  ci_status status = rule->legacy ? ci_source_flag(source, "legacy_behaviour", false, &legacy, err) : CI_OK;
  if (!status) status = find_language(t, source, "src_lang", rule->source_language, rule->marks, &from, err);
  if (!status) status = find_language(t, source, "tgt_lang", rule->target_language, rule->marks, &to, err);
  if (!status) status = wrap(t, source, ends, 0, legacy ? rule->legacy : rule->source, from, err);
  if (!status && to >= 0) status = wrap(t, source, ends, 1, legacy ? rule->legacy : rule->target, to, err);
  return status;
}

ci_status ci_ends_side(const ci_ends *ends, unsigned flags, int *side, ci_error *err) {
  *side = ends->languages && flags & CI_ENCODE_TARGET;
  if (*side && flags & CI_ENCODE_SPECIAL && !ends->before[1].count && !ends->after[1].count)
    return ci_fail(err, CI_EINVAL, "tokenizer_kwargs", "has no tgt_lang: which language a %s's target text is in",
                   ends->languages->name);
  return CI_OK;
}

ci_status ci_ends_add(const ci_ids *from, ci_ids *ids, ci_error *err) {
  ci_status status = CI_OK;
  for (size_t i = 0; i < from->count && !status; i++) status = ci_ids_add(ids, from->items[i], err);
  return status;
}

void ci_ends_free(ci_ends *ends) {
  for (int i = 0; i < 2; i++) {
    ci_ids_free(&ends->before[i]);
    ci_ids_free(&ends->after[i]);
  }
}
